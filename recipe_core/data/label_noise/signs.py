"""What speaks against a label, and how much does each sign count? Learned where the truth is known.

One sign alone is blind to something: the noise model to what its matrix cannot say, a margin to
which classes are confused, a vote to all but the nearest. Planted labels are known to be wrong, so
their signs, beside those of labels that were left, tell how much each of them counts: a logistic
regression, whose answer is the probability that a label is wrong.

The classifiers are asked twice: fitted to the given labels, and fitted to what the noise model then
believes of them (one step of expectation maximisation), so that mistakes teach them less.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from recipe_core.data.label_noise.model import Fitted, Priors, fitted, shares

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

Answers = Callable[[Floats], Floats]
"""(n, c) float32 shares of each class in each sample's label, rows sum to 1 -> (n, m) float32: what
classifiers fitted to them say of each sample unseen, c columns for each classifier."""

MOST_LEARNED = 20_000
"""Samples of each repeat that the weights are learned from: they are a few dozen numbers."""
LEAST_WRONG = 30
"""Planted wrong labels below which no weights are learned and the noise model decides alone."""
PENALTY = 1.0
SURE = 1e-7
FITTED_AGAIN = 80
"""Steps of the second fit, which starts from the first."""


@dataclass(frozen=True)
class Seen:
    """What is seen of n labels.

    signs  (n, k) float32, larger or smaller where a label is doubtful
    again  the noise model over the classifiers' second answers
    """

    signs: Floats
    again: Fitted


def seen(
    answers: Answers, votes: Answers, labels: Codes, said: Floats, fit: Fitted, priors: Priors
) -> Seen:
    """The signs of labels, from the classifiers' first answers `said` and their second.

    The second rest on what is believed of the other folds, and that on this fold's labels: a faint
    echo of the label in question, which planted labels meet alike and the weights allow for.
    """
    more = answers(fit.true)
    again = fitted(more, labels, start=fit.state, priors=priors, iterations=FITTED_AGAIN)
    near = votes(shares(labels, fit.clean.shape[1]))
    columns = [*_signs(said, labels, fit), *_signs(more, labels, again), *_of(near, labels)]
    return Seen(np.stack(columns, 1).astype(np.float32), again)


def _signs(said: Floats, labels: Codes, fit: Fitted) -> list[Floats]:
    c = fit.clean.shape[1]
    wrong = np.clip(fit.wrong(labels).astype(np.float64), SURE, 1 - SURE)
    clean = np.log(fit.clean + SURE)
    own, best, _ = _of(clean, labels)
    # confident learning asks how sure of a class one is of its own pictures
    usual = np.bincount(labels, own, c) / np.maximum(np.bincount(labels, minlength=c), 1)
    unsure = -(fit.clean * clean).sum(1)
    columns = [np.log(wrong / (1 - wrong)), own, best, own - usual[labels], unsure]
    for start in range(0, said.shape[1], c):
        columns += _of(said[:, start : start + c], labels)
    return columns


def _of(values: Floats, labels: Codes) -> list[Floats]:
    """Of a column per class: the given class's, the best other's, how many surpass it (log)."""
    rows = np.arange(len(labels))
    own = values[rows, labels]
    others = values.copy()
    others[rows, labels] = -np.inf
    before = (values > own[:, None]).sum(1)
    return [own, others.max(1), np.log1p(before).astype(np.float32)]


@dataclass(frozen=True)
class Weights:
    """How much each sign counts: P(wrong) = 1 / (1 + exp(-(signs - middle) @ slope - offset))."""

    middle: Doubles
    slope: Doubles
    offset: float

    def wrong(self, signs: Floats) -> Floats:
        """(n,) float32 P(the label is wrong)."""
        z = (signs - self.middle) @ self.slope + self.offset
        return np.asarray(1 / (1 + np.exp(-np.clip(z, -30, 30))), np.float32)


def learned(signs: Sequence[Floats], wrong: Sequence[Bools]) -> Weights:
    """The weights under which planted labels are told from those that were left.

    signs  (n, k) of each repeat, `wrong` (n,) which of its labels were planted
    """
    x, y = np.concatenate(signs).astype(np.float64), np.concatenate(wrong)
    if min(y.sum(), (~y).sum()) < LEAST_WRONG:
        first = np.zeros(x.shape[1])
        first[0] = 1  # the noise model's own log odds
        return Weights(np.zeros(x.shape[1]), first, 0.0)
    middle, spread = x.mean(0), np.maximum(x.std(0), 1e-9)
    model = LogisticRegression(C=PENALTY, max_iter=300).fit((x - middle) / spread, y)
    return Weights(middle, model.coef_[0] / spread, float(model.intercept_[0]))
