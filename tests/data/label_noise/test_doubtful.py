"""Mistakes on pictures that a classifier is unsure of leave no trace: is that admitted?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from recipe_core.data.label_noise.estimate import (
    MOST_HIDDEN,
    Estimate,
    _hidden,
    auroc,
    estimate,
)
from recipe_core.data.label_noise.model import chosen, shares
from recipe_core.data.label_noise.planting import Planter
from recipe_core.kernel.progress import silent
from tests.data.label_noise.asked import classifiers, flipped

N, C = 1000, 4


@dataclass(frozen=True)
class Clouds:
    """Gaussian clouds: vectors (N, 8), true classes (N,), and the chances of the other classes,
    (N, C), which are known exactly here."""

    vectors: np.ndarray
    true: np.ndarray
    others: np.ndarray


@cache
def clouds(apart: float) -> Clouds:
    rng = np.random.default_rng(0)
    true = np.arange(N) % C
    middles = np.eye(C, 8) * apart
    vectors = (middles[true] + rng.normal(size=(N, 8))).astype(np.float32)
    log = -0.5 * np.square(vectors[:, None] - middles).sum(2)
    p = np.exp(log - log.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    p[np.arange(N), true] = 0
    return Clouds(vectors, true, p)


def mistaken(seen: Clouds, rate: float, seed: int) -> np.ndarray:
    """Labels of which a share is wrong, as one errs who knows the chances and nothing else."""
    rng, labels = np.random.default_rng(seed), seen.true.copy()
    some = np.argsort(-np.log(seen.others.sum(1) + 1e-12) - rng.gumbel(size=N))[: round(rate * N)]
    for i in some:
        labels[i] = rng.choice(C, p=seen.others[i] / seen.others[i].sum())
    return labels


def estimated(seen: Clouds, labels: np.ndarray) -> Estimate:
    answers, votes = classifiers(seen.vectors, seen.true)
    return estimate(answers, votes, labels, seed=0, progress=silent)


@pytest.mark.parametrize("rate", [0.05, 0.1])
def test_the_interval_holds_what_a_weak_classifier_cannot_see(rate: float) -> None:
    seen = clouds(1.7)
    found = estimated(seen, mistaken(seen, rate, 1))
    assert found.low <= rate <= found.high
    assert found.hidden > 0.05


def test_right_labels_are_not_accused_by_a_weak_classifier() -> None:
    seen = clouds(1.7)
    found = estimated(seen, seen.true)
    assert found.low < 0.005
    assert found.hidden <= MOST_HIDDEN


def test_a_strong_classifier_leaves_no_room_for_hidden_mistakes() -> None:
    seen = clouds(6.0)
    found = estimated(seen, seen.true)
    assert found.hidden < 0.01
    assert found.high < 0.02


def test_where_only_such_mistakes_are_they_come_first_as_far_as_they_can() -> None:
    """Nothing can tell them better than how improbable a label is."""
    seen = clouds(1.7)
    score, best = [], []
    for seed in range(2):
        labels = mistaken(seen, 0.1, seed)
        wrong = labels != seen.true
        others = seen.others.copy()
        others[np.arange(N), seen.true] = 1 - others.sum(1)
        score.append(auroc(estimated(seen, labels).wrong, wrong))
        best.append(auroc(-others[np.arange(N), labels], wrong))
    assert np.mean(score) > np.mean(best) - 0.05


def test_a_wrong_label_that_is_known_is_not_corrected_to_plant_a_mistake() -> None:
    """Else what is planted is the opposite of a mistake, and the rate falls."""
    seen = clouds(4.0)
    rng = np.random.default_rng(0)
    labels = flipped(seen.true, 0.1, rng)
    given: list[np.ndarray] = []
    answers, votes = classifiers(seen.vectors, labels)

    def noted(asked: np.ndarray) -> np.ndarray:
        given.append(asked.argmax(1))
        return answers(asked)

    choice = chosen(answers(shares(labels, C)), labels, rng)
    planter = Planter(noted, votes, choice.fit, choice.priors, rng)
    known = choice.fit.wrong(labels) > 0.9
    assert known.sum() > 0.05 * N
    planted, corrected = 0, 0
    for _ in range(4):
        given.clear()
        planter.doubtful(labels)
        changed = given[0] != labels
        planted += (changed & ~known).sum()
        corrected += (changed & known).sum()
    assert planted > 4 * 0.02 * N
    assert corrected < 0.05 * 4 * known.sum()


@pytest.mark.parametrize(
    ("response", "hidden"), [(0.9, 0.1 * 0.05 / 0.9), (0.0, 0.1), (-0.5, 0.15), (1.2, 0.0)]
)
def test_what_is_not_seen_is_what_there_may_be_less_what_is_seen_of_it(
    response: float, hidden: float
) -> None:
    """Of 10 % for which there is room, where 5 % are seen."""
    found = _hidden(response, np.array([0.05]), np.array([0.1]))
    assert found[0] == pytest.approx(hidden)
