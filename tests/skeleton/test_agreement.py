"""Do accuracy, kappa and the sign test say what their oracles say, and do intervals cover?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, cohen_kappa_score, confusion_matrix

from recipe_core.skeleton.agreement import accuracy, confusion, kappa, sign_test

CODES = st.integers(-1, 4)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(CODES, CODES), min_size=2, max_size=60))
def test_kappa_is_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    one, other = np.array(pairs, np.int64).T
    mine = kappa(one, other)
    if len(np.unique(np.concatenate([one, other]))) < 2:
        assert np.isnan(mine.value)
        return
    assert mine.value == pytest.approx(cohen_kappa_score(one, other), abs=1e-12)
    assert -1 <= mine.low <= mine.value + 1e-12 and mine.value - 1e-12 <= mine.high <= 1


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), CODES), min_size=1, max_size=60))
def test_accuracy_and_confusion_are_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    labels, said = np.array(pairs, np.int64).T
    assert accuracy(labels, said).value == pytest.approx(accuracy_score(labels, said))
    counts = confusion(labels, said, 5)
    wanted = confusion_matrix(labels, said, labels=[0, 1, 2, 3, 4, -1])[:5]
    assert (counts == wanted).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 40), st.integers(0, 40))
def test_the_sign_test_is_the_exact_binomial_one(a: int, b: int) -> None:
    wanted = binomtest(a, a + b, 0.5).pvalue if a + b else 1.0
    assert sign_test(a, b) == pytest.approx(wanted)


@pytest.mark.parametrize(("agree", "n", "classes"), [(0.95, 100, 10), (0.75, 100, 3), (0.9, 40, 2)])
def test_the_interval_of_kappa_covers_the_truth(agree: float, n: int, classes: int) -> None:
    """Two passes that agree with probability `agree` and else answer independently."""
    rng, covered, repeats = np.random.default_rng(0), 0, 2000
    for _ in range(repeats):
        one = rng.integers(0, classes, n)
        copies = rng.random(n) < agree
        other = np.where(copies, one, rng.integers(0, classes, n))
        found = kappa(one, other)
        covered += found.low <= agree <= found.high  # kappa of this model is `agree` itself
    assert covered / repeats > 0.93


def test_full_agreement_on_few_pictures_is_no_certainty() -> None:
    codes = np.array([0, 1] * 5)
    found = kappa(codes, codes)
    assert found.value == 1 and found.low < 0.6 and found.high == pytest.approx(1)
