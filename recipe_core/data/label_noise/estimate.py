"""How many labels are wrong, and how sure are we? Calibrated on the user's own pictures.

The noise model's rate has an error of its own: a weak classifier lets it see too much or too
little. So known wrong labels are planted, the classifier answers anew, and what the model then says
is compared with what was planted:

    alike     as the model believes the labels came about: true ones drawn, wrong ones by its
              matrix; twice it believes anew, at the rate that those planted so far lead to
    directed  on pictures that neighbours disagree about, to the class that they vote for: the
              mistakes that people make, on hard pictures, of which less is seen

The mean error of the first corrects the rate; its spread and that of a bootstrap over samples make
the interval; how much less is seen of the second stretches its upper end, what may be confusion its
lower end, and where two noise models are as likely it holds what both say. The first also teach
what tells a wrong label from a right one (signs.py): the score of each sample.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.stats import mannwhitneyu

from recipe_core.data.label_noise.joined import with_copies, with_training
from recipe_core.data.label_noise.model import (
    SPREADS,
    Choice,
    Fitted,
    Priors,
    chosen,
    fitted,
    shares,
    with_rate,
)
from recipe_core.data.label_noise.signs import MOST_LEARNED, Answers, Weights, learned, seen
from recipe_core.kernel.progress import Progress

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

REPEATS = 16
MENDED_AT, MOST = (3, 6), 0.8
"""Repeats before which what the first ones showed is believed: errors grow with the noise, so they
are measured where the rate lies, not where the uncorrected model puts it (indirect inference:
Gourieroux, Monfort and Renault 1993)."""
DIRECTED_REPEATS = 4
BOOTSTRAPS = 20
AGAIN = 40
"""Steps of a fit that starts from a nearby one."""
LEAST_PLANTED = 0.01
PLANTED = 0.1
"""Share of the labels that the directed repeats make wrong."""
T_95 = 2.26
"""97.5 % quantile of Student's t with 9 degrees of freedom: REPEATS after the last mending."""
LEAST_RESPONSE = 0.5
"""The smallest response that stretches the interval: mistakes planted by the neighbours' votes are
the hardest there are, people's are easier."""
MOST_CONFUSED = 0.03
"""So much confusion can pass for wrong labels: of CIFAR-10's test labels about 0.5 % are wrong, and
2.3 % seem so to a noise model with rates for pairs."""
MOST_HIDDEN = 0.15
"""The share of all labels that may be mistakes of that kind beyond those that were seen; the
noisiest set labelled by people that is published has 40 % wrong (CIFAR-10N "worst", Wei et al.
2022), of which easy ones are the most."""


@dataclass(frozen=True)
class Estimate:
    """What is known about the labels of n samples of c classes.

    wrong      (n,) float32 P(the given label is wrong)
    suggested  (n,) int64 the given class, or where it is more probably wrong than right the most
               probable other one
    matrix     (c, c) float64 P(given j | true i)
    rate, low, high    share of wrong labels, 95 % interval
    by_class   (c, 3) rate, low, high among the labels given as each class
    response   share of planted, directed mistakes that the estimate saw
    bias       what the estimate says too much where it is right about everything else
    found      (k,) float64 AUROC of finding planted labels, one a repeat
    agreement  share of given labels that the classifier would have given
    """

    wrong: Floats
    suggested: Codes
    matrix: Doubles
    rate: float
    low: float
    high: float
    by_class: Doubles
    response: float
    bias: float
    found: Doubles
    agreement: float


def estimate(
    answers: Answers, votes: Answers, labels: Codes, *, seed: int, progress: Progress,
    same: Codes | None = None, doubt: Doubles | None = None,
) -> Estimate:  # fmt: skip
    """The estimate for these labels.

    answers  see Answers
    votes    the same for a sample's neighbours: their mean shares of each class, (n, c)
    labels   (n,) int64 0 … c - 1, every class present
    same     (n,) equal numbers for copies of one picture: those labelled differently are joined
    doubt    (n,) a training run's doubts, see joined.py

    Raises whatever `progress` raises to stop.
    """
    rng = np.random.default_rng(seed)
    steps = REPEATS + DIRECTED_REPEATS + BOOTSTRAPS + 2
    progress("fitting the noise model", 0, steps)
    asked = shares(labels, int(labels.max()) + 1)
    said = answers(asked)
    choice = chosen(said, labels, rng)
    first, priors = choice.fit, choice.priors
    raw = float(first.wrong(labels).mean())
    believed = first
    planted: list[_Planted] = []
    for i in range(REPEATS):
        progress("planting wrong labels", 1 + i, steps)
        if i in MENDED_AT:
            rate = float(np.clip(raw - np.mean([p.error[0] for p in planted]), LEAST_PLANTED, MOST))
            believed = with_rate(said, labels, first, rate, priors)
            planted = []
        teaches = i >= MENDED_AT[-1]  # what the repeats before showed is not kept
        planted.append(_planted_alike(answers, votes, first, believed, priors, rng, teaches))
    near = votes(asked)
    responses = []
    for i in range(DIRECTED_REPEATS):
        progress("planting wrong labels", 1 + REPEATS + i, steps)
        responses.append(_response(answers, near, first, priors, labels, raw, rng))
    samples = []
    for i in range(BOOTSTRAPS):
        progress("drawing samples again", 1 + REPEATS + DIRECTED_REPEATS + i, steps)
        weights = rng.poisson(1.0, len(labels)).astype(np.float64)
        again = fitted(said, labels, weights=weights, start=first.state, priors=priors,
                       iterations=AGAIN)  # fmt: skip
        samples.append(_rates(again, labels, weights))
    progress("weighing the signs", steps - 1, steps)
    looked = seen(answers, votes, labels, said, first, priors)
    score = _weights(planted)
    known = with_copies(looked.again, labels, same) if same is not None else looked.again
    joined = (known.true != looked.again.true).any(1)
    wrong = np.where(joined, known.wrong(labels), score.wrong(looked.signs))
    wrong = with_training(wrong, np.empty(0) if doubt is None else doubt)
    concluded = _concluded(choice, said, labels, np.array([p.error for p in planted]),
                           _found(planted), float(np.mean(responses)),
                           np.array(samples))  # fmt: skip
    return _scored(concluded, wrong, known, labels)


