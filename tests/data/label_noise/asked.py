"""The classifiers of the measure, asked about vectors of a test, and labels that it made wrong."""

from __future__ import annotations

import numpy as np

from recipe_core.data.label_noise.folds import stratified_folds
from recipe_core.data.label_noise.measure import NEIGHBOURS, answering, votes
from recipe_core.data.label_noise.signs import Answers
from recipe_core.data.label_noise.smoother import coarse, smoother
from recipe_core.images.neighbours import nearest


def classifiers(vectors: np.ndarray, true: np.ndarray) -> tuple[Answers, Answers]:
    """Answers and votes, see `estimate.estimate`; folds are those of the true classes."""
    folds = stratified_folds(true, np.arange(len(true)), 5, 0)
    near, _ = nearest(vectors, 30)
    few = near[:, :NEIGHBOURS]
    answers = answering((smoother(vectors, folds), *coarse(vectors, folds)), near)
    return answers, lambda shared: votes(few, shared)


def flipped(
    true: np.ndarray, share: float, seed: int | np.random.Generator, kind: str = "even"
) -> np.ndarray:
    """Labels of which a share went to any other class, or to the next (`cycle`)."""
    rng, labels = np.random.default_rng(seed), true.copy()
    some = rng.permutation(len(true))[: round(share * len(true))]
    c = int(true.max()) + 1
    labels[some] = (labels[some] + (1 if kind == "cycle" else rng.integers(1, c, len(some)))) % c
    return labels
