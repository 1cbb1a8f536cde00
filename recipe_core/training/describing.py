"""How does the user's own model describe pictures? By what its last layer is given.

    TaskModel(Path("my.py"), "", …)              as build_model makes it
    TaskModel(Path("my.py"), "best.pt", …)       with the weights of a file
    TaskModel(Path("my.py"), "RUN_FOLDER", …)    with those of a run of Recipe, under its settings

Pictures come as the task's own evaluation has them: through its build_transform(False) where it has
one, else resized and normalised as the product does it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from recipe_core.images import rgb
from recipe_core.kernel.errors import Misuse
from recipe_core.kernel.evidence import Evidence, Files
from recipe_core.kernel.progress import Progress
from recipe_core.training import checkpoints
from recipe_core.training.config import RunConfig
from recipe_core.training.images import chosen, with_pixels
from recipe_core.training.models import evaluating, head_of
from recipe_core.training.seeds import seed_everything
from recipe_core.training.sets import moved
from recipe_core.training.task import Task, TaskError, load_task
from recipe_core.training.weights import fill, read

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]

BATCH = 64


class TaskModel:
    """A task's model without its last layer, and the pictures of `rows`."""

    def __init__(
        self, path: Path | None, weights: str, device: str, evidence: Evidence, rows: Rows,
        files: Files, seed: int, progress: Progress,
    ) -> None:  # fmt: skip
        """`path` None: the task of the run whose folder `weights` is, or the product's own.

        Raises TaskError where the file is at fault, Misuse for weights that do not fit and where
        there are no labelled samples to build the task for.
        """
        config = _config(path, weights, device, seed)
        path = Path(config.task) if config.task else None
        images = chosen(evidence, config)
        task = load_task(path, images, config)
        if "build_transform" not in task.given:  # the product normalises by its training pixels
            folder = (files.folder or Path()).parent / "pixels"
            task = load_task(path, with_pixels(images, config.image_size, folder, progress), config)
        self._task, self._files, self._rows = task, files, rows
        self._prepare = _preparing(task, config.image_size)
        model = _built(task, seed)
        said = _filled(task, model, weights) if weights else _own_weights(task, model, seed)
        self._model = task.place.model(model)
        self._last, where = _last_layer(model, task.num_classes)
        self.name = f"{path.name if path else config.model}, {where}, {said}"

    def of(self, places: Rows) -> Floats:
        """(k, d) float32 of the pictures of `rows[places]`."""
        return self.of_pictures(lambda i: self._files.original(int(self._rows[places[i]])),
                                len(places))  # fmt: skip

    def of_pictures(self, picture: Callable[[int], bytes], n: int) -> Floats:
        """(n, d) float32 of these files; one that cannot be read any more is grey."""
        found = []
        with ThreadPoolExecutor(2) as pool, evaluating(self._model):
            for start in range(0, n, BATCH):
                some = range(start, min(start + BATCH, n))
                x = torch.stack(list(pool.map(lambda i: self._tensor(picture, i), some)))
                found.append(self._features(x))
        return np.concatenate(found)

    def _tensor(self, picture: Callable[[int], bytes], i: int) -> torch.Tensor:
        try:
            data = picture(i)
        except OSError:
            data = _GREY
        try:
            return self._prepare(data)
        except Exception as e:
            raise _blamed(self._task, e) from e

    def _features(self, x: torch.Tensor) -> Floats:
        place = self._task.place
        kept: list[torch.Tensor] = []
        with _watched(self._last, kept), place.autocast():
            try:
                logits = self._model(moved(x, place.device, place.channels_last))
            except Exception as e:
                raise _blamed(self._task, e) from e
        found = kept[-1] if kept else logits
        found = found.flatten(2).mean(2) if found.ndim == 4 else found
        found = found.mean(1) if found.ndim == 3 else found  # one vector a token
        return np.asarray(found.float().cpu().numpy(), np.float32)


