"""What else speaks against a label? A copy with another one, and what a training run went through.

Neither can be asked again with planted labels. Copies are joined inside the noise model, where they
are exact. A training run's signals are weighed against what the rest believes: how much more often
does a value occur among labels that are probably wrong than among the others? (area under the
margin: Pleiss et al. 2020; forgetting events: Toneva et al. 2019)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.stats import norm, rankdata

from recipe_core.data.label_noise.model import Fitted

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

SIGNALS = {"training_margin": -1.0, "forgetting_events": 1.0}
"""Columns of a training run -> the direction in which labels are doubtful."""
BINS = 10
PRIOR_COUNT = 5.0
"""As if so many samples more were seen in each bin, alike among right and wrong."""
TRUST = 0.5
"""The power of the likelihood ratio: a network doubts the same hard pictures as the rest does, and
what is said twice counts once. 1 would hold for signals that err independently."""
FEWEST = 200
"""Samples with signals below which no ratio is fitted."""


def with_copies(fit: Fitted, labels: Codes, same: Codes) -> Fitted:
    """The fit in which copies of one picture that are labelled differently share one true class.

    same  (n,) equal numbers for copies

    P(true k | copies) ~ P(k | picture) Π_i P(given_i | true k). Copies that agree say nothing:
    their labels mostly came in one stroke.
    """
    order = np.argsort(same, kind="stable")
    starts = np.flatnonzero(np.diff(same[order], prepend=same[order][:1] - 1))
    ends = np.append(starts[1:], len(order))
    true, noise = fit.true.copy(), np.log(fit.matrix + 1e-9)
    for a, b in zip(starts[ends - starts > 1], ends[ends - starts > 1], strict=True):
        members = order[a:b]
        if (labels[members] == labels[members[0]]).all():
            continue
        logs = np.log(fit.clean[members].astype(np.float64) + 1e-12).mean(0)
        logs += noise[:, labels[members]].sum(1)
        shared = np.exp(logs - logs.max())
        true[members] = shared / shared.sum()
    return replace(fit, true=true)


def doubts(columns: Mapping[str, Doubles]) -> Doubles:
    """(n,) how doubtful a training run found each label, as normal scores; NaN where unseen.

    columns  (n,) by name, those of SIGNALS count
    """
    found = [_scores(columns[name] * way) for name, way in SIGNALS.items() if name in columns]
    return np.mean(found, axis=0) if found else np.empty(0)


def _scores(values: Doubles) -> Doubles:
    known = np.isfinite(values)
    scores = np.full(len(values), np.nan)
    scores[known] = norm.ppf((rankdata(values[known]) - 0.5) / max(known.sum(), 1))
    return scores


def with_training(wrong: Floats, doubt: Doubles) -> Floats:
    """P(wrong) with a training run's doubts; the same where there are none.

    wrong  (n,) P(wrong) by everything else
    doubt  (n,) from `doubts`
    """
    known = np.flatnonzero(np.isfinite(doubt)) if len(doubt) else np.empty(0, np.int64)
    if len(known) < FEWEST or not 0 < wrong[known].sum() < len(known):
        return wrong
    believed = np.clip(wrong[known].astype(np.float64), 1e-7, 1 - 1e-7)
    middle, ratio = _ratios(believed, doubt[known])
    logit = np.log(believed / (1 - believed)) + TRUST * np.interp(doubt[known], middle, ratio)
    found = wrong.copy()
    found[known] = 1 / (1 + np.exp(-logit))
    return found


def _ratios(believed: Doubles, doubt: Doubles) -> tuple[Doubles, Doubles]:
    """Middles of bins of equal counts and log P(bin | wrong) / P(bin | right), (bins,) each.

    Equal values share a bin.
    """
    edges = np.unique(np.quantile(doubt, np.linspace(0, 1, BINS + 1)[1:-1]))
    place = np.searchsorted(edges, doubt, side="left")
    used, place, counts = np.unique(place, return_inverse=True, return_counts=True)
    prior = PRIOR_COUNT / len(used)
    share = [
        (np.bincount(place, w, len(used)) + prior) / (w.sum() + PRIOR_COUNT)
        for w in (believed, 1 - believed)
    ]
    middle = np.bincount(place, doubt, len(used)) / counts
    return middle, np.log(share[0] / share[1])
