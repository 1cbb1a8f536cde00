"""What do several processes that train one net do differently from one? Nothing but share the work.

Each takes its share of every batch; gradients are averaged by torch's DistributedDataParallel, and
each share weighs what it weighs in the whole batch, so that loss and weights are those that one
process would have, up to the order of additions. `leading` starts them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from recipe_core.training.bench import Bench
from recipe_core.training.seeds import derived
from recipe_core.training.sets import PixelLoader


@dataclass(frozen=True)
class Team:
    """This process among those that train a net: number `rank` of `size`; 0 leads and writes."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process logs, evaluates and saves."""
        return self.rank == 0

    def joined(self, model: nn.Module, bench: Bench) -> nn.Module:
        """The model as its steps are taken: its gradients are those of the whole batch.

        Every process must call it; the first one's weights are everybody's from then on.
        """
        if self.size == 1:
            return model
        own = "build_model" in bench.task.given  # it may hold parameters that no output needs
        where = [self.rank] if bench.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(
            model, device_ids=where, find_unused_parameters=own
        )

    def share(self, loader: Any) -> None:
        """Has the loader give this process's share of every batch only."""
        if self.size > 1:
            loader.rank, loader.size = self.rank, self.size

    def batch_size(self, loader: Any, batch: Any) -> int:
        """Samples of the whole batch, of which `batch` is a share."""
        if self.size > 1:
            return len(loader.whole[0])
        first = batch[0] if isinstance(batch, tuple | list) else batch
        return len(first) if hasattr(first, "__len__") else 1

    def step(
        self, bench: Bench, model: nn.Module, loader: Any, batch: Any,
        optimizer: torch.optim.Optimizer, number: int,
    ) -> torch.Tensor:  # fmt: skip
        """One optimisation step, the run's `number`-th; the loss of the whole batch, 0-d, detached.

        What is drawn in a step (dropout) is a function of seed, process and step: another process
        drops other features, and resuming needs nobody's generators.
        """
        if self.size == 1:
            return bench.step(model, batch, optimizer)
        torch.manual_seed(derived(bench.seed, "team", self.rank, number))
        loss_fn = _Weighed(bench.loss_fn, self.size, loader, batch[1])
        loss = bench.task.train_step(model, batch, loss_fn, optimizer).detach().reshape(())
        dist.all_reduce(loss)
        return loss / self.size

    def agreed(self, values: Mapping[str, float] | None) -> dict[str, float]:
        """The leader's values, known to all from then on; every process must call it."""
        if self.size == 1:
            return dict(values or {})
        box = [dict(values or {})]
        dist.broadcast_object_list(box, src=0, device=torch.device("cpu"))
        return box[0]

    def gathered(self, found: torch.Tensor) -> torch.Tensor:
        """A tensor of which each process fills a part, NaN elsewhere; every process must call it.

        The sum of the parts, NaN where nobody had a number.
        """
        if self.size == 1:
            return found
        known = (~found.isnan()).to(found.dtype)
        whole = found.nan_to_num(nan=0.0, posinf=float("inf"), neginf=float("-inf"))
        dist.all_reduce(known)
        dist.all_reduce(whole)
        return torch.where(known > 0, whole, float("nan"))


ALONE = Team()


class _Weighed:
    """A mean loss over a share, times what the share weighs in its batch and the processes.

    Their mean over the processes is then the mean over the batch. Of a cross entropy with class
    weights the mean is over the weights of the labels, so that they are what a share weighs.
    """

    def __init__(self, loss_fn: Any, size: int, loader: PixelLoader, y: torch.Tensor) -> None:
        self._loss_fn, self._size, self._loader, self._y = loss_fn, size, loader, y
        self._weight = getattr(loss_fn, "weight", None)

    def __call__(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        loss: torch.Tensor = self._loss_fn(logits, target)
        if not len(self._loader.indices):
            return loss * 0.0  # only here to keep step with the others
        whole = self._loader.whole[0 if target is self._y else 1]
        weighed: torch.Tensor = loss * (self._size * self._mass(target) / self._mass(whole))
        return weighed

    def _mass(self, labels: torch.Tensor) -> Any:
        return len(labels) if self._weight is None else self._weight[labels].sum()