def _rates(fit: Fitted, labels: Codes, weights: Doubles | None = None) -> Doubles:
    """(1 + c,) the rate over all, and of the labels given as each class."""
    wrong = fit.wrong(labels).astype(np.float64)
    w = np.ones(len(labels)) if weights is None else weights
    c = fit.clean.shape[1]
    sums = np.bincount(labels, wrong * w, c) / np.maximum(np.bincount(labels, w, c), 1e-9)
    return np.concatenate([[float((wrong * w).sum() / w.sum())], sums])


def _drawn(rows: Floats | Doubles, rng: np.random.Generator) -> Codes:
    """(n,) one class from each row of probabilities."""
    sums = rows.cumsum(1, dtype=np.float64)
    sums /= sums[:, -1:]
    return np.asarray((sums > rng.random((len(rows), 1))).argmax(1), np.int64)


@dataclass(frozen=True)
class _Planted:
    """What one repeat showed.

    error  (1 + c,) rates said less rates planted
    signs  (k, signs) float32 of at most MOST_LEARNED labels, of none where it does not teach
    wrong  (k,) which of these are planted
    """

    error: Doubles
    signs: Floats
    wrong: Bools


def _planted_alike(
    answers: Answers, votes: Answers, first: Fitted, believed: Fitted, priors: Priors,
    rng: np.random.Generator, teaches: bool,
) -> _Planted:  # fmt: skip
    """Wrong labels planted where the model is true by making.

    True labels are drawn from what the model believes, noise anew from its matrix.
    """
    true = _drawn(believed.true, rng)
    given = _with_every_class(_drawn(_at_least(believed.matrix)[true], rng), true)
    c = len(first.matrix)
    said, fit = _anew(answers, given, first, priors)
    wrong = given != true
    made = np.bincount(given, wrong, c) / np.maximum(np.bincount(given, minlength=c), 1)
    error = _rates(fit, given) - np.concatenate([[wrong.mean()], made])
    some = rng.permutation(len(given))[:MOST_LEARNED]
    if not teaches:
        return _Planted(error, np.empty((0, 0), np.float32), np.empty(0, bool))
    signs = seen(answers, votes, given, said, fit, priors).signs
    return _Planted(error, signs[some], wrong[some])


def _anew(answers: Answers, given: Codes, first: Fitted, priors: Priors) -> tuple[Floats, Fitted]:
    """What classifiers fitted to other labels say, and the noise model over it."""
    said = answers(shares(given, len(first.matrix)))
    return said, fitted(said, given, start=first.state, priors=priors, iterations=2 * AGAIN)


def _weights(planted: list[_Planted]) -> Weights:
    return learned([p.signs for p in planted], [p.wrong for p in planted])


def _found(planted: list[_Planted]) -> Doubles:
    """(k,) AUROC of each repeat, its signs weighed as the repeats of the other half taught."""
    halves = planted[::2], planted[1::2]
    return np.array([
        auroc(score.wrong(p.signs), p.wrong)
        for score, asked in ((_weights(halves[0]), halves[1]), (_weights(halves[1]), halves[0]))
        for p in asked
    ])  # fmt: skip


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


