"""How does the learning rate go, step by step? The whole curve is known before the first step.

Except of `plateau`, which waits for what the evaluation says and is drawn as a constant.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from recipe_core.training.config import RunConfig

ONE_CYCLE_RISE = 0.3  # share of the run in which the rate rises (Smith 2018; torch's OneCycleLR)
ONE_CYCLE_START = 25.0  # the highest rate over the first one
ONE_CYCLE_END = 1e4  # the first rate over the last one
STEP_FACTOR = 0.1
PLATEAU_FACTOR = 0.1
PLATEAU_PATIENCE = 5
"""Evaluations without a lower loss before the plateau schedule divides the rate by ten."""


def total_steps(config: RunConfig, steps_per_epoch: int) -> int:
    """Optimisation steps of the run."""
    return config.steps or config.epochs * max(1, steps_per_epoch)


def lr_curve(config: RunConfig, steps_per_epoch: int) -> npt.NDArray[np.float64]:
    """(steps,) float64: the learning rate of every optimisation step of the run."""
    total = total_steps(config, steps_per_epoch)
    return np.array([config.lr * multiplier(config, step, total) for step in range(total)])


def multiplier(config: RunConfig, step: int, total: int) -> float:
    """The learning rate of this step (0 … total - 1) as a multiple of `config.lr`."""
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    past, length = step - config.warmup_steps, max(1, total - config.warmup_steps)
    if config.schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * min(past, length) / length))
    if config.schedule == "step":
        passed = sum(step >= math.floor(share * total) for share in config.decays())
        return float(STEP_FACTOR**passed)
    if config.schedule == "one_cycle":
        return _one_cycle(min(past, length - 1), length)
    return 1.0


def _one_cycle(step: int, total: int) -> float:
    top = ONE_CYCLE_RISE * total - 1
    if step <= top:
        return _cosine(1 / ONE_CYCLE_START, 1.0, step / top)
    end = 1 / (ONE_CYCLE_START * ONE_CYCLE_END)
    return _cosine(1.0, end, (step - top) / max(1e-12, total - 1 - top))


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))
