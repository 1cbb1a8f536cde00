"""Which known loss is this one? Formulas of single samples, compared by their values.

z (m, C) made-up outputs of the net, t (m,) labels. What cannot be named is judged by its properties
alone, so a loss that is unusual but right is never called wrong for being unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
FIT = 2e-3
"""Relative deviation up to which values count as equal: float32, sums of up to 1,000 classes."""


@dataclass(frozen=True)
class Named:
    """A loss by its name.

    fault   what is wrong with it for a classifier; '' where nothing is
    mend    what to do about that
    detail  a parameter that was found with it
    """

    name: str
    fault: str = ""
    mend: str = ""
    detail: float | None = None


def log_softmax(z: Floats) -> Floats:
    shifted = z - z.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def cross_entropy(z: Floats, t: Indices) -> Floats:
    """(m,) -log softmax(z)[t]."""
    return np.asarray(-np.take_along_axis(log_softmax(z), t[..., None], -1)[..., 0])


def _one_hot(z: Floats, t: Indices) -> Floats:
    return np.asarray(np.arange(z.shape[-1]) == t[..., None], dtype=np.float64)


def _sigmoid(z: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-z.clip(-60, 60))))


def _binary(z: Floats, t: Indices) -> Floats:
    truth = _one_hot(z, t)
    return np.asarray((np.logaddexp(0, z) - truth * z).mean(-1))


def _picked(values: Floats, t: Indices) -> Floats:
    return np.asarray(np.take_along_axis(values, t[..., None], -1)[..., 0])


RAW = "the loss is given raw logits where it needs log-probabilities"
SQUARED = "the squared error takes classes for numbers"
TWICE = "softmax is applied twice"
FORMULAS: tuple[tuple[Named, Callable[[Floats, Indices], Floats]], ...] = (
    (Named("cross-entropy"), cross_entropy),
    (Named("binary cross-entropy, one class against the rest"), _binary),
    (Named("the cross-entropy of a softmax", f"{TWICE}, the loss cannot fall below the value of a "
           "prediction that is barely sure, and where the net is surely wrong it is flat",
           "Give the loss the logits: take out the softmax in the model or the one before the "
           "loss."),
     lambda z, t: cross_entropy(np.exp(log_softmax(z)), t)),
    (Named("the cross-entropy of a sigmoid", "a sigmoid stands before the softmax of the "
           "loss, outputs between 0 and 1 cannot become sure",
           "Give the loss the logits, without the sigmoid."),
     lambda z, t: cross_entropy(_sigmoid(z), t)),
    (Named("minus the logit of the label", f"{RAW} and falls without end as logits grow, right or "
           "wrong", "Put log_softmax before NLLLoss, or take CrossEntropyLoss."),
     lambda z, t: -_picked(z, t)),
    (Named("minus the probability of the label", "NLLLoss is given probabilities where it needs "
           "their logarithms; where the net is surely wrong it is flat",
           "Use log_softmax instead of softmax."),
     lambda z, t: -np.exp(-cross_entropy(z, t))),
    (Named("minus the cross-entropy", "its sign is flipped, it falls as predictions get "
           "worse", "Take the minus sign out (or put the missing one in)."),
     lambda z, t: -cross_entropy(z, t)),
    (Named("the squared error of the logits", f"{SQUARED}, a sure and right prediction is "
           "punished as if it were wrong", "Take CrossEntropyLoss on the logits."),
     lambda z, t: ((z - _one_hot(z, t)) ** 2).mean(-1)),
    (Named("the squared error of the probabilities", f"{SQUARED}, where the net is surely "
           "wrong it is flat and teaches nothing", "Take CrossEntropyLoss on the logits."),
     lambda z, t: ((np.exp(log_softmax(z)) - _one_hot(z, t)) ** 2).mean(-1)),
    (Named("the squared error of sigmoids", f"{SQUARED}, where the net is surely wrong it "
           "is flat and teaches nothing",
           "Take CrossEntropyLoss (or BCEWithLogitsLoss) on the logits."),
     lambda z, t: ((_sigmoid(z) - _one_hot(z, t)) ** 2).mean(-1)),
    (Named("absolute error of the probabilities"), lambda z, t: 1 - np.exp(-cross_entropy(z, t))),
    (Named("multi-class hinge"),
     lambda z, t: (np.maximum(0, 1 - _picked(z, t)[..., None] + z).sum(-1) - 1) / z.shape[-1]),
)  # fmt: skip


def named(z: Floats, t: Indices, values: Floats) -> Named | None:
    """The known loss that gives these values up to a positive factor; None where none does.

    z       (k, m, C) made-up outputs (m = 1: single samples), t (k, m) labels
    values  (k,) the loss of each batch, the mean of its samples in every formula
    """
    if not np.isfinite(values).all():
        return None
    for name, formula in FORMULAS:
        if _same(formula(z, t).mean(-1), values):
            return name
    return _smoothed(z, t, values) or _focal(z, t, values) or _generalised(z, t, values)


def _same(wanted: Floats, values: Floats) -> bool:
    power = float(wanted @ wanted)
    factor = float(wanted @ values) / power if power > 0 else 0.0
    return factor > 0 and _close(factor * wanted, values)


def _close(fitted: Floats, values: Floats) -> bool:
    return bool(np.abs(fitted - values).max() <= FIT * max(np.abs(values).max(), 1e-12))


def _smoothed(z: Floats, t: Indices, values: Floats) -> Named | None:
    """(1 - e) CE + e * mean over the classes: e from a least-squares fit."""
    parts = np.stack([cross_entropy(z, t).mean(-1), -log_softmax(z).mean((-1, -2))], 1)
    (a, b), *_ = np.linalg.lstsq(parts, values, rcond=None)
    if a < 0 or b < 0 or a + b <= 0 or not _close(parts @ np.array([a, b]), values):
        return None
    return Named("cross-entropy with label smoothing", detail=float(b / (a + b)))


def _focal(z: Floats, t: Indices, values: Floats) -> Named | None:
    ce = cross_entropy(z, t)
    for gamma in np.arange(0.25, 5.01, 0.25):
        if _same(((1 - np.exp(-ce)) ** gamma * ce).mean(-1), values):
            return Named("focal loss", detail=float(gamma))
    return None


def _generalised(z: Floats, t: Indices, values: Floats) -> Named | None:
    """(1 - p^q) / q, Zhang and Sabuncu (2018): flat on purpose, against wrong labels."""
    p = np.exp(-cross_entropy(z, t))
    for q in np.arange(0.1, 1.0, 0.1):
        if _same(((1 - p**q) / q).mean(-1), values):
            return Named("generalised cross-entropy", detail=float(q))
    return None
