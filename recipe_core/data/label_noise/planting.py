"""What is seen of wrong labels that are known, because we made them?

Two kinds are planted; the classifiers answer anew, and the noise model over their answers says how
many it sees. What speaks against them teaches what tells a wrong label (signs.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recipe_core.data.label_noise.model import Fitted, Priors, fitted, shares
from recipe_core.data.label_noise.signs import (
    MOST_LEARNED,
    SURE,
    Answers,
    Weights,
    learned,
    seen,
)

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

AGAIN = 80
"""Steps of a fit to other labels, from the fit to the given ones."""
LEAST_PLANTED = 0.01
PLANTED = 0.1
"""Share of the labels that doubtful mistakes are made of."""


@dataclass(frozen=True)
class Taught:
    """What planted labels teach.

    signs  (k, signs) float32 of at most MOST_LEARNED labels, of none where they do not teach
    wrong  (k,) which of these are planted
    """

    signs: Floats
    wrong: Bools


@dataclass(frozen=True)
class Alike(Taught):
    """error  (1 + c,) rates said less rates planted, see `rates`"""

    error: Doubles


@dataclass(frozen=True)
class Doubtful(Taught):
    """response  share of the planted mistakes by which the rate rose"""

    response: float


@dataclass(frozen=True)
class Planter:
    """Plants among n samples of c classes.

    answers, votes  see `estimate.estimate`
    first           the noise model of the given labels, fitted under `priors`
    """

    answers: Answers
    votes: Answers
    first: Fitted
    priors: Priors
    rng: np.random.Generator

    def alike(self, believed: Fitted, teaches: bool) -> Alike:
        """Wrong labels planted where the model is true by making.

        True labels are drawn from what the model believes, noise anew from its matrix.
        """
        true = drawn(believed.true, self.rng)
        noisy = drawn(_at_least(believed.matrix)[true], self.rng)
        given = _with_every_class(noisy, true)
        c = len(self.first.matrix)
        said, fit = self._anew(given)
        wrong = given != true
        made = np.bincount(given, wrong, c) / np.maximum(np.bincount(given, minlength=c), 1)
        error = rates(fit, given) - np.concatenate([[wrong.mean()], made])
        some = self.rng.permutation(len(given))[:MOST_LEARNED]
        if not teaches:
            return Alike(np.empty((0, 0), np.float32), np.empty(0, bool), error)
        signs = seen(self.answers, self.votes, given, said, fit, self.priors).signs
        return Alike(signs[some], wrong[some], error)

    def doubtful(self, labels: Codes) -> Doubtful:
        """Mistakes planted where the classifier is unsure, as it would make them.

        Only labels that the model believes right are chosen: on a wrong one another class may be
        the right one. Of the others those believed right teach what a right one looks like.
        """
        n = len(labels)
        others = self.first.clean.astype(np.float64) + SURE
        others[np.arange(n), labels] = 0
        believed = self.first.wrong(labels).astype(np.float64)
        doubt = others.sum(1) * (1 - believed)
        chosen = self.rng.random(n) < np.clip(PLANTED * doubt / doubt.mean(), 0, 0.9)
        mistaken = np.where(chosen, drawn(others, self.rng), labels)
        given = _with_every_class(mistaken, labels)
        said, fit = self._anew(given)
        wrong = given != labels
        made = float(((1 - believed) * wrong).sum() / n)
        response = float(fit.wrong(given).mean() - believed.mean()) / max(made, 1e-9)
        signs = seen(self.answers, self.votes, given, said, fit, self.priors).signs
        known = np.flatnonzero(wrong | (believed < 0.5))
        some = self.rng.permutation(known)[:MOST_LEARNED]
        return Doubtful(signs[some], wrong[some], response)

    def _anew(self, given: Codes) -> tuple[Floats, Fitted]:
        """What classifiers fitted to other labels say, and the noise model over it."""
        said = self.answers(shares(given, len(self.first.matrix)))
        fit = fitted(said, given, start=self.first.state, priors=self.priors, iterations=AGAIN)
        return said, fit


def weights(planted: Sequence[Taught]) -> Weights:
    """How much each sign counts against labels of this kind."""
    return learned([p.signs for p in planted], [p.wrong for p in planted])


def rates(fit: Fitted, labels: Codes, weights: Doubles | None = None) -> Doubles:
    """(1 + c,) share of wrong labels over all, and of the labels given as each class."""
    wrong = fit.wrong(labels).astype(np.float64)
    w = np.ones(len(labels)) if weights is None else weights
    c = fit.clean.shape[1]
    sums = np.bincount(labels, wrong * w, c) / np.maximum(np.bincount(labels, w, c), 1e-9)
    return np.concatenate([[float((wrong * w).sum() / w.sum())], sums])


def drawn(rows: Floats | Doubles, rng: np.random.Generator) -> Codes:
    """(n,) one class from each row of probabilities."""
    sums = rows.cumsum(1, dtype=np.float64)
    sums /= sums[:, -1:]
    return np.asarray((sums > rng.random((len(rows), 1))).argmax(1), np.int64)


def _at_least(matrix: Doubles) -> Doubles:
    """The matrix with at least LEAST_PLANTED wrong labels in every class: none teach nothing."""
    c = len(matrix)
    lacking = np.clip(LEAST_PLANTED - (1 - np.diag(matrix)), 0, None)
    even = (1 - np.eye(c)) / (c - 1)
    return np.asarray(matrix * (1 - lacking[:, None]) + lacking[:, None] * even)


def _with_every_class(given: Codes, true: Codes) -> Codes:
    """A class that drew no label at all keeps its own."""
    lost = ~np.isin(true, given)
    return np.where(lost, true, given)
