"""Are planted clusters found, and is every picture with the centre it is nearest to?"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from recipe_core.data import clusters
from recipe_core.data.clusters import nearest_centre


def planted(n: int, k: int, spread: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0, 255, (k, 96))
    truth = rng.choice(k, n, p=np.arange(1, k + 1) / (k * (k + 1) / 2))
    return (centres[truth] + rng.normal(0, spread, (n, 96))).astype(np.float32), truth


@pytest.mark.parametrize("k", [2, 7, 20])
def test_planted_clusters_are_found(k: int) -> None:
    described, truth = planted(3000, k, spread=8)
    assert adjusted_rand_score(truth, clusters.clusters(described, k)) > 0.99


def test_as_tight_as_scikit_learns() -> None:
    described, _ = planted(2000, 6, spread=120)
    found = clusters.clusters(described, 6)
    spread = sum(((described[found == i] - described[found == i].mean(0)) ** 2).sum()
                 for i in range(6))  # fmt: skip
    assert spread < 1.02 * KMeans(6, n_init=5, random_state=0).fit(described).inertia_


def test_the_largest_comes_first_and_no_picture_has_none() -> None:
    described, _ = planted(500, 4, spread=5)
    described[[3, 77]] = np.nan
    found = clusters.clusters(described, 4)
    assert np.flatnonzero(found == -1).tolist() == [3, 77]
    assert (np.diff(np.bincount(found[found >= 0])) <= 0).all()
    assert (found == clusters.clusters(described, 4)).all(), "the same for the same seed"


@pytest.mark.parametrize(("n", "k", "most"), [(1, 5, 1), (3, 20, 3), (10, 2, 2)])
def test_few_pictures(n: int, k: int, most: int) -> None:
    described, _ = planted(n, 3, spread=40)
    found = clusters.clusters(described, k)
    assert found.min() >= 0 and len(np.unique(found)) <= most


def test_pictures_that_are_all_the_same_are_one_cluster() -> None:
    assert set(clusters.clusters(np.ones((50, 96), np.float32), 8)) == {0}


def test_without_any_picture() -> None:
    nothing = np.full((4, 96), np.nan, np.float32)
    assert clusters.clusters(nothing, 3).tolist() == [-1] * 4
    assert clusters.clusters(nothing[:0], 3).tolist() == []


def test_what_is_not_fitted_on_goes_to_its_nearest_centre(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "FITTED_ON", 300)
    monkeypatch.setattr(clusters, "BLOCK", 97)
    described, truth = planted(2000, 5, spread=8)
    assert adjusted_rand_score(truth, clusters.clusters(described, 5)) > 0.99


def test_the_nearest_centre_by_brute_force() -> None:
    rng = np.random.default_rng(3)
    pictures, centres = (rng.uniform(0, 255, (m, 96)).astype(np.float32) for m in (200, 9))
    apart = ((pictures[:, None].astype(np.float64) - centres[None]) ** 2).sum(2)
    assert (nearest_centre(pictures, centres) == apart.argmin(1)).all()
