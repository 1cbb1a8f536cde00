"""How does a torchvision model describe pictures? By what its last layer is given.

Weights come from a file (a state dict of the same architecture, whatever classes it was trained on)
or, where none is named, from torchvision's own cache or the network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torchvision

from recipe_core.images.opened import opened
from recipe_core.kernel.errors import Misuse, UnknownName
from recipe_core.kernel.evidence import Files

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]

SIDE = 224
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet, in 0 … 1: what torchvision's weights expect."""
BATCH = 64
HEADS = ("fc", "classifier", "heads", "head")
"""What torchvision's classifiers call their last part."""


class Backbone:
    """A model without its head, and the pictures of `rows`."""

    def __init__(self, model: str, weights: str, device: str, rows: Rows, files: Files) -> None:
        """Raises UnknownName for the model, Misuse for weights that do not fit or cannot be had."""
        names = torchvision.models.list_models(module=torchvision.models)
        if model not in names:
            raise UnknownName("torchvision model", model, names)
        self._model = _headless(_loaded(model, weights)).eval().to(device)
        self._device, self._rows, self._files = device, rows, files
        self.name = f"torchvision's {model}"
        self._mean = torch.tensor(MEAN, device=device).view(1, 3, 1, 1)
        self._spread = torch.tensor(SPREAD, device=device).view(1, 3, 1, 1)

    def of(self, places: Rows) -> Floats:
        """(k, d) float32 of these pictures."""
        return self.of_pictures(lambda i: self._files.original(int(self._rows[places[i]])),
                                len(places))  # fmt: skip

    def of_pictures(self, picture: Callable[[int], bytes], n: int) -> Floats:
        """(n, d) float32 of these files."""
        found = []
        with ThreadPoolExecutor(2) as pool, torch.inference_mode():
            for start in range(0, n, BATCH):
                some = range(start, min(start + BATCH, n))
                pictures = np.stack(list(pool.map(lambda i: _picture(picture, i), some)))
                x = torch.from_numpy(pictures).to(self._device).permute(0, 3, 1, 2).float()
                y = self._model((x / 255 - self._mean) / self._spread)
                found.append(y.flatten(1).float().cpu().numpy())
        return np.concatenate(found)


def _picture(picture: Callable[[int], bytes], i: int) -> npt.NDArray[np.uint8]:
    from PIL import Image

    # the displayed picture, its longer side 160 pixels at most: enough for SIDE at its middle
    try:
        found = opened(picture(i), "").pixels
    except OSError:  # gone since the scan
        found = None
    if found is None:
        return np.zeros((SIDE, SIDE, 3), np.uint8)
    rgb = found.view(np.uint8).reshape(*found.shape, 4)[..., :3]
    return _middle(Image.fromarray(np.ascontiguousarray(rgb)))


def _middle(image: Any) -> npt.NDArray[np.uint8]:
    """The middle SIDE × SIDE once the shorter side has 256/224 of SIDE (torchvision's presets)."""
    from PIL import Image

    shorter = round(SIDE * 256 / 224)
    factor = shorter / min(image.size)
    size = max(shorter, round(image.width * factor)), max(shorter, round(image.height * factor))
    wide = image.resize(size, Image.Resampling.BILINEAR)
    left, top = (size[0] - SIDE) // 2, (size[1] - SIDE) // 2
    return np.asarray(wide.crop((left, top, left + SIDE, top + SIDE)))


def _loaded(model: str, weights: str) -> torch.nn.Module:
    if not weights:
        try:
            whole: torch.nn.Module = torchvision.models.get_model(model, weights="DEFAULT")
            return whole
        except Exception as e:  # urllib, ssl and torch raise many kinds
            raise Misuse(
                f"The weights of {model} are neither in torchvision's cache nor to be had over the "
                f"network ({type(e).__name__}: {e}). Name a file: backbone:{model}:WEIGHTS.pth."
            ) from None
    bare: torch.nn.Module = torchvision.models.get_model(model, weights=None)
    _fill(bare, _state(weights), Path(weights).name, model)
    return bare


def _state(path: str) -> Mapping[str, torch.Tensor]:
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as e:
        raise Misuse(f"{path} cannot be read as PyTorch weights: {e}") from None
    for name in ("state_dict", "model", "model_state_dict"):
        if isinstance(found, Mapping) and isinstance(found.get(name), Mapping):
            found = found[name]
    if not isinstance(found, Mapping):
        raise Misuse(f"{path} holds no state dict but a {type(found).__name__}.")
    return {k.removeprefix("module."): v for k, v in found.items()}


def _fill(model: torch.nn.Module, state: Mapping[str, torch.Tensor], name: str, kind: str) -> None:
    own = model.state_dict()
    body = {k for k in own if k.split(".")[0] not in HEADS}
    wrong = [k for k in body if k not in state or state[k].shape != own[k].shape]
    if wrong:
        raise Misuse(
            f"{name} does not fit {kind}: {len(wrong)} of {len(body)} tensors are missing or of "
            f"another shape, first {sorted(wrong)[0]!r}."
        )
    model.load_state_dict({k: state[k] for k in body}, strict=False)


def _headless(model: torch.nn.Module) -> torch.nn.Module:
    for name in HEADS:
        if hasattr(model, name):
            setattr(model, name, torch.nn.Identity())
            return model
    raise Misuse(f"{type(model).__name__} has no head that Recipe knows how to take off.")
