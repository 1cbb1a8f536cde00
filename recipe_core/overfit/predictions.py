"""What did the run predict: which classes for which, how surely, and where was it most wrong?

All from a run's stored predictions; no model is loaded. Intervals are Wilson's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recipe_core.kernel.intervals import wilson

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]
SMALLEST = 1e-12
"""Probabilities are clipped here before their logarithm: float32 softmax reaches 0."""


@dataclass(frozen=True)
class ClassScore:
    """One class: recall and precision with their 95 % intervals, and on how many samples."""

    name: str
    n: int
    n_predicted: int
    recall: float
    recall_interval: tuple[float, float]
    precision: float
    precision_interval: tuple[float, float]
    f1: float


@dataclass(frozen=True)
class Bin:
    """Predictions whose largest probability fell into (low, high]: said against done."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float
    interval: tuple[float, float]


def confusion(targets: Ints, predicted: Ints, n_classes: int) -> npt.NDArray[np.int64]:
    """(C, C) counts, row: given label, column: prediction."""
    from sklearn.metrics import confusion_matrix

    return np.asarray(confusion_matrix(targets, predicted, labels=np.arange(n_classes)))


def class_scores(matrix: npt.NDArray[np.int64], names: Sequence[str]) -> tuple[ClassScore, ...]:
    """Recall, precision and F1 of every class; NaN where nothing was counted."""
    from sklearn.metrics import precision_recall_fscore_support

    given, said = np.indices(matrix.shape).reshape(2, -1)
    precision, recall, f1, _ = precision_recall_fscore_support(
        given, said, labels=np.arange(len(matrix)), sample_weight=matrix.ravel(),
        zero_division=np.nan,
    )  # fmt: skip
    return tuple(
        ClassScore(
            name, int(n), int(m), float(recall[k]), wilson(int(hits), int(n)),
            float(precision[k]), wilson(int(hits), int(m)), float(f1[k]) if n + m else math.nan,
        )
        for k, (name, hits, n, m) in enumerate(
            zip(names, np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0), strict=True)
        )
    )  # fmt: skip


def reliability(
    probabilities: Floats, targets: Ints, n_bins: int = 10
) -> tuple[tuple[Bin, ...], float]:
    """Bins of equal width over the largest probability, and the expected calibration error.

    probabilities (n, C); empty bins are left out. The error is the mean of |confidence -
    accuracy| over samples (Naeini et al. 2015; Guo et al. 2017).
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == targets
    edges = np.linspace(0, 1, n_bins + 1)
    place = np.clip(np.ceil(confidence * n_bins).astype(np.int64) - 1, 0, n_bins - 1)
    bins = []
    for i in np.unique(place):
        here = place == i
        n, hits = int(here.sum()), int(right[here].sum())
        bins.append(Bin(
            float(edges[i]), float(edges[i + 1]), n, float(confidence[here].mean()), hits / n,
            wilson(hits, n),
        ))  # fmt: skip
    total = sum(b.n for b in bins)
    error = sum(b.n * abs(b.confidence - b.accuracy) for b in bins) / total if total else 0.0
    return tuple(bins), error


def losses(probabilities: Floats, targets: Ints) -> npt.NDArray[np.float64]:
    """(n,) cross-entropy of each prediction in nats."""
    p = np.asarray(probabilities, np.float64)[np.arange(len(targets)), targets]
    return np.asarray(-np.log(np.maximum(p, SMALLEST)))


def top_losses(probabilities: Floats, targets: Ints, most: int) -> npt.NDArray[np.int64]:
    """Positions of the `most` largest losses, worst first; ties by position."""
    return np.argsort(-losses(probabilities, targets), kind="stable")[:most]
