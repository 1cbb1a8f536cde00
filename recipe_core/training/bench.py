"""What does a probe get to work with? The task, its data, and fresh models: nothing is shared.

    bench = open_bench(workspace, RunConfig(model="small_cnn"))
    model = bench.model()
    losses = bench.steps(model, 50)

A probe never changes a bench: it takes a fresh model each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import count, islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.utils.data import Dataset

from recipe_core.kernel.progress import Progress, silent
from recipe_core.training.config import RunConfig
from recipe_core.training.devices import Place, spent
from recipe_core.training.images import Images, open_images, stratified
from recipe_core.training.models import evaluating
from recipe_core.training.schedules import total_steps
from recipe_core.training.seeds import derived, seed_everything
from recipe_core.training.sets import OnDevice, PictureSet, PixelSet, moved
from recipe_core.training.task import Task, TaskError, load_task

Split = Literal["train", "eval"]
Samples = tuple[torch.Tensor, torch.Tensor, npt.NDArray[np.int64]]
Step = Callable[[int, torch.Tensor], object]
STEPS_TIMED = 3


def open_bench(workspace: Path | str, config: RunConfig, progress: Progress = silent) -> Bench:
    """The bench of a workspace: its images decoded, its task loaded.

    Raises WorkspaceError before the first scan, TaskError where the task file is at fault, Misuse
    where there is nothing to train on or no such device.
    """
    images = open_images(workspace, config, progress)
    return Bench(load_task(config.task, images, config), config, images, Path(workspace))


@dataclass(frozen=True)
class Bench:
    """A task, its configuration and its images, and what one does with them.

    workspace  where the images come from: a probe that needs a fresh process opens it there again
    """

    task: Task
    config: RunConfig
    images: Images
    workspace: Path = Path(".recipe")

    @property
    def place(self) -> Place:
        return self.task.place

    @property
    def device(self) -> torch.device:
        return self.place.device

    @property
    def seed(self) -> int:
        return self.config.seed

    # -- data -----------------------------------------------------------------------------------

    @cached_property
    def train_set(self) -> Dataset[tuple[torch.Tensor, int]]:
        """Training samples under the training transform: `[i]` -> ((C, H, W) float32, label)."""
        return self._set("train", train=True)

    @cached_property
    def eval_set(self) -> Dataset[tuple[torch.Tensor, int]]:
        """Evaluation samples under the evaluation transform."""
        return self._set("eval", train=False)

    @cached_property
    def plain_train_set(self) -> Dataset[tuple[torch.Tensor, int]]:
        """Training samples under the evaluation transform."""
        return self._set("train", train=False)

    @cached_property
    def varied_eval_set(self) -> Dataset[tuple[torch.Tensor, int]]:
        """Evaluation samples under the training transform: what it does to a picture's label."""
        return self._set("eval", train=True)

    def _set(self, split: Split, *, train: bool) -> Dataset[tuple[torch.Tensor, int]]:
        positions, labels = self.positions(split), self.labels(split)
        if "build_transform" in self.task.given:
            return PictureSet(self.images, positions, labels, self.task.build_transform(train))
        assert self.images.pixels is not None
        augmentation = self.config.augmentation if train else "none"
        normalization = self.task.product.normalization
        return PixelSet(self.images.pixels, positions, labels, normalization, augmentation)

    def positions(self, split: Split) -> npt.NDArray[np.int64]:
        """(k,) which of the images are in this split, in the order of its set."""
        return self.images.train if split == "train" else self.images.eval

    def labels(self, split: Split) -> npt.NDArray[np.int64]:
        """(k,) the labels of this split's set, through the task's label map."""
        own = self.images.labels[self.positions(split)]
        if "label_map" not in self.task.given:
            return own
        name = self.images.splits[0 if split == "train" else 1]
        indices = self.task.label_map(name)
        lacking = [c for c in self.images.class_names if c not in indices]
        if lacking:
            raise TaskError(
                f"{self.task.path}: label_map({name!r}) lacks the class {lacking[0]!r}."
            )
        return np.array([indices[c] for c in self.images.class_names], dtype=np.int64)[own]

    @property
    def steps_per_epoch(self) -> int:
        """Batches of one training epoch, as the loader itself says where it does."""
        loader = self.train_loader()
        try:
            return max(1, len(loader))
        except TypeError:
            n = len(self.train_set)  # type: ignore[arg-type]
            return max(1, -(-n // self.config.batch_size))

    @property
    def total_steps(self) -> int:
        """Optimisation steps of a whole run."""
        return total_steps(self.config, self.steps_per_epoch)

    def train_loader(self, seed: int | None = None, batch_size: int | None = None) -> OnDevice:
        """The task's loader of training samples; its batches come on the device."""
        seed = self.seed if seed is None else seed
        size = batch_size or self.config.batch_size
        return self.moved(self.task.train_loader(self.train_set, size, seed))

    def eval_loader(self, batch_size: int | None = None) -> OnDevice:
        """The task's loader of evaluation samples; its batches come on the device."""
        size = batch_size or self.config.batch_size
        return self.moved(self.task.eval_loader(self.eval_set, size))

    def train_batches(
        self, seed: int | None = None, batch_size: int | None = None
    ) -> Iterator[Any]:
        """One epoch of training batches (x, y) through the task's loader."""
        return iter(self.train_loader(seed, batch_size))

    def eval_batches(self, batch_size: int | None = None) -> Iterator[Any]:
        """All evaluation batches (x, y) through the task's loader."""
        return iter(self.eval_loader(batch_size))

    def move(self, batch: Any) -> Any:
        """The batch on the device, pictures in the memory layout of the model."""
        return moved(batch, self.device, self.place.channels_last)

    def moved(self, loader: Any) -> OnDevice:
        """A loader of the task whose batches come on the device."""
        return OnDevice(loader, self.move)

    def sample(self, n: int, split: Split = "eval", seed: int = 0) -> Samples:
        """(k, C, H, W) float32 and (k,) int64 on the device, (k,) rows of the sample table.

        k <= n samples of the split's set, of each class as many as its share. split="train" applies
        the training transform.
        """
        dataset = self.train_set if split == "train" else self.eval_set
        labels = self.labels(split)
        picked = stratified(labels, n, seed)
        x = torch.stack([dataset[int(i)][0] for i in picked])
        y = torch.from_numpy(labels[picked])
        rows = self.images.rows[self.positions(split)[picked]]
        return moved(x, self.device, self.place.channels_last), y.to(self.device), rows

    def at(self, positions: npt.NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
        """(k, C, H, W) float32, (k,) int64 on the device: these images as evaluation has them."""
        places = {int(p): i for i, p in enumerate(self.images.train)}
        held = {int(p): i for i, p in enumerate(self.images.eval)}
        found = [
            (self.eval_set[held[p]][0], self.labels("eval")[held[p]])
            if p in held
            else (self.plain_train_set[places[p]][0], self.labels("train")[places[p]])
            for p in positions.tolist()
        ]
        x, y = torch.stack([f[0] for f in found]), torch.tensor([int(f[1]) for f in found])
        return moved(x, self.device, self.place.channels_last), y.to(self.device)

    # -- models ---------------------------------------------------------------------------------

    def model(self, seed: int | None = None, width: float | None = None) -> nn.Module:
        """A fresh model on the device, every generator seeded before it is built.

        What the task's file keeps in its globals is as it was when it was loaded.

        width  only where the task takes one (`task.takes_width`)
        """
        if self.task.kept is not None:
            self.task.kept.restore()
        seed_everything(self.seed if seed is None else seed)
        more = {} if width is None else {"width": width}
        return self.place.model(self.task.build_model(**more))

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """The task's optimizer over the model."""
        return self.task.build_optimizer(model)

    def scheduler(
        self, optimizer: torch.optim.Optimizer, steps_per_epoch: int | None = None,
        epochs: int | None = None,
    ) -> Any:  # fmt: skip
        """The task's scheduler, None where it has none; by default for the configured run."""
        return self.task.build_scheduler(
            optimizer, steps_per_epoch or self.steps_per_epoch, epochs or self.config.epochs
        )

    @cached_property
    def loss_fn(self) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        """The task's loss function on the device."""
        return self.task.build_loss()

    def step(self, model: nn.Module, batch: Any, optimizer: torch.optim.Optimizer) -> torch.Tensor:
        """One optimisation step as the task takes it; the loss, detached."""
        loss = self.task.train_step(model, batch, self.loss_fn, optimizer)
        if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
            got = f"a tensor of shape {tuple(loss.shape)}" if isinstance(loss, torch.Tensor) else (
                f"{type(loss).__name__}"
            )  # fmt: skip
            raise TaskError(
                f"{self.task.path}: train_step must return the loss, a scalar tensor, not {got}."
            )
        return loss.detach().reshape(())

    @cached_property
    def step_seconds(self) -> float:
        """Seconds of one training step as configured (`devices.spent`); a throwaway model pays."""
        model = self.model()
        optimizer = self.optimizer(model)
        model.train()
        took = []
        for batch in islice(self.epochs(), STEPS_TIMED):
            start = spent()
            self.step(model, batch, optimizer)
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)
            took.append(spent() - start)
        return min(took)

    def epochs(self, seed: int | None = None, batch_size: int | None = None) -> Iterator[Any]:
        """Training batches without end, epoch after epoch, each with its own seed.

        Raises ValueError where the loader gives no batch.
        """
        for epoch in count():
            of_epoch, batch = epoch_seed(self.seed if seed is None else seed, epoch), None
            for batch in self.train_batches(of_epoch, batch_size):
                yield batch
            if batch is None:
                raise ValueError("the training loader gives no batch at all")

    def steps(
        self, model: nn.Module, n: int, *, seed: int | None = None,
        batches: Iterable[Any] | None = None, batch_size: int | None = None,
        on_step: Step | None = None,
    ) -> npt.NDArray[np.float64]:  # fmt: skip
        """(n,) float64 losses of n optimisation steps as the loop takes them.

        batches     to take instead of the task's own, again from the start when they end
        batch_size  of the task's own, where not the configured one
        on_step     called with (step, loss) after each
        """
        optimizer = self.optimizer(model)
        scheduler = self.scheduler(optimizer)
        per_epoch = self.steps_per_epoch
        found = []
        model.train()
        source = _endless(batches) or self.epochs(seed, batch_size)
        for step, batch in zip(range(n), source, strict=False):
            if step and step % per_epoch == 0:
                model.train()
            found.append(self.step(model, batch, optimizer))
            self.advance(scheduler, step, found[-1], per_epoch)
            if on_step is not None:
                on_step(step, found[-1])
        return torch.stack(found).double().cpu().numpy() if found else np.empty(0)

    def advance(self, scheduler: Any, step: int, loss: torch.Tensor, per_epoch: int) -> None:
        """Steps the scheduler (None: nothing) after this step where its interval says so."""
        due = self.task.scheduler_interval == "step" or (step + 1) % per_epoch == 0
        if scheduler is not None and due:
            _advance(scheduler, loss)

    def logits(self, model: nn.Module, x: torch.Tensor) -> torch.Tensor:
        """(B, classes) in evaluation mode without gradients; the modes are put back."""
        with evaluating(model), self.place.autocast():
            out = model(x)
        return checked(out, len(x), self.task).float()

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """The task's own evaluation over the evaluation set."""
        found = self.task.evaluate(model, self.eval_loader())
        if not isinstance(found, dict):
            raise TaskError(f"{self.task.path}: evaluate must return a dict of numbers, not "
                            f"{type(found).__name__}.")  # fmt: skip
        return {str(k): float(v) for k, v in found.items()}


def _endless(batches: Iterable[Any] | None) -> Iterator[Any] | None:
    if batches is None:
        return None
    kept = list(batches)
    return (kept[i % len(kept)] for i in range(2**62))


def _advance(scheduler: Any, loss: torch.Tensor) -> None:
    if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
        scheduler.step(float(loss))
    else:
        scheduler.step()


def epoch_seed(seed: int, epoch: int) -> int:
    """The seed of an epoch's loader: the run's own in the first, below 2^31 in all."""
    return seed if epoch == 0 else derived(seed, "epoch", epoch) % 2**31


def checked(out: Any, n: int, task: Task) -> torch.Tensor:
    """The model's output. Raises TaskError where it is not (n, classes) logits."""
    if not isinstance(out, torch.Tensor):
        raise TaskError(f"{task.path or task.product.config.model}: the model must return logits, "
                        f"a tensor, not {type(out).__name__}.")  # fmt: skip
    if out.shape != (n, task.num_classes):
        raise TaskError(
            f"{task.path or task.product.config.model}: the model must return logits of shape "
            f"({n}, {task.num_classes}) for {n} pictures and {task.num_classes} classes, not "
            f"{tuple(out.shape)}."
        )
    return out
