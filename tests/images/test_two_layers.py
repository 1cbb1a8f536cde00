"""Does a second layer of patches tell more than pixels and one layer do? Mirror images alike?"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import cross_val_score

from recipe_core.images import embedding_two_layers
from recipe_core.images.embedding_patches import PatchEmbedding
from recipe_core.images.embedding_two_layers import TwoLayers

Squares = npt.NDArray[np.uint8]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def few_filters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding_two_layers, "DRAWN", 6000)
    monkeypatch.setattr(embedding_two_layers, "FIRST_FILTERS", 60)


def digits(n: int, side: int = 32) -> tuple[Squares, npt.NDArray[np.int64]]:
    """Real handwritten digits somewhere in noisy pictures of any colour, and which they are."""
    rng, real = np.random.default_rng(0), load_digits()
    some = rng.permutation(len(real.images))[:n]
    found = np.empty((n, side, side, 3), np.uint8)
    for picture, digit in zip(found, real.images[some], strict=True):
        drawn = Image.fromarray((digit * 11).astype(np.uint8)).resize((18, 18))
        top, left = rng.integers(0, side - 18, 2)
        ink = np.full((side, side), 30.0)
        ink[top : top + 18, left : left + 18] += np.asarray(drawn)
        noise = rng.normal(0, 10, (side, side, 3))
        picture[:] = np.clip(ink[..., None] * rng.uniform(0.5, 1, 3) + noise, 0, 255)
    return found, real.target[some]


def right(vectors: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> float:
    """The share of labels that a linear classifier names out of five folds."""
    even = (vectors - vectors.mean(0)) / (vectors.std(0) + 1e-3 * vectors.std() + 1e-9)
    return float(cross_val_score(RidgeClassifier(1e3), even, labels, cv=5).mean())


def test_it_tells_what_pictures_show_where_pixels_do_not(few_filters: None) -> None:
    pictures, labels = digits(500)
    pixels = right(pictures.reshape(500, -1).astype(np.float32), labels)
    described = right(TwoLayers(pictures, n_filters=200).of(pictures), labels)
    assert described > 2 * pixels, (described, pixels)


@pytest.mark.slow
@pytest.mark.real_data
def test_of_photos_it_tells_more_than_one_layer() -> None:
    default = ROOT.parent / "shared" / "data"
    folder = Path(os.environ.get("RECIPE_REAL_DATA", default)) / "clothing" / "train"
    files = sorted(folder.rglob("*.jpg"))[::3]
    if not files:
        pytest.skip(f"no clothing photos below {folder}; set RECIPE_REAL_DATA")
    pictures = np.empty((len(files), 48, 48, 3), np.uint8)
    for i, file in enumerate(files):
        with Image.open(file) as photo:
            photo.draft("RGB", (96, 96))
            pictures[i] = photo.convert("RGB").resize((48, 48), Image.Resampling.BILINEAR)
    _, labels = np.unique([f.parent.name for f in files], return_inverse=True)
    one = right(PatchEmbedding(pictures, n_filters=500).of(pictures), labels)
    two = right(TwoLayers(pictures, n_filters=400).of(pictures), labels)
    assert two > one + 0.02, (two, one)


@pytest.mark.parametrize("side", [32, 48])
def test_the_same_seed_describes_alike_and_a_mirror_image_as_the_picture(
    few_filters: None, side: int
) -> None:
    pictures, _ = digits(30, side)
    first, again, other = (
        TwoLayers(pictures, n_filters=20, seed=s).of(pictures) for s in (0, 0, 1)
    )
    assert first.shape == (30, 18 * 20) and first.dtype == np.float32
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)
    mirrored = TwoLayers(pictures, n_filters=20).of(np.ascontiguousarray(pictures[:, :, ::-1]))
    np.testing.assert_allclose(mirrored, first, atol=1e-4)


def test_a_handful_of_plain_pictures_is_described(few_filters: None) -> None:
    plain = np.full((2, 32, 32, 3), 90, np.uint8)
    assert np.isfinite(TwoLayers(plain, n_filters=30).of(plain)).all()
