"""Are these the bits that imagehash gives?"""

from __future__ import annotations

import io
import os
import random
from pathlib import Path

import imagehash
import numpy as np
import pytest
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_image

from recipe_core.images.hashes import Source, coefficients, dhash, lanczos, phash_and_turned
from recipe_core.images.look import FileRef, look
from recipe_core.images.opened import opened
from recipe_core.images.statistics import luma

T = Image.Transpose
TURNS = ((T.ROTATE_90,), (T.ROTATE_180,), (T.ROTATE_270,), (T.FLIP_LEFT_RIGHT,),
         (T.FLIP_LEFT_RIGHT, T.ROTATE_90), (T.FLIP_LEFT_RIGHT, T.ROTATE_180),
         (T.FLIP_LEFT_RIGHT, T.ROTATE_270))  # fmt: skip


def crops(n: int) -> list[Image.Image]:
    """Parts of two photos at several sizes and aspects."""
    photos = [Image.fromarray(load_sample_image(name)) for name in ("china.jpg", "flower.jpg")]
    r = random.Random(7)
    made = []
    for k in range(n):
        w, h = r.randrange(200, 640), r.randrange(200, 427)
        x, y = r.randrange(640 - w + 1), r.randrange(427 - h + 1)
        scale = r.choice([0.15, 0.5, 1, 1.7])
        part = photos[k % 2].crop((x, y, x + w, y + h))
        made.append(part.resize((round(w * scale), round(h * scale)), Image.Resampling.LANCZOS))
    return made


def bits(a: object, b: int) -> int:
    return (int(str(a), 16) ^ b).bit_count()


def looked_at(folder: Path, images: list[Image.Image], **save: int) -> list[dict[str, object]]:
    refs = []
    for k, image in enumerate(images):
        image.save(folder / f"{k}.jpg", **save)
        refs.append(FileRef(k, os.fsencode(folder / f"{k}.jpg")))
    return look(refs, lambda i: None).table.to_pylist()


def test_photos_agree_with_imagehash(tmp_path: Path) -> None:
    n = 200
    rows = looked_at(tmp_path, crops(n), quality=90)
    full = [Image.open(tmp_path / f"{k}.jpg") for k in range(n)]
    for name, oracle in (("phash", imagehash.phash), ("dhash", imagehash.dhash)):
        apart = [bits(oracle(f), r[name]) for f, r in zip(full, rows, strict=True)]
        assert sum(b > 2 for b in apart) <= 0.01 * n, (name, apart)


def test_luma_is_pillows() -> None:
    colours = np.random.default_rng(1).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    theirs = np.asarray(Image.fromarray(colours).convert("L"))
    assert np.array_equal(luma(colours.transpose(2, 0, 1)[:, None])[0], theirs)


def test_turned_hashes_are_those_of_turned_pictures(tmp_path: Path) -> None:
    images = crops(12)
    rows = looked_at(tmp_path, images, quality=95)
    for k, row in enumerate(rows):
        full = Image.open(tmp_path / f"{k}.jpg").convert("RGB")
        for turn, mine in zip(TURNS, row["phash_turned"], strict=True):
            turned = full
            for step in turn:
                turned = turned.transpose(step)
            assert bits(imagehash.phash(turned), mine) <= 2


def test_pixels_of_full_scale_give_the_very_bits() -> None:
    for image in crops(10):
        grey = np.asarray(image.convert("L"), np.float32)[None]
        source = Source(grey, *grey.shape[1:])
        assert bits(imagehash.dhash(image), int(dhash(source)[0])) <= 1
        assert bits(imagehash.phash(image), int(phash_and_turned(coefficients(source))[0, 0])) <= 2


@pytest.mark.parametrize(("n", "m"), [(640, 32), (427, 9), (33, 32), (32, 32), (7, 8), (1, 32)])
def test_lanczos_is_pillows(n: int, m: int) -> None:
    line = np.random.default_rng(0).random((1, n)).astype(np.float32)
    resized = Image.fromarray(line).resize((m, 1), Image.Resampling.LANCZOS)
    assert np.allclose(lanczos(n, n, m) @ line[0], np.asarray(resized)[0], atol=1e-5)


def test_a_flat_picture_has_no_random_bits() -> None:
    data = io.BytesIO()
    Image.new("RGB", (400, 300), (90, 90, 90)).save(data, "PNG")
    made = opened(data.getvalue(), "png")
    assert made.fine is not None
    grey = np.full((1, *made.fine.shape), 90, np.float32)
    source = Source(grey, *made.size)
    assert dhash(source)[0] == 0
    assert int(phash_and_turned(coefficients(source))[0, 0]).bit_count() <= 1


@pytest.mark.real_data
def test_clothing_photos_agree_with_imagehash(real_data: Path) -> None:
    files = sorted((real_data / "clothing").rglob("*.jpg"))[::10]
    refs = [FileRef(i, os.fsencode(f)) for i, f in enumerate(files)]
    rows = look(refs, lambda i: None).table.to_pylist()
    images = [ImageOps.exif_transpose(Image.open(f)) for f in files]
    near = {
        name: np.mean([bits(oracle(i), r[name]) <= 2 for i, r in zip(images, rows, strict=True)])
        for name, oracle in (("phash", imagehash.phash), ("dhash", imagehash.dhash))
    }
    assert near["phash"] >= 0.99
    assert near["dhash"] >= 0.99


@pytest.fixture
def real_data() -> Path:
    default = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    folder = Path(os.environ.get("RECIPE_REAL_DATA", default))
    if not (folder / "clothing").is_dir():
        pytest.skip(f"no clothing photos below {folder}; set RECIPE_REAL_DATA")
    return folder