def _config(path: Path | None, weights: str, device: str, seed: int) -> RunConfig:
    """The settings of the run where the weights are a run's, else what is usual."""
    kept = Path(weights) / "config.json" if weights else None
    if kept is None or not kept.is_file():
        return RunConfig(task=str(path or ""), device=device, seed=seed)
    try:
        asked = RunConfig.from_json(json.loads(kept.read_text(encoding="utf-8"))["config"])
        # how it was trained is of no matter here, and a file that varies pictures refuses it
        plain = asked.but(device=device, augmentation="none", mixup=0.0)
        return plain.but(task=str(path)) if path else plain
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise Misuse(f"{weights} is no folder of a training run: {e}.") from None


def _preparing(task: Task, size: int) -> Callable[[bytes], torch.Tensor]:
    """Bytes of a file -> the tensor that the task's evaluation gives the model."""
    if "build_transform" in task.given:
        transform = task.build_transform(False)
        return lambda data: transform(rgb.rgb(data))
    normalization = task.product.normalization
    return lambda data: normalization(torch.from_numpy(rgb.pixels(data, size)).float() / 255)


def _built(task: Task, seed: int) -> nn.Module:
    seed_everything(seed)
    try:
        return task.build_model()
    except Misuse:
        raise
    except Exception as e:
        raise _blamed(task, e) from e


def _blamed(task: Task, error: Exception) -> Exception:
    """The error with the user's own line first, where it passed by one."""
    line = task.own_line(error)
    return TaskError(f"{line}\n{type(error).__name__}: {error}") if line else error


# -- weights ------------------------------------------------------------------------------------


def _filled(task: Task, model: nn.Module, weights: str) -> str:
    """Puts the weights into the model; what they are, in words. Raises Misuse."""
    path = Path(weights)
    saved = checkpoints.latest(path) if path.is_dir() else None
    if path.is_dir() and saved is None:
        raise Misuse(f"{path} holds no checkpoint: name the folder of a run that saved one.")
    if saved is not None or "load_checkpoint" in task.given:
        file = saved / "model.pt" if saved is not None else path
        try:
            task.load_checkpoint(model, task.build_optimizer(model), file)
            return f"weights of {path.name}"
        except Exception as e:
            if saved is not None:
                raise Misuse(f"The weights of {path} do not fit {task.path}: {e}") from e
    state = read(RunConfig(weights=weights))
    fill(model, state, weights, task.num_classes)
    return f"weights of {path.name}"


def _own_weights(task: Task, model: nn.Module, seed: int) -> str:
    """Whether the model comes with weights: built from another seed, they would be the same."""
    own = _body(model, task.num_classes)
    other = _body(_built(task, seed + 1), task.num_classes)
    same = [torch.equal(a, b) for a, b in zip(own, other, strict=True)]
    if own and all(same):
        return "the weights that it comes with"
    return "RANDOM weights: name trained ones as task:FILE.py:WEIGHTS"


def _body(model: nn.Module, num_classes: int) -> list[torch.Tensor]:
    """Every weight that is drawn at random in a fresh model, the last layer's left out."""
    head = head_of(model, num_classes)
    mine = {id(p) for p in head[1].parameters()} if head else set()
    return [
        p.detach().cpu() for p in model.parameters()
        if p.ndim > 1 and id(p) not in mine and float(p.detach().float().std()) > 0
    ]  # fmt: skip


# -- the last layer -----------------------------------------------------------------------------


def _last_layer(model: nn.Module, num_classes: int) -> tuple[nn.Module | None, str]:
    """What makes the logits, and in words what describes a picture."""
    head = head_of(model, num_classes)
    if head is not None:
        return head[1], "before its last layer"
    wide = [m for m in model.modules()
            if isinstance(m, nn.Conv2d) and m.out_channels == num_classes]  # fmt: skip
    return (wide[-1], "before its last layer") if wide else (None, "by its logits")


class _watched:
    """Keeps what a module is given while it lasts."""

    def __init__(self, module: nn.Module | None, kept: list[torch.Tensor]) -> None:
        self._module, self._kept = module, kept

    def __enter__(self) -> None:
        def keep(_: nn.Module, given: Sequence[Any]) -> None:
            self._kept.append(given[0].detach())

        self._hook = self._module.register_forward_pre_hook(keep) if self._module else None

    def __exit__(self, *_: object) -> None:
        if self._hook is not None:
            self._hook.remove()


def _grey() -> bytes:
    import io

    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (64, 64), (127, 127, 127)).save(out, "PNG")
    return out.getvalue()


_GREY = _grey()
