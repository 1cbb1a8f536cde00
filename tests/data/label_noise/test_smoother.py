"""Is the closed form what one gets by fitting every fold anew, and are folds what they promise?"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge

from recipe_core.data.label_noise.folds import copy_groups, stratified_folds
from recipe_core.data.label_noise.smoother import _scaling, _width, smoother
from tests.making import make_evidence


def made(n: int = 240, d: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    folds = rng.integers(0, 4, n)
    return rng.normal(size=(n, d)).astype(np.float32), folds, rng.normal(size=(n, 3)).astype("f4")


def refitted(x: np.ndarray, folds: np.ndarray, targets: np.ndarray, penalty: float) -> np.ndarray:
    """The oracle: scikit-learn's kernel ridge, fitted without each fold."""
    mean, scale = _scaling(x)
    scaled = (x - mean) * scale
    found = np.empty_like(targets)
    for k in range(int(folds.max()) + 1):
        model = KernelRidge(alpha=penalty, kernel="rbf", gamma=1 / _width(scaled))
        model.fit(scaled[folds != k], targets[folds != k])
        found[folds == k] = model.predict(scaled[folds == k])
    return found


def test_the_closed_form_is_leaving_out_each_fold() -> None:
    x, folds, targets = made()
    wanted = refitted(x, folds, targets, 0.3)
    np.testing.assert_allclose(smoother(x, folds, penalty=0.3)(targets), wanted, atol=2e-4)


def test_landmarks_that_span_everything_give_the_same_answers() -> None:
    x, folds, targets = made()
    exact, spanned = (smoother(x, folds, exact=limit)(targets) for limit in (1000, 100))
    np.testing.assert_allclose(spanned, exact, atol=5e-3)


@pytest.mark.parametrize("limit", [1000, 100])
def test_an_answer_does_not_know_the_targets_of_its_own_fold(limit: int) -> None:
    x, folds, targets = made()
    answer = smoother(x, folds, exact=limit)
    changed = targets.copy()
    changed[folds == 2] += 5
    np.testing.assert_allclose(answer(targets)[folds == 2], answer(changed)[folds == 2], atol=1e-3)
    assert np.abs(answer(targets)[folds != 2] - answer(changed)[folds != 2]).max() > 0.1


def test_folds_are_stratified_seeded_and_keep_groups_together() -> None:
    rng = np.random.default_rng(1)
    labels = np.repeat(np.arange(3), (400, 100, 23))
    groups = np.arange(len(labels))
    for start in range(0, 300, 5):
        groups[rng.integers(0, len(labels), 4)] = -start
    folds = stratified_folds(labels, groups, 5, seed=3)
    for g in np.unique(groups):
        assert len(np.unique(folds[groups == g])) == 1
    counts = np.array([np.bincount(labels[folds == k], minlength=3) for k in range(5)])
    assert counts.max(0).tolist() <= (np.ceil(counts.mean(0)) + 2).tolist()
    assert np.array_equal(folds, stratified_folds(labels, groups, 5, seed=3))
    assert not np.array_equal(folds, stratified_folds(labels, groups, 5, seed=4))


def test_equal_bytes_are_one_group() -> None:
    found = make_evidence(
        {"label": ["a", "a", "b", "b"], "content_hash": ["x", "y", "x", None], "error": [""] * 4}
    )
    groups = copy_groups(found, np.arange(4))
    assert groups[0] == groups[2]
    assert len(set(groups.tolist())) == 3
