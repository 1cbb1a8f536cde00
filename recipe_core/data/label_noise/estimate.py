"""How many labels are wrong, and how sure are we? Calibrated on the user's own pictures.

The noise model's rate has an error of its own: a weak classifier lets it see too much or too
little. So known wrong labels are planted, the classifier answers anew, and what the model then says
is compared with what was planted:

    alike     as the model believes the labels came about: true ones drawn, wrong ones by its
              matrix; twice it believes anew, at the rate that those planted so far lead to
    doubtful  on pictures that the classifier is unsure of, to a class it thinks of: mistakes that
              people make too, and that nothing tells from the classifier's own confusion

The mean error of the first corrects the rate; its spread and that of a bootstrap over samples make
the interval; what is not seen of the second stretches its upper end, what may be confusion its
lower end, and where several noise models are as likely it holds what all say. Each kind teaches
what tells a wrong label from a right one (signs.py); the score of a sample is the chance of either.
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
from recipe_core.data.label_noise.planting import (
    LEAST_PLANTED,
    Alike,
    Doubtful,
    Planter,
    rates,
    weights,
)
from recipe_core.data.label_noise.signs import SURE, Answers, seen
from recipe_core.kernel.progress import Progress

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

REPEATS = 16
MENDED_AT, MOST = (3, 6), 0.8
"""Repeats before which what the first ones showed is believed: errors grow with the noise, so they
are measured where the rate lies, not where the uncorrected model puts it (indirect inference:
Gourieroux, Monfort and Renault 1993)."""
DOUBTFUL_REPEATS = 4
BOOTSTRAPS = 20
STEPS = 40
"""Of a fit that starts from a nearby one."""
DOUBTFUL = 0.02
"""The share of labels that are believed to be doubtful mistakes, which leave no trace in the rate:
it decides the order where little else is wrong. 0.5 % of CIFAR-10's test labels, which experts gave
(Northcutt, Athalye and Mueller 2021), 7 % where most of three people decide (see MOST_HIDDEN)."""
T_95 = 2.26
"""97.5 % quantile of Student's t with 9 degrees of freedom: REPEATS after the last mending."""
MOST_CONFUSED = 0.03
"""So much confusion can pass for wrong labels: of CIFAR-10's test labels about 0.5 % are wrong, and
2.3 % seem so to a noise model with rates for pairs."""
MOST_HIDDEN = 0.15
"""The share of all labels that may be doubtful mistakes. Of CIFAR-10N (Wei et al. 2022) one person
errs on 18 % of the pictures, one of three on 40 %, most of them on 9 %: as if all erred every other
time on 15 % of the pictures and on 12 % of the others, which makes 7, 13 and 7 points of doubt."""