def _response(
    answers: Answers, votes: Floats, first: Fitted, priors: Priors, labels: Codes, raw: float,
    rng: np.random.Generator,
) -> float:  # fmt: skip
    """The share of planted mistakes by which the rate rises, planted where neighbours disagree.

    Half of them by the votes for other classes, half on any picture: people err on both.
    """
    n = len(labels)
    others = votes + np.float32(0.02)
    others[np.arange(n), labels] = 0
    doubt = others.sum(1).astype(np.float64)
    share = 0.5 * doubt / doubt.mean() + 0.5
    right = 1 - first.wrong(labels).astype(np.float64)
    chosen = rng.random(n) < np.clip(PLANTED * share, 0, 0.9)
    given = _with_every_class(np.where(chosen, _drawn(others, rng), labels), labels)
    _, fit = _anew(answers, given, first, priors)
    made = float((right * (given != labels)).sum() / n)
    return (float(fit.wrong(given).mean()) - raw) / max(made, 1e-9)


def _unsure(fit: Fitted, labels: Codes, priors: Priors) -> Doubles:
    """(1 + c,) wrong labels that may be mere confusion, over all and among those given as each.

    Where pairs have rates of their own, all but the pair that a class loses most to may as well be
    what a classifier confuses: the lower end does not count up to MOST_CONFUSED of it. Where all
    pairs are one they are the noise itself: 0.
    """
    c = len(fit.matrix)
    if priors.spread != SPREADS[0]:
        return np.zeros(1 + c)
    away = fit.matrix * (1 - np.eye(c))
    away[np.arange(c), away.argmax(1)] = 0
    made = fit.true.mean(0).astype(np.float64) @ away
    made *= min(1.0, MOST_CONFUSED / max(float(made.sum()), 1e-9))
    given = np.bincount(labels, minlength=c) / len(labels)
    return np.concatenate([[made.sum()], made / given])


def _concluded(
    choice: Choice, said: Floats, labels: Codes, errors: Doubles, found: Doubles, response: float,
    samples: Doubles,
) -> Estimate:  # fmt: skip
    first = choice.fit
    raw = _rates(first, labels)
    other = _rates(choice.rival, labels) if choice.rival else raw
    bias = errors.mean(0)
    # the share of wrong labels among these samples is meant, not among all one might draw
    drawn = raw * (1 - raw) / np.concatenate([[len(labels)], np.bincount(labels)])
    unstable = np.maximum(samples.var(0, ddof=1) - drawn, 0)
    spread = np.sqrt(errors.var(0, ddof=1) * (1 + 1 / len(errors)) + unstable)
    corrected = np.clip(raw - bias, 0, 1)
    lowest = np.minimum(raw, corrected) - _unsure(first, labels, choice.priors)
    low = np.clip(np.minimum(lowest, other) - T_95 * spread, 0, 1)
    seen = float(np.clip(response, LEAST_RESPONSE, 1))
    hidden = np.minimum(corrected * (1 / seen - 1), MOST_HIDDEN)
    high = np.maximum(np.maximum(raw, other), corrected + hidden) + T_95 * spread
    # nothing found among n says no more than this (rule of three, Hanley and Lippman-Hand 1983)
    counts = np.concatenate([[len(labels)], np.bincount(labels)])
    high = np.clip(np.maximum(high, 3 / counts / seen), 0, 1)
    c = len(first.matrix)
    return Estimate(
        wrong=first.wrong(labels),
        suggested=labels,
        matrix=first.matrix,
        rate=float(corrected[0]),
        low=float(low[0]),
        high=float(high[0]),
        by_class=np.stack([corrected, low, high], 1)[1:],
        response=response,
        bias=float(bias[0]),
        found=found,
        agreement=float((said[:, :c].argmax(1) == labels).mean()),
    )


def _scored(found: Estimate, wrong: Floats, known: Fitted, labels: Codes) -> Estimate:
    """The estimate with a score for each sample, on the mean of the rate."""
    wrong = _rescaled(wrong, found.rate)
    others = known.true.copy()
    others[np.arange(len(labels)), labels] = -1
    suggested = np.where(wrong > 0.5, others.argmax(1), labels).astype(np.int64)
    return replace(found, wrong=wrong, suggested=suggested)


def _rescaled(wrong: Floats, corrected: float) -> Floats:
    """The same order, odds moved by one factor so that the mean is the corrected rate."""
    if wrong.mean() <= 0 or corrected <= 0:
        return np.asarray(np.clip(wrong, 0, 1), np.float32)
    odds = np.clip(wrong, 1e-7, 1 - 1e-7).astype(np.float64)
    odds /= 1 - odds
    low, high = -12.0, 12.0
    for _ in range(40):
        middle = (low + high) / 2
        moved = odds * np.exp(middle)
        low, high = (middle, high) if (moved / (1 + moved)).mean() < corrected else (low, middle)
    moved = odds * np.exp(low)
    return np.asarray(moved / (1 + moved), np.float32)


def auroc(score: npt.NDArray[np.floating], positive: npt.NDArray[np.bool_]) -> float:
    """Area under the ROC curve, from Mann and Whitney's U; NaN where all are alike."""
    n = int(positive.sum())
    if n in (0, len(positive)):
        return float("nan")
    u = mannwhitneyu(score[positive], score[~positive]).statistic
    return float(u / (n * (len(positive) - n)))
