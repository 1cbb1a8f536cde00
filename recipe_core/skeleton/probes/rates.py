"""How far does the training get at today's learning rate, and how far at others? On a copy."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch

from recipe_core.kernel.progress import Progress
from recipe_core.kernel.readings import Reading
from recipe_core.skeleton.probes.common import (
    SMALL_BATCH,
    Clock,
    loss_in_training,
)

FACTORS = (1.0, 0.1, 10.0, 0.01, 100.0, 1000.0)
BATCHES = 4
STEPS = 32
FEWEST = 12
SECONDS = 24.0
SAMPLES = 64
MOST_SCHEDULED = 100_000
RAMP = 5
"""Steps in which every tried rate rises to its value, as a warm-up would let it."""


def rates(bench: Any, progress: Progress) -> Reading:
    """The same few steps on the same few batches from the same weights at rates around today's.

    numbers  lr (today's, one per group), steps, factors; first (loss before), and per factor last
             (loss on the same samples afterwards), peak (largest loss on the way)
    arrays   losses (factors, steps)
    """
    step_s = bench.step_seconds
    size = None if step_s * STEPS * len(FACTORS) < SECONDS else SMALL_BATCH
    if size is not None:
        step_s *= size / max(size, bench.config.batch_size)
    steps = int(np.clip(SECONDS / len(FACTORS) / max(step_s, 1e-6), FEWEST, STEPS))
    source = bench.epochs(bench.seed, size)
    batches = [next(source) for _ in range(BATCHES)]
    clock = Clock(3 * SECONDS, progress, "learning rates")
    start = bench.model()
    x, y = (torch.cat([b[i] for b in batches])[:SAMPLES] for i in (0, 1))
    first = loss_in_training(bench, start, x, y)
    last, peak, curves = [], [], []
    for k, factor in enumerate(FACTORS):
        clock.tick(k, len(FACTORS))
        model, losses = _trained(bench, start, batches, steps, factor, clock)
        curves.append(losses)
        last.append(loss_in_training(bench, model, x, y))
        peak.append(float(np.max(losses)) if np.isfinite(losses).all() else float("inf"))
    groups = [float(g["lr"]) for g in bench.optimizer(bench.model()).param_groups]
    return Reading(
        {"lr": groups, "steps": steps, "factors": list(FACTORS), "first": first, "last": last,
         "peak": peak, "batch": size or bench.config.batch_size},
        {"losses": np.array(curves)},
    )  # fmt: skip


def _trained(
    bench: Any, start: Any, batches: list[Any], steps: int, factor: float, clock: Clock
) -> tuple[Any, Any]:
    model = bench.model()  # and what the task keeps in its globals, a scaler say, begins anew
    model.load_state_dict(start.state_dict())
    torch.manual_seed(bench.seed)
    optimizer = bench.optimizer(model)
    full = [group["lr"] * factor for group in optimizer.param_groups]
    model.train()
    losses = []
    for i in range(steps):
        for group, rate in zip(optimizer.param_groups, full, strict=True):
            group["lr"] = rate * min(1.0, (i + 1) / RAMP)
        losses.append(bench.step(model, batches[i % len(batches)], optimizer))
        if i % 4 == 0:
            clock.tick(i, steps)
    return model, torch.stack(losses).double().cpu().numpy()


def schedule(bench: Any, progress: Progress) -> Reading:
    """The learning rate over the whole planned training, as the scheduler gives it; trains nothing.

    numbers  interval, steps_per_epoch, epochs, kind (name of the scheduler, '' without one),
             initial (rate without a scheduler), error (what the scheduler raised while stepped as
             configured), depends (whether it asks for a metric)
    arrays   rates: relative to the optimizer's own, one per interval of the whole training;
             other: the same if it were stepped at the other interval
    """
    epochs, per_epoch = bench.config.epochs, bench.steps_per_epoch
    interval = bench.task.scheduler_interval
    other = "epoch" if interval == "step" else "step"
    model = bench.model()
    optimizer = bench.optimizer(model)
    initial = float(optimizer.param_groups[0]["lr"])
    scheduler = bench.scheduler(optimizer)
    numbers = {
        "interval": interval, "steps_per_epoch": per_epoch, "epochs": epochs,
        "kind": type(scheduler).__name__ if scheduler is not None else "", "initial": initial,
        "error": "", "depends": False,
    }  # fmt: skip
    if scheduler is None:
        return Reading(numbers)
    if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
        return Reading(numbers | {"depends": True})
    rates, error = _stepped(bench, interval, epochs, per_epoch, progress)
    others, other_error = _stepped(bench, other, epochs, per_epoch, progress)
    return Reading(
        numbers | {"error": error, "other_error": other_error},
        {"rates": rates / (initial or 1.0), "other": others / (initial or 1.0)},
    )


def _stepped(
    bench: Any, interval: str, epochs: int, per_epoch: int, progress: Progress
) -> tuple[Any, str]:
    """The rate in each interval of the training (at most MOST_SCHEDULED), and what was raised."""
    optimizer = bench.optimizer(bench.model())
    found = []
    total = min(epochs * (per_epoch if interval == "step" else 1), MOST_SCHEDULED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scheduler = bench.scheduler(optimizer, per_epoch, epochs)
        for k in range(total):
            found.append(max(float(g["lr"]) for g in optimizer.param_groups))
            if k % 500 == 0:
                progress("schedule", k, total)
            if k + 1 < total:  # what follows the last one decides nothing
                try:
                    scheduler.step()
                except Exception as e:
                    return np.array(found), f"{type(e).__name__}: {e}"
    return np.array(found), ""
