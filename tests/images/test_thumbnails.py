"""Does the small picture look like the large one?"""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from recipe_core.images.thumbnails import (
    LONGER_SIDE,
    encoded,
    halved,
    packed,
    planes_of,
    shrunk,
    small_size,
)

PHOTO = Image.fromarray(load_sample_image("china.jpg"))


def pack(image: Image.Image) -> np.ndarray:
    return packed(np.array(image.convert("RGBA")))


def unpack(pixels: np.ndarray) -> np.ndarray:
    return np.moveaxis(planes_of([np.ascontiguousarray(pixels)])[:, 0], 0, -1)


@pytest.mark.parametrize(
    "size", [(161, 100), (200, 150), (250, 188), (320, 213), (500, 375), (800, 250)]
)
def test_shrunk_is_what_pillow_makes_of_it(size: tuple[int, int]) -> None:
    image = PHOTO.resize(size, Image.Resampling.LANCZOS)
    small = unpack(shrunk(pack(image))).astype(float)
    oracle = np.asarray(image.resize(small.shape[1::-1], Image.Resampling.BILINEAR), float)
    assert max(small.shape) == LONGER_SIDE
    assert abs(small.mean() - oracle.mean()) < 2.0
    assert np.corrcoef(small.ravel(), oracle.ravel())[0, 1] > 0.97


def test_small_pictures_stay_as_they_are() -> None:
    image = PHOTO.resize((160, 107))
    assert np.array_equal(unpack(shrunk(pack(image))), np.asarray(image))


@pytest.mark.parametrize("level", [0, 1, 100, 101, 254, 255])
def test_one_colour_stays_one_colour(level: int) -> None:
    small = unpack(shrunk(pack(Image.new("RGB", (333, 250), (level, 255 - level, 7)))))
    assert np.ptp(small, axis=(0, 1)).max() == 0
    assert np.abs(small[0, 0].astype(int) - (level, 255 - level, 7)).max() <= 2


@pytest.mark.parametrize("size", [(640, 500), (641, 500), (641, 501), (640, 1)])
def test_halved_is_the_mean_of_pairs(size: tuple[int, int]) -> None:
    image = PHOTO.resize(size)
    full = np.asarray(image, float)
    edges = [np.arange(0, n, 2) for n in full.shape[:2]]
    sums = np.add.reduceat(np.add.reduceat(full, edges[0], axis=0), edges[1], axis=1)
    ones = np.ones(full.shape[:2])
    counts = np.add.reduceat(np.add.reduceat(ones, edges[0], axis=0), edges[1], axis=1)
    assert np.abs(unpack(halved(pack(image))) - sums / counts[..., None]).max() <= 0.75


def test_sizes_keep_the_aspect() -> None:
    assert small_size(3000, 4000) == (120, 160)
    assert small_size(4000, 3000) == (160, 120)
    assert small_size(10, 20) == (10, 20)
    assert small_size(1, 100_000) == (1, 160)


def test_a_thumbnail_is_a_jpeg_of_the_pixels() -> None:
    image = PHOTO.resize((160, 107))
    back = Image.open(io.BytesIO(encoded(pack(image))))
    assert (back.format, back.size) == ("JPEG", (160, 107))
    assert np.abs(np.asarray(back, float) - np.asarray(image, float)).mean() < 8
