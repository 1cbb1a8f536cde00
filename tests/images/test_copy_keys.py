"""Does a thumbnail carry the hashes that its copies are found by?"""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recipe_core.images.copy_keys import KEY_BYTES, carried, carrying, key_bytes, keys_from
from recipe_core.images.likeness import BLUR, SIDE, _blur, all_squashed, squares, squashed
from recipe_core.images.look import FileRef, look
from recipe_core.images.thumbnails import encoded, packed
from tests.planted.plant_exact_duplicates import photo


def thumbnail_of(folder: Path, picture: Image.Image) -> bytes:
    picture.save(folder / "a.png")
    (thumbnail,) = look([FileRef(0, os.fsencode(folder / "a.png"))], lambda i: None).thumbnails
    return thumbnail


@pytest.mark.parametrize("size", [(160, 120), (97, 160), (40, 30), (500, 375)])
def test_a_worker_makes_the_hashes_that_the_thumbnail_has(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    for i in range(5):
        thumbnail = thumbnail_of(tmp_path, photo(i, size))
        told = keys_from(carried(thumbnail))
        anew = keys_from(key_bytes(squashed(thumbnail)[None].astype(np.float32))[0])
        apart = np.bitwise_count(np.c_[told.base ^ anew.base, told.others ^ anew.others])
        assert apart.mean() < 2 and apart.max() <= 4, apart


def test_a_thumbnail_that_is_none_has_a_black_square(tmp_path: Path) -> None:
    thumbnail = thumbnail_of(tmp_path, photo(1, (80, 60)))
    made = all_squashed([b"GIF89a", thumbnail, None, thumbnail[:40], b""])
    assert np.array_equal(made[1], squashed(thumbnail)) and made[1].any()
    assert not made[[0, 2, 3, 4]].any()


def test_the_picture_is_the_same_with_hashes_in_it() -> None:
    pixels = packed(np.asarray(photo(1, (80, 60)).convert("RGBA")))
    plain = encoded(np.ascontiguousarray(pixels))
    carries = carrying(plain, b"x" * KEY_BYTES)
    assert carried(carries) == b"x" * KEY_BYTES
    assert np.array_equal(Image.open(io.BytesIO(carries)), Image.open(io.BytesIO(plain)))
    assert len(carried(plain)) == KEY_BYTES  # made from the picture where none are carried


def test_a_picture_without_detail_has_none(tmp_path: Path) -> None:
    assert carried(thumbnail_of(tmp_path, Image.new("RGB", (200, 150), (90, 120, 40)))) == b""


def test_squares_are_pillows() -> None:
    for size in ((125, 94), (64, 64), (30, 20), (400, 7)):
        grey = photo(3, size).convert("L")
        theirs = np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BILINEAR), float)
        ours = squares(np.asarray(grey, np.float32)[None])[0]
        assert np.abs(ours - theirs).max() <= 1.01


@pytest.mark.parametrize("side", [16, 32, 64])
def test_the_blur_is_a_gaussian_without_subnormal_weights(side: int) -> None:
    """A core takes twenty times longer over products with subnormal numbers than with 0."""
    weights = _blur(side)
    assert not ((weights != 0) & (weights < np.finfo(np.float32).tiny)).any()
    place = np.arange(side)
    exact = np.exp(-0.5 * ((place[:, None] - place) / (BLUR * side)) ** 2)
    np.testing.assert_allclose(weights, exact / exact.sum(1, keepdims=True), atol=1e-6)
