"""How do the first steps of a training go? One short training, watched from several sides."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import torch

from recipe_core.kernel.progress import Progress
from recipe_core.kernel.readings import Reading
from recipe_core.skeleton.probes.common import (
    Clock,
    affordable_batch,
    eval_logits,
    named_weights,
    predicted,
)

STEPS = 60
FEWEST = 10
SECONDS = 25.0
WATCHED = 48
EVERY = 3


class _Enough(Exception):
    """The training has been watched long enough."""


def course(bench: Any, progress: Progress) -> Reading:
    """A training of up to STEPS steps as the loop would do them, schedule included.

    numbers  steps, names, sizes, moved and relative (largest and relative root mean square change
             of each parameter), rows and labels of the fixed batch, points (steps watched)
    arrays   losses (steps,), predictions (points, k), logits (points, k, classes)
    """
    size = affordable_batch(bench)
    clock = Clock(SECONDS, progress, "first steps")
    model = bench.model()
    before = named_weights(model)
    buffers = {n: b.detach().clone() for n, b in model.named_buffers()}
    x, y, rows = bench.sample(WATCHED, "eval")
    losses: list[torch.Tensor] = []
    points, seen = [0], [eval_logits(bench, model, x)]

    def watch(step: int, loss: torch.Tensor) -> None:
        losses.append(loss)
        clock.tick(step + 1, STEPS)
        if (step + 1) % EVERY == 0:
            points.append(step + 1)
            seen.append(eval_logits(bench, model, x))
        if clock.over and step + 1 >= FEWEST:
            raise _Enough

    planned = min(STEPS, bench.total_steps)  # a one-cycle schedule raises beyond its end
    with contextlib.suppress(_Enough):
        bench.steps(model, planned, batch_size=size, on_step=watch)
    after = dict(model.named_parameters())
    names = list(before)
    return Reading(
        {
            "steps": len(losses), "points": points, "rows": rows.tolist(), "labels": y.tolist(),
            "names": names, "sizes": [before[n].numel() for n in names],
            "moved": [_largest(before[n], after.get(n)) for n in names],
            "relative": [_relative(before[n], after.get(n)) for n in names],
            "scale": [_rms(before[n]) for n in names],
            "buffers_moved": [
                n for n, b in model.named_buffers()
                if n in buffers and not torch.equal(buffers[n], b)
            ],
        },
        {
            "losses": torch.stack(losses).double().cpu().numpy(),
            "logits": torch.stack(seen).float().cpu().numpy(),
            "predictions": np.stack([predicted(bench, z) for z in seen]),
        },
    )  # fmt: skip


def _largest(before: Any, after: Any) -> float:
    if after is None or after.shape != before.shape:
        return float("nan")
    return float((after.detach() - before).abs().max()) if before.numel() else 0.0


def _rms(values: Any) -> float:
    return float(values.double().square().mean().sqrt()) if values.numel() else 0.0


def _relative(before: Any, after: Any) -> float:
    """Root mean square change over the root mean square value; of what was zero, the change."""
    if after is None or after.shape != before.shape:
        return float("nan")
    scale = _rms(before)
    return _rms(after.detach().double() - before.double()) / (scale or 1.0)
