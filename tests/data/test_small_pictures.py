"""Are copies of small pictures found, and are look-alikes (digits, letters) no copies?"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops
from sklearn.datasets import load_digits

from recipe_core import recipe
from recipe_core.data.near_pairs import FLOOR, alike_from, recorded
from recipe_core.images.likeness import coarseness
from recipe_core.kernel.evidence import Evidence
from recipe_core.kernel.nouns import Finding
from tests.planted.plant_exact_duplicates import photo

N = 60
SMALL = (32, 32)


def recompressed(picture: Image.Image, quality: int) -> Image.Image:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality)
    return Image.open(stream)


def noisy(picture: Image.Image) -> Image.Image:
    drawn = np.random.default_rng(0).normal(0, 9, (*picture.size, 3))
    return Image.fromarray(np.clip(np.asarray(picture) + drawn, 0, 255).astype(np.uint8))


def shrunk(picture: Image.Image) -> Image.Image:
    return picture.resize((24, 24), Image.Resampling.BILINEAR)


EDITS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "recompressed": lambda p: recompressed(p, 40),
    "noisy": noisy,
    "smaller": shrunk,
    "shifted": lambda p: ImageChops.offset(p, 1, 0),
}


def judged(folder: Path, workspace: Path) -> tuple[Finding, Evidence]:
    report = recipe.scan(folder, workspace, engine="here", check_ids=["near_duplicates"])
    return report.findings[0], recipe.evidence(workspace)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Finding, Evidence]:
    """60 different pictures of 32 pixels, and an edited copy of each by one of the edits."""
    root = tmp_path_factory.mktemp("small")
    (root / "data").mkdir()
    for i in range(N):
        picture = photo(i, (160, 160)).resize(SMALL, Image.Resampling.LANCZOS)
        picture.save(root / f"data/{i}.png")
        name = list(EDITS)[i % len(EDITS)]
        EDITS[name](picture).convert("RGB").save(root / f"data/{i}_{name}.png")
    return judged(root / "data", root / "w")


def pairs_of(evidence: Evidence, finding: Finding) -> set[frozenset[str]]:
    path, groups = evidence.texts("path"), finding.subjects.groups
    assert groups is not None
    return {frozenset(path[finding.subjects.rows[groups == g]]) for g in np.unique(groups)}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_copy_of_a_small_picture_is_found(
    small: tuple[Finding, Evidence], edit: str
) -> None:
    finding, evidence = small
    mine = [i for i in range(N) if list(EDITS)[i % len(EDITS)] == edit]
    found = pairs_of(evidence, finding)
    assert sum(frozenset((f"{i}.png", f"{i}_{edit}.png")) in found for i in mine) >= 14  # of 15


def test_different_small_pictures_are_no_copies(small: tuple[Finding, Evidence]) -> None:
    finding, evidence = small
    for group in pairs_of(evidence, finding):
        assert len({name.split("_")[0].removesuffix(".png") for name in group}) == 1
    assert recorded(evidence.table("near_pairs")) == (FLOOR, True)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> tuple[Finding, Evidence]:
    """1,000 handwritten digits of 28 pixels, no two of them copies."""
    root = tmp_path_factory.mktemp("digits")
    (root / "data").mkdir()
    for i, ink in enumerate(load_digits().images[:1000]):
        drawn = Image.fromarray((ink * 255 / 16).astype(np.uint8)).resize((20, 20))
        whole = Image.new("L", (28, 28))
        whole.paste(drawn, (4, 4))
        whole.save(root / f"data/{i}.png")
    return judged(root / "data", root / "w")


def test_handwritten_digits_are_no_copies_of_each_other(digits: tuple[Finding, Evidence]) -> None:
    finding, evidence = digits
    least, coarse = recorded(evidence.table("near_pairs"))
    assert least >= 0.9 and not coarse
    assert len(finding.subjects) == 0


def test_where_copies_cannot_be_told_it_says_so(digits: tuple[Finding, Evidence]) -> None:
    finding, _ = digits
    assert finding.verdict == "skipped" and "resemble one another" in finding.summary
    assert isinstance(finding.numbers["recall"], float) and finding.numbers["recall"] < 0.5


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((900, 300, 20, 0), 0.95),  # thins out to nothing: nobody's copies
        ((900, 300, 100, 5), 1.0),
        ((200, 60, 2, 0), 0.95),
        ((200, 180, 300, 400), FLOOR),  # copies, the denser the nearer to 1
        ((40, 2, 0, 0), FLOOR),  # few, as among photos
        ((0, 0, 0, 0), FLOOR),
    ],
)
def test_look_alikes_end_where_they_thin_out(counts: tuple[int, ...], expected: float) -> None:
    steps = (0.82, 0.87, 0.92, 0.97)
    similarity = np.repeat(np.array(steps, np.float32), counts)
    assert alike_from(similarity, 1000) == expected


@pytest.mark.parametrize(
    ("size", "expected"),
    [((160, 120), 0), ((64, 64), 0), ((63, 20), 1), ((32, 32), 2), ((16, 16), 4), ((8, 5), 4)],
)
def test_detail_is_coarser_in_a_smaller_picture(size: tuple[int, int], expected: int) -> None:
    stream = io.BytesIO()
    photo(0, size).save(stream, "JPEG")
    assert coarseness(stream.getvalue()) == expected
