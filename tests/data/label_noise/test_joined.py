"""Do copies that contradict each other share one truth, and does training weigh what it knows?"""

from __future__ import annotations

import numpy as np
import pytest

from recipe_core.data.label_noise.estimate import auroc
from recipe_core.data.label_noise.joined import doubts, with_copies, with_training
from recipe_core.data.label_noise.model import Fitted


def believed(clean: np.ndarray, matrix: np.ndarray, labels: np.ndarray) -> Fitted:
    joint = clean * matrix.T[labels]
    true = joint / joint.sum(1, keepdims=True)
    return Fitted(true.astype("f4"), clean.astype("f4"), matrix, 0.0, np.empty(0))


def test_copies_that_contradict_each_other_share_one_truth() -> None:
    clean = np.array([[0.7, 0.3], [0.7, 0.3], [0.7, 0.3], [0.7, 0.3], [0.7, 0.3], [0.4, 0.6]])
    labels = np.array([0, 1, 0, 0, 1, 1])
    matrix = np.array([[0.9, 0.1], [0.2, 0.8]])
    fit = believed(clean, matrix, labels)
    found = with_copies(fit, labels, np.array([5, 5, 3, 3, 2, 1]))
    # Bayes by hand: 0.7 * 0.9 * 0.1 against 0.3 * 0.2 * 0.8
    truth = 0.063 / (0.063 + 0.048)
    np.testing.assert_allclose(found.wrong(labels)[:2], [1 - truth, truth], atol=1e-3)
    np.testing.assert_array_equal(found.wrong(labels)[2:], fit.wrong(labels)[2:])


@pytest.fixture(scope="module")
def noisy() -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    """(P(wrong), calibrated; which are wrong) of 6,000 labels."""
    rng = np.random.default_rng(0)
    logit = rng.normal(-2.5, 1.5, 6000)
    p = 1 / (1 + np.exp(-logit))
    return p.astype("f4"), rng.random(6000) < p, rng


def test_a_training_run_that_knows_more_is_heard_and_one_that_guesses_is_not(
    noisy: tuple[np.ndarray, np.ndarray, np.random.Generator],
) -> None:
    p, wrong, rng = noisy
    knows = doubts({"training_margin": rng.normal(-1.5 * wrong, 1.0),
                    "forgetting_events": rng.poisson(1 + 2.0 * wrong).astype(float)})  # fmt: skip
    guesses = doubts({"training_margin": rng.normal(size=len(p))})
    before = auroc(p, wrong)
    assert auroc(with_training(p, knows), wrong) > before + 0.03
    assert abs(auroc(with_training(p, guesses), wrong) - before) < 0.005


def test_what_a_training_run_has_not_seen_stays(
    noisy: tuple[np.ndarray, np.ndarray, np.random.Generator],
) -> None:
    p, _, rng = noisy
    margin = np.where(np.arange(len(p)) < 3000, rng.normal(size=len(p)), np.nan)
    found = with_training(p, doubts({"training_margin": margin}))
    np.testing.assert_array_equal(found[3000:], p[3000:])
    assert (found[:3000] != p[:3000]).mean() > 0.9
    few = np.where(np.arange(len(p)) < 50, margin, np.nan)
    np.testing.assert_array_equal(with_training(p, doubts({"training_margin": few})), p)
    np.testing.assert_array_equal(with_training(p, doubts({"other": margin})), p)
