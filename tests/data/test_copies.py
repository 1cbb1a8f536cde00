"""Are copies found by their pixels, grouped without chains, and is the right one kept?"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image, ImageOps

from recipe_core.data import copies
from recipe_core.data.checks import (
    conflicting_labels,
    exact_duplicates,
    near_duplicates,
    split_leak,
)
from recipe_core.images.likeness import (
    SIDE,
    TURNS,
    WHOLE,
    hashes,
    likeness,
    spectrum,
    turned_pictures,
    turned_spectra,
)
from recipe_core.kernel.check import judged
from recipe_core.kernel.evidence import Evidence
from recipe_core.kernel.progress import silent
from tests.making import make_evidence
from tests.planted.plant_exact_duplicates import photo
from tests.planted.plant_near_duplicates import EDITS

REAL = Path(os.environ.get("RECIPE_REAL_DATA", Path(__file__).parents[3] / "shared" / "data"))


@dataclass(frozen=True)
class InMemory:
    """The bytes of files, with their thumbnails made on demand."""

    data: Sequence[bytes]

    def original(self, row: int) -> bytes:
        return self.data[row]

    def thumbnail(self, row: int) -> bytes | None:
        picture = ImageOps.exif_transpose(Image.open(io.BytesIO(self.data[row]))).convert("RGB")
        picture.thumbnail((160, 160))
        return saved(picture, "JPEG", quality=85)


def saved(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def scanned(data: Sequence[bytes], **columns: Sequence[Any]) -> Evidence:
    """Evidence with both measures, hashes by imagehash."""
    shown = [ImageOps.exif_transpose(Image.open(io.BytesIO(d))) for d in data]
    evidence = make_evidence({
        "content_hash": [hashlib.blake2b(d, digest_size=16).hexdigest() for d in data],
        "width": [p.width for p in shown], "height": [p.height for p in shown],
        "mode": [p.mode for p in shown], "phash": [int(str(imagehash.phash(p)), 16) for p in shown],
        **columns,
    })  # fmt: skip
    files = InMemory(data)
    tables = {m.name: m.function(evidence, files, silent) for m in (copies.PIXELS, copies.NEAR)}
    return Evidence(evidence.dataset, evidence.samples, evidence.boxes, tables)


def with_pairs(
    n: int, pairs: Sequence[tuple[int, int, float]], **columns: Sequence[Any]
) -> Evidence:
    """Evidence of n different files, and near pairs (a, b, similarity) as if measured."""
    near = [
        {"row_a": a, "row_b": b, "distance": 2, "similarity": s, "turn": "", "part": "",
         "complete": 8}
        for a, b, s in pairs
    ]  # fmt: skip
    given: dict[str, Sequence[Any]] = {
        "content_hash": [f"{i:032x}" for i in range(n)], "width": [100] * n, "height": [100] * n,
        **columns,
    }  # fmt: skip
    tables = {
        "pixel_copies": copies.PIXEL_FIELDS.empty_table(),
        "near_pairs": pa.Table.from_pylist(near, schema=copies.NEAR_FIELDS),
    }
    return make_evidence(given, tables=tables)


def groups_of(found: copies.Copies) -> list[set[int]]:
    return [set(found.rows[found.groups == g].tolist()) for g in range(found.n_groups)]


def test_hashes_agree_with_imagehash_on_pictures_of_their_own_size() -> None:
    pictures = [photo(i, (SIDE, SIDE)).convert("L") for i in range(40)]
    ours = hashes(spectrum(np.stack([np.asarray(p, np.float32) for p in pictures])))
    theirs = [int(str(imagehash.phash(p)), 16) for p in pictures]
    apart = np.bitwise_count(ours ^ np.array(theirs, np.uint64))
    assert np.median(apart) <= 2 and apart.max() <= 8  # it resamples to 32 × 32 first


@pytest.mark.parametrize("turn", range(8), ids=[t or "as it is" for t in TURNS])
def test_turned_spectra_are_the_spectra_of_turned_pictures(turn: int) -> None:
    pictures = np.random.default_rng(0).uniform(0, 255, (5, SIDE, SIDE)).astype(np.float32)
    pillow = [Image.fromarray(p) for p in pictures]
    if turn >= 4:
        pillow = [ImageOps.mirror(p) for p in pillow]
    expected = np.stack([np.asarray(p.rotate(90 * (turn % 4))) for p in pillow])
    np.testing.assert_array_equal(turned_pictures(pictures, turn), expected)
    np.testing.assert_allclose(
        turned_spectra(spectrum(pictures))[turn], spectrum(expected), atol=1e-3
    )


def test_a_shifted_and_brightened_picture_is_alike_and_another_is_not() -> None:
    wide = np.asarray(photo(1, (72, 64)).convert("L"), np.float32)
    other = np.asarray(photo(2, (64, 64)).convert("L"), np.float32)
    still = np.stack([wide[:, :64], wide[:, :64], wide[:, :64]])
    moving = np.stack([wide[:, 3:67] * 0.6 + 40, other, 255 - wide[:, :64]])
    alike = likeness(still, moving, WHOLE, WHOLE)
    assert alike[0] > 0.9 and alike[1] < 0.5 and alike[2] < 0.5


def test_pixel_copies_in_other_bytes_are_one_group_and_shape_counts() -> None:
    grey = np.random.default_rng(0).integers(0, 256, 2048, dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = photo(1).transpose(Image.Transpose.ROTATE_90)
    data = [
        saved(photo(0)), saved(photo(1)), saved(photo(1), "BMP"), saved(lying, exif=exif),
        saved(photo(1).convert("L")), saved(photo(2)),
        saved(Image.fromarray(grey.reshape(32, 64))), saved(Image.fromarray(grey.reshape(64, 32))),
    ]  # fmt: skip
    evidence = scanned(data)
    assert groups_of(copies.exact_copies(evidence)) == [{1, 2, 3}]
    assert set(evidence.table("pixel_copies")["row"].to_pylist()) == {1, 2, 3}


@pytest.mark.parametrize("name", EDITS)
def test_each_edit_is_found_once_and_named(name: str) -> None:
    data = [saved(photo(i), "JPEG", quality=92) for i in range(12)]
    data.append(saved(EDITS[name](photo(4)).convert("RGB"), "JPEG", quality=40))
    evidence = scanned(data)
    near = evidence.table("near_pairs").to_pylist()
    sure = [r for r in near if r["similarity"] >= 0.85]
    assert [{r["row_a"], r["row_b"]} for r in sure] == [{4, 12}]
    if name in TURNS:
        assert sure[0]["turn"] == name or {name, sure[0]["turn"]} == {"rotated 90", "rotated 270"}


def test_many_edits_of_one_picture_make_one_group_and_few_pairs() -> None:
    n = 120
    data = [saved(photo(3), "JPEG", quality=q) for q in range(95, 95 - n // 2, -1)]
    data += [saved(photo(3).resize((120 + i, 90 + i)), "JPEG") for i in range(n // 2)]
    evidence = scanned(data)
    assert len(evidence.table("near_pairs")) < n * n / 2
    (group,) = groups_of(copies.near_copies(evidence, 8, 0.85, True))
    assert group == set(range(n))


def test_pictures_of_one_hash_are_paired_in_linear_number_and_none_is_left_out() -> None:
    n = 20_000
    a, b = copies._ties(np.array([0, 5, 5 + n]))
    assert len(a) < n * (copies.FEW + 2)
    small = (a < 5).sum()
    assert small == 10, "of a few, every pair"
    assert set(b[a == 5].tolist()) == set(range(6, n + 5)), "the first of many with each"


def test_copies_do_not_chain() -> None:
    chain = with_pairs(5, [(0, 1, 0.9), (1, 2, 0.9), (2, 3, 0.9), (3, 4, 0.9)])
    found = copies.near_copies(chain, 8, 0.85, True)
    pairs = {frozenset((a, b)) for a, b in [(0, 1), (1, 2), (2, 3), (3, 4)]}
    members = found.rows != found.keepers
    assert members.any()
    for row, keeper in zip(found.rows[members], found.keepers[members], strict=True):
        assert frozenset((int(row), int(keeper))) in pairs


def test_limits_cut_pairs() -> None:
    evidence = with_pairs(4, [(0, 1, 0.9), (2, 3, 0.6)])
    assert groups_of(copies.near_copies(evidence, 8, 0.85, True)) == [{0, 1}]
    assert len(groups_of(copies.near_copies(evidence, 8, 0.5, True))) == 2
    assert not len(copies.near_copies(evidence, 1, 0.5, True))


@pytest.mark.parametrize(
    ("columns", "kept", "reason"),
    [
        ({"width": [100, 200]}, 1, "larger"),
        ({"jpeg_quality": [40.0, 90.0]}, 1, "better quality"),
        ({"split": ["train", "test"], "width": [200, 100]}, 1, "held-out split stays whole"),
        ({"error": ["damaged", ""], "width": [200, 100]}, 1, "undamaged"),
        ({"path": ["cat (copy).jpg", "cat.jpg"]}, 1, "shorter name"),
        ({}, 0, "the first"),
    ],
)
def test_the_copy_to_keep_and_why(columns: dict[str, Any], kept: int, reason: str) -> None:
    evidence = with_pairs(2, [(0, 1, 0.95)], **columns)
    found = copies.near_copies(evidence, 8, 0.85, True)
    assert found.keepers.tolist() == [kept, kept] and found.rows[0] == kept
    texts = copies.described(evidence, found)
    assert texts[0] == "the copy to keep" and texts[1].endswith(f"(kept: {reason})")
    scores = copies.scored(found)
    assert scores[0] == 1 and scores[1] < 0.5


def test_near_duplicates_counts_exact_copies_once() -> None:
    evidence = with_pairs(3, [(0, 2, 0.95)], content_hash=["a", "a", "b"])
    finding = judged(near_duplicates.CHECK, evidence)
    assert set(finding.subjects.rows.tolist()) == {0, 2} and finding.numbers["extra_copies"] == 1
    exact = judged(exact_duplicates.CHECK, evidence)
    assert exact.subjects.rows.tolist() == [0, 1] and exact.numbers["groups"] == 1


def test_files_without_content_are_no_copies() -> None:
    evidence = with_pairs(4, [], content_hash=["a", "a", None, None], error=["empty"] * 4)
    assert judged(exact_duplicates.CHECK, evidence).verdict == "pass"


def test_a_leak_is_found_although_its_partner_belongs_to_another_star() -> None:
    # 0 and 3 in test, 1 and 2 in training: 0-1, 1-3 and 3-2 each cross the split.
    evidence = with_pairs(
        4, [(0, 1, 0.99), (1, 3, 0.95), (3, 2, 0.9)], split=["test", "train", "train", "test"]
    )
    finding = judged(split_leak.CHECK, evidence)
    assert finding.verdict == "fail" and set(finding.subjects.rows.tolist()) == {0, 1, 2, 3}
    dropped = finding.subjects.rows[finding.subjects.scores < 0.5]
    assert set(dropped.tolist()) == {1, 2}, "training gives way, test stays"


def test_copies_within_a_split_are_no_leak() -> None:
    evidence = with_pairs(4, [(0, 1, 0.99), (2, 3, 0.99)], split=["test", "test", "train", "train"])
    assert judged(split_leak.CHECK, evidence).verdict == "pass"


def test_a_leak_of_samples_without_a_split_is_none() -> None:
    evidence = with_pairs(
        4, [(0, 1, 0.99)], content_hash=["a", "b", "c", "a"], split=[None, "train", "test", "train"]
    )
    assert judged(split_leak.CHECK, evidence).verdict == "pass"


@pytest.mark.parametrize("splits", [[None] * 3, ["train"] * 3])
def test_a_leak_needs_two_splits(splits: list[str | None]) -> None:
    finding = judged(split_leak.CHECK, with_pairs(3, [], split=splits))
    assert finding.verdict == "skipped" and "split" in finding.summary


def test_labels_that_differ_on_exact_and_on_near_copies() -> None:
    near = with_pairs(3, [(0, 1, 0.9)], label=["cat", "dog", "cat"])
    assert judged(conflicting_labels.CHECK, near).verdict == "warn"
    exact = with_pairs(3, [], content_hash=["a", "a", "b"], label=["cat", "dog", "cat"])
    finding = judged(conflicting_labels.CHECK, exact)
    assert finding.verdict == "fail" and finding.subjects.scores.max() < 0.5
    same = with_pairs(3, [(0, 1, 0.9)], content_hash=["a", "b", "b"], label=["cat"] * 3)
    assert judged(conflicting_labels.CHECK, same).verdict == "pass"
    assert judged(conflicting_labels.CHECK, with_pairs(2, [(0, 1, 0.9)])).verdict == "skipped"


def test_crowded_data_is_said_aloud() -> None:
    evidence = with_pairs(2, [(0, 1, 0.95)])
    table = evidence.tables["near_pairs"]
    few = table.set_column(6, "complete", pa.array([3], pa.uint8()))
    crowded = Evidence(evidence.dataset, evidence.samples, evidence.boxes,
                       {**evidence.tables, "near_pairs": few})  # fmt: skip
    assert "up to 3 bits" in judged(near_duplicates.CHECK, crowded).summary
    assert "bits" not in judged(near_duplicates.CHECK, evidence).summary


def real(name: str) -> list[Path]:
    if not (REAL / name).is_dir():
        pytest.skip(f"no {REAL / name}: set RECIPE_REAL_DATA to a folder that holds {name}")
    return sorted((REAL / name).rglob("*.jpg"))


@pytest.mark.real_data
def test_eight_orientations_of_a_picture_are_one_group() -> None:
    paths = real("exif_orientation")
    found = copies.near_copies(scanned([p.read_bytes() for p in paths]), 8, 0.85, True)
    names = [{paths[r].stem.split("_")[0] for r in g} for g in groups_of(found)]
    assert names == [{"Landscape"}, {"Portrait"}] and len(found) == len(paths)


@pytest.mark.real_data
def test_the_four_exact_pairs_of_raccoon() -> None:
    data = [p.read_bytes() for p in real("raccoon")]
    found = copies.exact_copies(scanned(data))
    digests = [hashlib.sha256(d).hexdigest() for d in data]
    assert found.n_groups == found.extra == len(data) - len(set(digests)) == 4
