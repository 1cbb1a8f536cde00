"""Are copies found that hashes miss, and nothing accused that only looks alike?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from recipe_core import recipe

N, STRONG = 40, 0.72
COPIES = {"crop.png": 3, "mirrored.png": 7}


def photo(i: int) -> Image.Image:
    """Blobs of many sizes: two of them share nothing but their statistics."""
    rng = np.random.default_rng(i)
    layers = [
        np.asarray(Image.fromarray(rng.integers(0, 256, (n, n, 3), dtype=np.uint8)).resize(
            (160, 120), Image.Resampling.BICUBIC), np.float32)
        for n in (3, 7, 15, 40)
    ]  # fmt: skip
    return Image.fromarray(np.mean(layers, axis=0).clip(0, 255).astype(np.uint8))


def strong_crop(p: Image.Image) -> Image.Image:
    return p.crop((0, 0, round(p.width * STRONG), round(p.height * STRONG)))


def recoloured(p: Image.Image) -> Image.Image:
    """Mirrored, a corner cut off, and warmer."""
    r, g, b = ImageOps.mirror(p).crop((0, 0, 128, 96)).split()
    return Image.merge(
        "RGB", [r.point(lambda v: min(255, int(1.1 * v))), g, b.point(lambda v: int(0.9 * v))]
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    (folder / "data").mkdir()
    for i in range(N):
        photo(i).save(folder / "data" / f"{i:02}.png")
    strong_crop(photo(3)).save(folder / "data" / "crop.png")
    recoloured(photo(7)).save(folder / "data" / "mirrored.png")
    recipe.scan(folder / "data", folder / "w", engine="here", check_ids=["near_duplicates"])
    return folder / "w"


def test_planted_copies_are_found_and_nothing_else(place: Path) -> None:
    (before,) = recipe.last_report(place).findings  # type: ignore[union-attr]
    assert before.verdict == "pass", "the hashes find them already: the test shows nothing"
    assert "recipe embed" in before.numbers["embedding"]
    recipe.embed(place, map="pca", clusters=2, device="cpu")
    (after,) = recipe.last_report(place).findings  # type: ignore[union-attr]
    paths = recipe.evidence(place).texts("path")
    groups: dict[int, set[str]] = {}
    for row, group in zip(after.subjects.rows, after.subjects.groups, strict=True):
        groups.setdefault(int(group), set()).add(paths[row])
    wanted = [{name, f"{i:02}.png"} for name, i in COPIES.items()]
    assert sorted(map(sorted, groups.values())) == sorted(map(sorted, wanted))
    told = " ".join(after.subjects.details)
    assert "crop, found by the embedding" in told and "mirrored, crop, found by" in told
    n = after.numbers
    assert n["pairs_by_embedding_alone"] == 2
    assert n["embedding_recall_low"] < n["embedding_recall"] < n["embedding_recall_high"]
    assert n["embedding_recall_of_edit"]["cropped to 85 %"] > 0.9
    assert 0.9 < n["embedding_precision_at_least"] < 1
    strict = recipe.judge(place, "near_duplicates", {"turned": False})
    assert strict.numbers["extra_copies"] == 1
