"""Does the noise model's slope match its value, and does it find noise that was planted exactly?"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.special import softmax

from recipe_core.data.label_noise.estimate import auroc
from recipe_core.data.label_noise.model import (
    SPREADS,
    Choice,
    Fitted,
    Priors,
    _Problem,
    chosen,
    fitted,
)


def drawn(n: int, c: int, matrix: np.ndarray, seed: int) -> tuple[np.ndarray, ...]:
    """Scores of a classifier, true classes drawn from them, given labels drawn by the matrix."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(n, c)) * 3
    p = np.exp(scores)
    p /= p.sum(1, keepdims=True)
    true = (p.cumsum(1) > rng.random((n, 1))).argmax(1)
    given = (matrix.cumsum(1)[true] > rng.random((n, 1))).argmax(1)
    return scores.astype(np.float32), true, given


def uniform(c: int, rate: float) -> np.ndarray:
    return (1 - rate) * np.eye(c) + rate / (c - 1) * (1 - np.eye(c))


@pytest.mark.parametrize("weighted", [False, True])
def test_the_slope_is_the_slope_of_the_value(weighted: bool) -> None:
    scores, _, given = drawn(200, 4, uniform(4, 0.2), 0)
    rng = np.random.default_rng(1)
    more = np.hstack([scores, rng.normal(size=(200, 2))]).astype(np.float32)
    weights = rng.poisson(1, 200).astype(float) if weighted else None
    problem = _Problem(more, given, weights, Priors(5.0, 0.3))
    problem.f = problem.f.astype(np.float64)
    problem.given = problem.given.astype(np.float64)
    neutral = problem.neutral(0.08)
    at = neutral + 0.1 * rng.normal(size=neutral.shape)
    numeric = approx_fprime(at, lambda v: problem.loss(v)[0], 1e-4)
    np.testing.assert_allclose(problem.loss(at)[1], numeric, atol=2e-4)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.3])
def test_uniform_noise_is_found_and_none_is_invented(rate: float) -> None:
    scores, true, given = drawn(3000, 5, uniform(5, rate), 2)
    found = fitted(scores, given)
    wrong = found.wrong(given)
    assert abs(wrong.mean() - (true != given).mean()) < 0.025
    assert np.abs(found.matrix - uniform(5, rate)).max() < 0.08


def test_noise_of_one_pair_is_told_from_confusion() -> None:
    matrix = np.eye(4)
    matrix[1, 1], matrix[1, 2] = 0.7, 0.3
    scores, true, given = drawn(4000, 4, matrix, 3)
    found = fitted(scores, given)
    assert abs(found.matrix[1, 2] - 0.3) < 0.08
    assert found.matrix[2, 1] < 0.05
    wrong = found.wrong(given)
    assert wrong[true != given].mean() > 4 * wrong[true == given].mean()


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_where_many_go_astray_in_a_circle_they_are_not_taken_for_confusion(seed: int) -> None:
    """From little noise alone the fit ends on a lower hill, where next to none is wrong."""
    matrix = 0.6 * np.eye(10) + 0.4 * np.roll(np.eye(10), 1, axis=1)
    scores, true, given = drawn(3000, 10, matrix, seed)
    learned = softmax(scores, 1) @ matrix  # what one says who has learned the given labels
    answers = learned + 0.05 * np.random.default_rng(seed).normal(size=learned.shape)
    found = fitted(answers.astype(np.float32), given, priors=Priors(30.0))
    assert abs(found.wrong(given).mean() - (true != given).mean()) < 0.05


def test_probabilities_are_calibrated() -> None:
    scores, true, given = drawn(8000, 5, uniform(5, 0.15), 4)
    wrong = fitted(scores, given).wrong(given)
    for low, high in ((0.0, 0.05), (0.05, 0.2), (0.2, 0.6), (0.6, 0.9), (0.9, 1.0)):
        some = (wrong >= low) & (wrong < high)
        assert abs(wrong[some].mean() - (true != given)[some].mean()) < 0.05


def test_many_classes_do_not_make_it_believe_its_own_fit() -> None:
    """With as many parameters as samples held-out likelihood must ask for stiff priors."""
    rng = np.random.default_rng(0)
    n, c = 1500, 30
    scores, true, given = drawn(n, c, uniform(c, 0.15), 5)
    seen = (scores + rng.normal(size=scores.shape)).astype(np.float32)
    found = chosen(seen, given, rng)
    assert found.priors.ridge > 10
    wrong = given != true
    own = seen[np.arange(n), given] - seen.max(1)
    assert auroc(found.fit.wrong(given), wrong) > auroc(-own, wrong) - 0.01


def test_a_second_model_stands_beside_where_samples_cannot_tell() -> None:
    """Few samples of a weak classifier, one pair of classes astray: either is as likely. Many of a
    good one: pairs need rates of their own, or all are one, and no second model is left."""
    pair = np.eye(4)
    pair[1, 1], pair[1, 2] = 0.6, 0.4
    rng = np.random.default_rng(0)
    scores, _, given = drawn(250, 4, pair, 6)
    weak = (scores + 6 * rng.normal(size=scores.shape)).astype(np.float32)
    found = chosen(weak, given, np.random.default_rng(0))
    assert found.priors.spread == SPREADS[1]
    assert max(one_pair(fit) for fit in found.rivals) > one_pair(found.fit) + 0.02
    for matrix, spread in ((pair, SPREADS[0]), (uniform(4, 0.3), SPREADS[1])):
        scores, _, given = drawn(4000, 4, matrix, 7)
        found = chosen(scores, given, np.random.default_rng(0))
        assert found.priors.spread == spread and apart(found, given) < 0.02


def apart(found: Choice, given: np.ndarray) -> float:
    """How far the rates of the models that are as likely lie apart."""
    return float(np.ptp([fit.wrong(given).mean() for fit in (found.fit, *found.rivals)]))


def one_pair(fit: Fitted) -> float:
    """Of class 1's wrong labels the share that goes to class 2."""
    return float(fit.matrix[1, 2] / (1 - fit.matrix[1, 1]))
