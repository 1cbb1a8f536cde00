"""What do several probes need? Batches to look at, losses sample by sample, a clock."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from recipe_core.kernel.progress import Progress
from recipe_core.training.devices import spent

Floats = npt.NDArray[np.float64]
SLOW_STEP_S = 0.15
"""Seconds of a training step from which a probe takes smaller batches."""
SMALL_BATCH = 16


def start_afresh(seed: int) -> None:
    """Seeds every generator; undoes what a task may have left switched in this process."""
    from recipe_core.training.seeds import seed_everything

    seed_everything(seed)
    torch.set_grad_enabled(True)
    torch.set_default_dtype(torch.float32)


class Clock:
    """How long a probe has been at it, and how long it may.

    seconds  after which it should end; what it has read by then counts
    """

    def __init__(self, seconds: float, progress: Progress, activity: str) -> None:
        self.seconds, self._progress, self._activity = seconds, progress, activity
        self.start = spent()

    @property
    def passed(self) -> float:
        """Seconds since the start."""
        return spent() - self.start

    @property
    def over(self) -> bool:
        """Whether the probe has had its time."""
        return self.passed > self.seconds

    def tick(self, done: int, total: int) -> None:
        """A sign of life. Raises Cancelled when a stop was asked for."""
        self._progress(self._activity, done, total)


def stacked(dataset: Any, indices: npt.NDArray[np.int64], bench: Any) -> tuple[Any, Any]:
    """(n, C, H, W) float32 and (n,) int64 of these samples of a set, on the bench's device."""
    pairs = [dataset[int(i)] for i in indices]
    x = torch.stack([p[0] for p in pairs])
    y = torch.tensor([int(p[1]) for p in pairs])
    if bench.place.channels_last and x.ndim == 4:
        x = x.to(bench.device, memory_format=torch.channels_last)
    return x.to(bench.device), y.to(bench.device)


def some(n: int, most: int, seed: int) -> npt.NDArray[np.int64]:
    """At most `most` of n numbers, drawn without replacement: the shares stay as they are."""
    return np.random.default_rng(seed).permutation(n)[:most].astype(np.int64)


def affordable_batch(bench: Any) -> int | None:
    """None: the configured batch size; a smaller one where a step takes long."""
    if bench.config.batch_size <= SMALL_BATCH or bench.step_seconds <= SLOW_STEP_S:
        return None
    return SMALL_BATCH


def train_logits(bench: Any, model: nn.Module, x: Any, batch: int = 64) -> Any:
    """(n, classes) float32 as training sees them: in training mode, batch by batch."""
    model.train()
    with torch.no_grad(), bench.place.autocast():
        parts = [model(x[i : i + batch]).float() for i in _starts(len(x), batch)]
    return torch.cat(parts)


def eval_logits(bench: Any, model: nn.Module, x: Any, batch: int = 256) -> Any:
    """(n, classes) float32 in evaluation mode, without gradients."""
    return torch.cat([bench.logits(model, x[i : i + batch]) for i in range(0, len(x), batch)])


def loss_in_training(bench: Any, model: nn.Module, x: Any, y: Any) -> float:
    """Of these samples with the batch's own statistics, but without dropout; the model stays.

    In evaluation mode batch norm's averages of the first few steps would lie.
    """
    was = copy.deepcopy(model)
    was.train()
    for m in was.modules():
        if isinstance(m, nn.modules.dropout._DropoutNd):
            m.eval()
    try:
        with torch.no_grad(), bench.place.autocast():
            return mean_loss(bench.loss_fn, was(x).float(), y, len(y))
    except Exception:
        return mean_loss(bench.loss_fn, eval_logits(bench, model, x), y, len(y))


def _starts(n: int, batch: int) -> list[int]:
    """Where batches begin; a last one of a single sample, which batch norm refuses, is left out."""
    return [i for i in range(0, n, batch) if n - i > 1 or n == 1]


def mean_loss(loss_fn: Callable[..., Any], z: Any, y: Any, batch: int = 64) -> float:
    """The loss function over these outputs in batches, weighted by their sizes."""
    with torch.no_grad():
        parts = [
            float(loss_fn(z[i : i + batch], y[i : i + batch])) * len(y[i : i + batch])
            for i in range(0, len(y), batch)
        ]
    return sum(parts) / len(y)


def sample_losses(loss_fn: Callable[..., Any], z: Any, y: Any) -> Floats | None:
    """(n,) float64: the loss function on each sample alone; None where it needs a batch."""
    try:
        with torch.no_grad():
            found = [loss_fn(z[i : i + 1], y[i : i + 1]).reshape(()) for i in range(len(y))]
        return torch.stack(found).double().cpu().numpy()
    except Exception:
        return None


def predicted(bench: Any, z: Any) -> npt.NDArray[np.int64]:
    """(n,) int64: the task's own predictions."""
    found: npt.NDArray[np.int64] = bench.task.predict(z).detach().cpu().numpy().astype(np.int64)
    return found.reshape(-1)


def named_weights(model: nn.Module) -> dict[str, Any]:
    """Copies of every parameter, by name."""
    return {n: p.detach().clone() for n, p in model.named_parameters()}
