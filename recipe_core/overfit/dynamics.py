"""What does training say about each sample: learned at once, late, forgotten, never?

All from what the loop wrote down per epoch; nothing is trained here. Sources: forgetting events,
Toneva et al. 2019 (arXiv:1812.05159); area under the margin, Pleiss et al. 2020
(arXiv:2001.10528); data maps (confidence and variability), Swayamdipta et al. 2020
(arXiv:2009.10795).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Flags = npt.NDArray[np.bool_]

NEVER = -1
"""first_learned_epoch of a sample that was wrong in the last epoch and never right for good."""


@dataclass(frozen=True)
class Dynamics:
    """One value per training sample, (n,) each.

    loss                 float32, loss in the last epoch (nats)
    margin               float32, mean over epochs of the label's logit less the largest other
                         (area under the margin); wrong labels lie low
    confidence           float32, mean over epochs of the label's probability, 0 … 1
    variability          float32, standard deviation over epochs of that probability, 0 … 0.5
    forgetting           int32, times it went from right to wrong between epochs
    first_learned_epoch  int32, from 0: the first epoch from which on it stayed right; NEVER
    """

    loss: npt.NDArray[np.float32]
    margin: npt.NDArray[np.float32]
    confidence: npt.NDArray[np.float32]
    variability: npt.NDArray[np.float32]
    forgetting: npt.NDArray[np.int32]
    first_learned_epoch: npt.NDArray[np.int32]

    def columns(self) -> Mapping[str, npt.NDArray[np.generic]]:
        """The same by column name, as the sample table shows them."""
        return {
            "training_loss": self.loss,
            "training_margin": self.margin,
            "training_confidence": self.confidence,
            "training_variability": self.variability,
            "forgetting_events": self.forgetting,
            "first_learned_epoch": self.first_learned_epoch,
        }


def dynamics(loss: Floats, margin: Floats, probability: Floats, correct: Flags) -> Dynamics:
    """From (epochs, n) arrays, NaN where a sample was not seen in an epoch (then never counted).

    Raises ValueError for arrays of different shapes and for zero epochs.
    """
    shapes = {a.shape for a in (loss, margin, probability, correct)}
    if len(shapes) != 1 or loss.ndim != 2 or not loss.shape[0]:
        raise ValueError(f"expected four arrays of one shape (epochs, n), got {sorted(shapes)}")
    seen = ~np.isnan(loss)
    return Dynamics(
        _last(loss, seen),
        _mean(margin, seen),
        _mean(probability, seen),
        _deviation(probability, seen),
        forgetting_events(correct, seen),
        first_learned(correct, seen),
    )


def _last(values: Floats, seen: Flags) -> npt.NDArray[np.float32]:
    epochs = len(values)
    at = epochs - 1 - np.argmax(seen[::-1], axis=0)
    last = np.take_along_axis(values, at[None], axis=0)[0]
    return np.where(seen.any(axis=0), last, np.nan).astype(np.float32)


def _mean(values: Floats, seen: Flags) -> npt.NDArray[np.float32]:
    n = seen.sum(axis=0)
    total = np.where(seen, values, 0).sum(axis=0, dtype=np.float64)
    mean = np.divide(total, n, out=np.full(len(n), np.nan), where=n > 0)
    return np.asarray(mean, np.float32)


def _deviation(values: Floats, seen: Flags) -> npt.NDArray[np.float32]:
    n = seen.sum(axis=0)
    mean = _mean(values, seen)
    squares = np.where(seen, np.square(values - mean), 0).sum(axis=0, dtype=np.float64)
    variance = np.divide(squares, n, out=np.full(len(n), np.nan), where=n > 0)
    return np.asarray(np.sqrt(variance), np.float32)


def forgetting_events(correct: Flags, seen: Flags | None = None) -> npt.NDArray[np.int32]:
    """(n,) how often a sample that was right was wrong the next time it was seen."""
    right = np.zeros(correct.shape[1], bool)
    events = np.zeros(correct.shape[1], np.int32)
    for epoch, now in enumerate(correct):
        here = np.ones_like(right) if seen is None else seen[epoch]
        events += here & right & ~now
        right = np.where(here, now, right)
    return events


def first_learned(correct: Flags, seen: Flags | None = None) -> npt.NDArray[np.int32]:
    """(n,) the first epoch from which on the sample was always right; NEVER where there is none."""
    first = np.full(correct.shape[1], NEVER, np.int32)
    learned = np.zeros(correct.shape[1], bool)
    for epoch, now in enumerate(correct):
        here = np.ones_like(learned) if seen is None else seen[epoch]
        first[here & now & ~learned] = epoch
        first[here & ~now] = NEVER
        learned = np.where(here, now, learned)
    return first
