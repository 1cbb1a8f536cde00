"""Are the numbers about stored predictions those that one counts by hand?"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss

from recipe_core.kernel.intervals import wilson
from recipe_core.overfit import predictions

RNG = np.random.default_rng(0)
C, N = 4, 300
TARGETS = RNG.integers(0, C, N)
PROBABILITIES = RNG.dirichlet(np.full(C, 0.7), N)
PREDICTED = PROBABILITIES.argmax(1)
NAMES = [f"class {i}" for i in range(C)]


def test_scores_are_those_of_a_plain_count() -> None:
    matrix = predictions.confusion(TARGETS, PREDICTED, C)
    found = predictions.class_scores(matrix, NAMES)
    for k, score in enumerate(found):
        given, said = k == TARGETS, k == PREDICTED
        hits = int((given & said).sum())
        assert matrix[k].tolist() == [int((PREDICTED[given] == j).sum()) for j in range(C)]
        assert (score.n, score.n_predicted) == (given.sum(), said.sum())
        assert score.recall == pytest.approx(hits / given.sum())
        assert score.precision == pytest.approx(hits / said.sum())
        assert score.f1 == pytest.approx(2 * hits / (given.sum() + said.sum()))
        assert score.recall_interval == wilson(hits, int(given.sum()))
        assert score.precision_interval == wilson(hits, int(said.sum()))


def test_a_class_without_samples_or_predictions_has_no_score() -> None:
    matrix = predictions.confusion(np.array([0, 0]), np.array([0, 0]), 2)
    empty = predictions.class_scores(matrix, ["a", "b"])[1]
    assert np.isnan([empty.recall, empty.precision, empty.f1]).all()
    assert empty.recall_interval == (0.0, 1.0)


def test_losses_are_log_loss_and_the_worst_come_first() -> None:
    each = predictions.losses(PROBABILITIES, TARGETS)
    assert each.mean() == pytest.approx(log_loss(TARGETS, PROBABILITIES))
    worst = predictions.top_losses(PROBABILITIES, TARGETS, 5)
    assert each[worst].tolist() == sorted(each, reverse=True)[:5]


def test_certain_and_wrong_is_a_large_number_not_infinity() -> None:
    assert np.isfinite(predictions.losses(np.array([[1.0, 0.0]]), np.array([1])))


def test_a_calibrated_model_has_no_calibration_error_and_an_overconfident_one_has() -> None:
    p = np.random.default_rng(1).uniform(0.5, 1, 20_000)
    both = np.stack([p, 1 - p], axis=1)
    truth = (np.random.default_rng(2).random(20_000) > p).astype(int)
    bins, error = predictions.reliability(both, truth)
    assert error < 0.015
    assert all(b.interval[0] - 0.03 < b.confidence < b.interval[1] + 0.03 for b in bins)
    assert sum(b.n for b in bins) == 20_000
    sharp = np.clip(both**4 / (both**4).sum(1, keepdims=True), 0, 1)
    assert predictions.reliability(sharp, truth)[1] > 0.1


def test_probability_one_falls_into_the_last_bin() -> None:
    bins, error = predictions.reliability(np.array([[1.0, 0.0]]), np.array([0]))
    assert (bins[0].low, bins[0].high, bins[0].n) == (0.9, 1.0, 1)
    assert error == 0.0
