"""Does the learning rate fall when this data set wants it, or when somebody else's did?

The recipe: decays are among the commonest ways to fail in silence, because they were copied from a
data set of another size. ImageNet's "x 0.1 at epoch 30" means 38 million pictures; on 3,000 it
comes after 90,000.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recipe_core.training.config import RunConfig
from recipe_core.training.schedules import lr_curve

IMAGENET = 1_281_167
IMAGENET_FIRST, IMAGENET_SECOND, IMAGENET_LENGTHS = 30, 60, (90, 100, 120)
"""Epochs at which the published ImageNet recipes divide the rate, and how many they have (He et
al. 2016; torchvision's reference)."""
NOTHING = 0.01
"""Of the highest rate: below it weights hardly move any more."""
MOST_POINTS = 2000


@dataclass(frozen=True)
class Schedule:
    """The rate over the run, thinned for drawing, and what is odd about it.

    steps, rates  (k,) k <= MOST_POINTS
    """

    steps: npt.NDArray[np.int64]
    rates: npt.NDArray[np.float64]
    per_epoch: int
    warnings: tuple[str, ...]


def schedule(config: RunConfig, n_train: int) -> Schedule:
    """The schedule of a configuration over a data set of this size."""
    per_epoch = max(1, -(-n_train // config.batch_size))
    rates = lr_curve(config, per_epoch)
    at = np.unique(np.linspace(0, len(rates) - 1, min(MOST_POINTS, len(rates))).astype(np.int64))
    return Schedule(at, rates[at], per_epoch, warnings(config, n_train, rates))


def warnings(config: RunConfig, n_train: int, rates: npt.NDArray[np.float64]) -> tuple[str, ...]:
    """What is odd about a rate over (steps,) on n_train samples, each with what to do."""
    per_epoch = max(1, -(-n_train // config.batch_size))
    found = [
        _copied(config, n_train, len(rates), per_epoch),
        _gone(rates),
        _within_an_epoch(config, len(rates), per_epoch),
        _long_warmup(config, len(rates)),
    ]
    return tuple(w for w in found if w)


def _copied(config: RunConfig, n_train: int, total: int, per_epoch: int) -> str:
    if config.schedule != "step" or n_train > IMAGENET / 4:
        return ""
    at = [share * total / per_epoch for share in config.decays()]
    length = any(abs(total / per_epoch - n) < 0.5 for n in IMAGENET_LENGTHS)
    second = len(at) > 1 and abs(at[1] - IMAGENET_SECOND) < 0.5
    if not at or abs(at[0] - IMAGENET_FIRST) >= 0.5 or not (length or second):
        return ""
    first, seen = IMAGENET_FIRST, IMAGENET_FIRST * IMAGENET / 1e6
    return (
        f"A first decay at epoch {first} is ImageNet's: there the net has seen {seen:.0f} million "
        f"pictures by then, here {first * n_train:,}. Keep the rate constant until the training "
        "loss stops falling."
    )


def _gone(rates: npt.NDArray[np.float64]) -> str:
    if not len(rates) or rates.max() <= 0:
        return "The rate is zero: nothing will be learned."
    peak = int(rates.argmax())
    low = np.flatnonzero(rates[peak:] < NOTHING * rates.max())
    if not len(low) or peak + low[0] >= len(rates) / 2:
        return ""
    return (
        f"From step {peak + low[0]:,} of {len(rates):,} on the rate is below {NOTHING:.0%} of its "
        "highest: more than half of the run learns next to nothing. Decay later, or not at all."
    )


def _within_an_epoch(config: RunConfig, total: int, per_epoch: int) -> str:
    if config.schedule != "step":
        return ""
    early = [round(share * total) for share in config.decays() if share * total < per_epoch]
    if not early:
        return ""
    return (
        f"The rate is divided after {early[0]:,} steps, before the first epoch "
        f"({per_epoch:,} steps) ends: are epochs meant?"
    )


def _long_warmup(config: RunConfig, total: int) -> str:
    if config.warmup_steps <= total / 2:
        return ""
    return (
        f"The warm-up takes {config.warmup_steps:,} of {total:,} steps: the run is over before "
        "the rate is reached."
    )
