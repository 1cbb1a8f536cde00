"""Can the net learn one batch by heart, and how low could its loss go at all?"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from recipe_core.kernel.errors import MissingInput
from recipe_core.kernel.progress import Progress
from recipe_core.kernel.readings import Reading
from recipe_core.skeleton.probes.common import (
    Clock,
    Floats,
    eval_logits,
    predicted,
    sample_losses,
)
from recipe_core.training.floors import floor_of, output_kind

SAMPLES = 32
FEWER = 16
MOST_STEPS = 1500
SECONDS = 30.0
LOOK_EVERY = 10
SLOW_STEP_S = 0.12
NEAR = 0.02
"""Of the way from the loss of knowing nothing to the floor: the training ends here."""
FACTORS = (1.0, 10.0)
"""The optimizer's own rate first; ten times it only where that was too slow to tell."""


def overfit(bench: Any, progress: Progress) -> Reading:
    """Trains on one batch until its loss is at the floor, or stays where it is, or time is up.

    numbers  n, floor and uniform (of the loss function on these labels), attempts (one per rate:
             factor, steps, loss, right, ended: "floor" | "plateau" | "time" | "steps"), rows,
             labels, predicted, lost (loss of each sample)
    arrays   losses and steps of each attempt, of the batch in evaluation mode
    """
    step_s = bench.step_seconds * SAMPLES / max(1, bench.config.batch_size)
    x, y, rows = distinct(*bench.sample(FEWER if step_s > SLOW_STEP_S else SAMPLES, "train"))
    if len(y) < 2:
        raise MissingInput("there are fewer than two training samples")
    attempts: list[dict[str, Any]] = []
    arrays: dict[str, Any] = {}
    kind = output_kind(eval_logits(bench, bench.model(), x))
    floor, uniform = floor_of(bench.loss_fn, y, bench.task.num_classes, kind)
    z = None
    for i, factor in enumerate(FACTORS):
        clock = Clock(SECONDS / (i + 1), progress, f"one batch, rate x {factor:g}")
        attempt, z, curve = _attempt(bench, x, y, factor, clock, floor, uniform)
        attempts.append(attempt)
        arrays |= {f"losses_{i}": curve[1], f"steps_{i}": curve[0]}
        if attempt["ended"] in ("floor", "plateau") and (
            attempt["right"] == len(y) or attempt["ended"] == "plateau"
        ):
            break
    each = sample_losses(bench.loss_fn, z, y)
    return Reading({
        "n": len(y), "kind": kind, "floor": floor, "uniform": uniform, "attempts": attempts,
        "rows": rows.tolist(), "labels": y.tolist(), "predicted": predicted(bench, z).tolist(),
        "lost": [] if each is None else each.tolist(),
    }, arrays)  # fmt: skip


def distinct(x: Any, y: Any, rows: Any) -> tuple[Any, Any, Any]:
    """The batch without copies that are labelled otherwise: nobody could get both right.

    A batch of which most are copies is left as it is: that is what is wrong with it.
    """
    flat = x.reshape(len(x), -1)
    kept = [
        i for i in range(len(x))
        if not any(torch.equal(flat[i], flat[j]) and y[i] != y[j] for j in range(i))
    ]  # fmt: skip
    if len(kept) < 0.75 * len(x):
        return x, y, rows
    return x[kept], y[kept], rows[kept]


def _attempt(
    bench: Any, x: Any, y: Any, factor: float, clock: Clock, floor: float, uniform: float
) -> tuple[dict[str, Any], Any, tuple[Floats, Floats]]:
    model = bench.model()
    optimizer = bench.optimizer(model)
    for group in optimizer.param_groups:
        group["lr"] = group["lr"] * factor
    model.train()
    steps: list[int] = []
    losses: list[float] = []
    ended, step, z = "steps", 0, eval_logits(bench, model, x)
    first = best = _loss(bench, z, y)
    best_at, right = 0, 0
    while step < MOST_STEPS:
        bench.step(model, (x, y), optimizer)
        step += 1
        if step % LOOK_EVERY:
            if step % 5 == 0:
                clock.tick(step, MOST_STEPS)
            if not clock.over:
                continue
        z = eval_logits(bench, model, x)
        loss = _loss(bench, z, y)
        right = int((predicted(bench, z) == y.cpu().numpy()).sum())
        steps.append(step)
        losses.append(loss)
        if loss < best - 0.02 * abs(best - floor if np.isfinite(floor) else best):
            best, best_at = loss, step
        if right == len(y) and loss - floor <= NEAR * (uniform - floor):
            ended = "floor"
            break
        if clock.over:
            ended = "time"
            break
        if step - best_at >= max(200, step / 2):
            ended = "plateau"
            break
    return (
        {"factor": factor, "steps": step, "first": first, "loss": losses[-1], "right": right,
         "ended": ended, "best": best},
        z, (np.array(steps, float), np.array(losses)),
    )  # fmt: skip


def _loss(bench: Any, z: Any, y: Any) -> float:
    with torch.no_grad():
        loss: float = float(bench.loss_fn(z, y))
    return loss