@dataclass(frozen=True)
class Estimate:
    """What is known about the labels of n samples of c classes.

    wrong      (n,) float32 P(the given label is wrong)
    suggested  (n,) int64 the given class, or where it is more probably wrong than right the most
               probable other one
    matrix     (c, c) float64 P(given j | true i)
    rate, low, high    share of wrong labels, 95 % interval
    by_class   (c, 3) rate, low, high among the labels given as each class
    response   share of planted doubtful mistakes that the estimate saw, below 0: they hid others
    hidden     share of all labels by which these raise `high`
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
    hidden: float
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
    steps = REPEATS + DOUBTFUL_REPEATS + BOOTSTRAPS + 2
    progress("fitting the noise model", 0, steps)
    said = answers(shares(labels, int(labels.max()) + 1))
    choice = chosen(said, labels, rng)
    first, priors = choice.fit, choice.priors
    raw = float(first.wrong(labels).mean())
    planter = Planter(answers, votes, first, priors, rng)
    believed = first
    planted: list[Alike] = []
    for i in range(REPEATS):
        progress("planting wrong labels", 1 + i, steps)
        if i in MENDED_AT:
            rate = float(np.clip(raw - np.mean([p.error[0] for p in planted]), LEAST_PLANTED, MOST))
            believed = with_rate(said, labels, first, rate, priors)
            planted = []
        teaches = i >= MENDED_AT[-1]  # what the repeats before showed is not kept
        planted.append(planter.alike(believed, teaches))
    doubtful: list[Doubtful] = []
    for i in range(DOUBTFUL_REPEATS):
        progress("planting wrong labels", 1 + REPEATS + i, steps)
        doubtful.append(planter.doubtful(labels))
    samples = []
    for i in range(BOOTSTRAPS):
        progress("drawing samples again", 1 + REPEATS + DOUBTFUL_REPEATS + i, steps)
        counted = rng.poisson(1.0, len(labels)).astype(np.float64)
        again = fitted(said, labels, weights=counted, start=first.state, priors=priors,
                       iterations=STEPS)  # fmt: skip
        samples.append(rates(again, labels, counted))
    progress("weighing the signs", steps - 1, steps)
    concluded = _concluded(choice, said, labels, np.array([p.error for p in planted]),
                           _found(planted), float(np.mean([p.response for p in doubtful])),
                           np.array(samples))  # fmt: skip
    looked = seen(answers, votes, labels, said, first, priors)
    wrong = _either(
        _rescaled(weights(planted).wrong(looked.signs), max(concluded.rate, SURE)),
        _rescaled(weights(doubtful).wrong(looked.signs), DOUBTFUL),
    )
    known = with_copies(looked.again, labels, same) if same is not None else looked.again
    joined = (known.true != looked.again.true).any(1)
    wrong = np.where(joined, known.wrong(labels), wrong)
    wrong = with_training(wrong, np.empty(0) if doubt is None else doubt)
    return _scored(concluded, wrong, known, labels)


def _either(one: Floats, other: Floats) -> Floats:
    return np.asarray(1 - (1 - one) * (1 - other), np.float32)


def _found(planted: list[Alike]) -> Doubles:
    """(k,) AUROC of each repeat, its signs weighed as the repeats of the other half taught."""
    halves = planted[::2], planted[1::2]
    return np.array([
        auroc(score.wrong(p.signs), p.wrong)
        for score, asked in ((weights(halves[0]), halves[1]), (weights(halves[1]), halves[0]))
        for p in asked
    ])  # fmt: skip


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


def _room(fit: Fitted, labels: Codes) -> Doubles:
    """(1 + c,) doubtful mistakes that there can be, over all and among the labels given as each.

    Were both the true class and the label drawn from what the classifier believes, so many would
    differ; at most MOST_HIDDEN.
    """
    differ = 1 - np.square(fit.clean.astype(np.float64)).sum(1)
    by_class = np.bincount(labels, differ) / np.bincount(labels)
    room = np.concatenate([[differ.mean()], by_class])
    return np.asarray(np.minimum(room, MOST_HIDDEN), np.float64)


def _hidden(response: float, seen: Doubles, room: Doubles) -> Doubles:
    """(1 + c,) by how much doubtful mistakes may raise the rates.

    Of a share h of them `response` h is seen already; below 0 they hide other mistakes as well, as
    they teach the classifier to doubt. Nor are there more than `room`, or than would be seen.
    """
    most = seen / response if response > 0 else np.full_like(room, np.inf)
    return np.asarray(max(1 - response, 0) * np.minimum(most, room), np.float64)


def _concluded(
    choice: Choice, said: Floats, labels: Codes, errors: Doubles, found: Doubles, response: float,
    samples: Doubles,
) -> Estimate:  # fmt: skip
    first = choice.fit
    raw = rates(first, labels)
    others = np.stack([raw, *(rates(rival, labels) for rival in choice.rivals)])
    bias = errors.mean(0)
    counts = np.concatenate([[len(labels)], np.bincount(labels)])
    # the share of wrong labels among these samples is meant, not among all one might draw
    drawn = raw * (1 - raw) / counts
    unstable = np.maximum(samples.var(0, ddof=1) - drawn, 0)
    spread = np.sqrt(errors.var(0, ddof=1) * (1 + 1 / len(errors)) + unstable)
    corrected = np.clip(raw - bias, 0, 1)
    lowest = np.minimum(raw, corrected) - _unsure(first, labels, choice.priors)
    low = np.clip(np.minimum(lowest, others.min(0)) - T_95 * spread, 0, 1)
    hidden = _hidden(response, corrected + T_95 * spread, _room(first, labels))
    high = np.maximum(others.max(0), corrected + hidden) + T_95 * spread
    # nothing found among n says no more than this (rule of three, Hanley and Lippman-Hand 1983)
    high = np.clip(np.maximum(high, 3 / counts), 0, 1)
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
        hidden=float(hidden[0]),
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
