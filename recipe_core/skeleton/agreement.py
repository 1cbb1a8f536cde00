"""How well do people agree with the labels, with themselves, and with a net? With intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recipe_core.kernel.intervals import wilson

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Share:
    """A share counted on n samples, with its 95 % interval."""

    value: float
    low: float
    high: float
    n: int


def accuracy(given: Codes, said: Codes) -> Share:
    """How often `said` is `given`, both (n,) codes; Wilson's interval. NaN at n = 0."""
    n, right = len(given), int((given == said).sum())
    low, high = wilson(right, n)
    return Share(right / n if n else math.nan, low, high, n)


def kappa(one: Codes, other: Codes) -> Share:
    """Cohen's kappa (1960, Educ. Psychol. Meas. 20, 37) of two passes over the same samples.

    kappa = (p_o - p_e) / (1 - p_e): agreement beyond the p_e that the two would reach by chance.
    The interval is Wilson's of p_o put through the same formula: unlike kappa ± 1.96 standard
    errors (Fleiss, Cohen & Everitt 1969) it does not shrink to nothing at full agreement. Its
    coverage is tested. NaN (and 0 … 1) where both passes know one answer only, or at n = 0.
    """
    n = len(one)
    if n == 0:
        return Share(math.nan, 0.0, 1.0, 0)
    chance = _by_chance(one, other)
    agreed = int((one == other).sum())
    if chance >= 1:
        return Share(math.nan, 0.0, 1.0, n)
    low, high = wilson(agreed, n)
    value, low, high = ((p - chance) / (1 - chance) for p in (agreed / n, low, high))
    return Share(value, max(-1.0, low), min(1.0, high), n)


def _by_chance(one: Codes, other: Codes) -> float:
    both, n = np.concatenate([one, other]), len(one)
    _, codes = np.unique(both, return_inverse=True)
    counts = [np.bincount(half, minlength=codes.max() + 1) for half in (codes[:n], codes[n:])]
    return float(np.dot(*counts)) / (n * n)


def confusion(given: Codes, said: Codes, n_classes: int) -> npt.NDArray[np.int64]:
    """(n_classes, n_classes + 1) counts: label down, answer across, last: cannot tell (-1)."""
    counts = np.zeros((n_classes, n_classes + 1), np.int64)
    np.add.at(counts, (given, np.where(said < 0, n_classes, said)), 1)
    return counts


def sign_test(first_alone: int, second_alone: int) -> float:
    """Two-sided p of McNemar's exact test: of the samples that one of two alone got right, so many
    went to the first; 1 where there are none (binomial with one half)."""
    n, k = first_alone + second_alone, min(first_alone, second_alone)
    tail: float = sum(math.comb(n, i) for i in range(k + 1)) / 2**n
    return min(1.0, 2 * tail)
