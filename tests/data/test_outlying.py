"""Are strangers found, whichever way they are strange, and nobody where there are none?"""

from __future__ import annotations

import numpy as np
import pytest

from recipe_core.data.outlying import outlying
from recipe_core.images.neighbours import nearest

N, D = 1500, 24


def usual(seed: int, n: int = N) -> np.ndarray:
    """Pictures around a few directions; some plain, near the middle, some rich."""
    rng = np.random.default_rng(seed)
    spread = np.geomspace(1, 0.05, D)
    return (rng.normal(size=(n, D)) * spread * rng.gamma(2, 0.5, (n, 1))).astype(np.float32)


def scores(vectors: np.ndarray) -> np.ndarray:
    return outlying(vectors, *nearest(vectors, 10))


def alone(rng: np.random.Generator) -> np.ndarray:
    """No more extreme than the others, in a mixture of directions that nobody has."""
    return np.geomspace(1, 0.05, D)[::-1] * rng.normal(size=D) * 0.3


def extreme(rng: np.random.Generator) -> np.ndarray:
    """The direction that many have, five times as far along it as anyone."""
    return 5 * np.abs(usual(0)).max() * np.eye(D)[0] + rng.normal(size=D) * 0.01


@pytest.mark.parametrize("strange", [alone, extreme])
@pytest.mark.parametrize("seed", range(4))
def test_a_stranger_is_among_the_first(strange, seed: int) -> None:
    vectors = usual(seed)
    vectors[77] = strange(np.random.default_rng(seed))
    assert (scores(vectors) >= scores(vectors)[77]).sum() <= 15


def test_company_does_not_hide_what_is_extreme() -> None:
    """By cosines alone the extreme one has more company than most."""
    vectors = usual(1)
    vectors[77] = extreme(np.random.default_rng(1))
    _, cosines = nearest(vectors, 10)
    assert cosines[77].mean() > np.median(cosines.mean(1))


def test_the_score_counts_in_powers_of_ten_and_does_not_depend_on_the_scale() -> None:
    found = scores(usual(2))
    assert found.min() >= 0 and found.max() <= np.log10(2 * N)
    # the mean of -log10 of evenly spread shares, whichever way it is counted
    assert found.mean() == pytest.approx(np.log10(np.e), abs=0.01)
    assert np.allclose(scores(usual(2) * np.float32(7)), found, atol=0.02)


def test_few_pictures_alike_pictures_and_one_picture_many_times() -> None:
    for n in (2, 3, 10):
        assert np.isfinite(scores(usual(3, n))).all()
    same = np.ones((50, D), np.float32)
    found = scores(same)
    assert np.isfinite(found).all() and np.ptp(found) < 1e-6, "nobody is a stranger"
