"""The classifiers of the measure, asked about vectors that a test made."""

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
