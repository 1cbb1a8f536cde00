"""Are copies found by their pixels, grouped without chains, and is the right one kept?"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from recipe_core.data import copies, near_pairs, pixel_copies, planted_copies
from recipe_core.data.checks import (
    conflicting_labels,
    exact_duplicates,
    near_duplicates,
    split_leak,
)
from recipe_core.images.copy_keys import WAYS, keys_of, nominated
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


MEASURES = (pixel_copies.PIXELS, near_pairs.NEAR, planted_copies.PLANTED)


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

    def shared_out(self, work: Callable[[Any], Any], parts: Iterable[Any]) -> Iterator[Any]:
        return map(work, parts)


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
    for m in MEASURES:
        tables = {**evidence.tables, m.name: m.function(evidence, files, silent)}
        evidence = Evidence(evidence.dataset, evidence.samples, evidence.boxes, tables)
    return evidence


def with_pairs(
    n: int,
    pairs: Sequence[tuple[int, int, float]],
    *,
    thinned: bool = False,
    **columns: Sequence[Any],
) -> Evidence:
    """Evidence of n different files, and near pairs (a, b, similarity) as if measured."""
    near = [
        {"row_a": a, "row_b": b, "distance": 2, "similarity": s, "turn": "", "part": "",
         "complete": 8, "thinned": thinned}
        for a, b, s in pairs
    ]  # fmt: skip
    given: dict[str, Sequence[Any]] = {
        "content_hash": [f"{i:032x}" for i in range(n)], "width": [100] * n, "height": [100] * n,
        **columns,
    }  # fmt: skip
    tables = {
        "pixel_copies": pixel_copies.PIXEL_FIELDS.empty_table(),
        "near_pairs": pa.Table.from_pylist(near, schema=near_pairs.NEAR_FIELDS),
        "planted_copies": planted_copies.PLANTED_FIELDS.empty_table(),
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


def many_edits(n: int) -> Evidence:
    data = [saved(photo(3), "JPEG", quality=q) for q in range(95, 95 - n // 2, -1)]
    data += [saved(photo(3).resize((120 + i, 90 + i)), "JPEG") for i in range(n // 2)]
    return scanned(data)


def test_some_edits_of_one_picture_make_one_group() -> None:
    (group,) = groups_of(copies.near_copies(many_edits(16), 8, 0.85, True))
    assert group == set(range(16))


def test_a_crowd_of_edits_makes_few_pairs_and_only_groups_of_compared_pairs() -> None:
    n = 120
    evidence = many_edits(n)
    near = evidence.table("near_pairs")
    assert len(near) < n * n / 2 and any(near["thinned"].to_pylist())
    compared = set(zip(near["row_a"].to_pylist(), near["row_b"].to_pylist(), strict=True))
    found = copies.near_copies(evidence, 8, 0.85, True)
    for group in groups_of(found):
        assert all(p in compared or p[::-1] in compared for p in combinations(sorted(group), 2))
    assert len(found) >= 0.95 * n and found.n_groups < n / 8


def test_pictures_of_one_hash_are_paired_in_linear_number_and_none_is_left_out() -> None:
    n = 20_000
    a, b = near_pairs._ties(np.array([0, 5, 5 + n]))
    assert len(a) < n * (near_pairs.FEW + 2)
    small = (a < 5).sum()
    assert small == 10, "of a few, every pair"
    assert set(b[a == 5].tolist()) == set(range(6, n + 5)), "the first of many with each"


@given(st.integers(0, 2**32 - 1), st.integers(1, 400))
@settings(max_examples=50, deadline=None)
def test_of_too_many_nominated_pairs_no_plain_one_goes_before_a_crop_of_its_distance(
    seed: int, most: int
) -> None:
    """And every pair as near as `complete` says is there, whichever way it was nominated."""
    rng, k, n = np.random.default_rng(seed), 600, 40
    a, b, way = rng.integers(n, size=k), rng.integers(n, size=k), rng.integers(len(WAYS), size=k)
    distance = rng.integers(9, size=k).astype(np.uint8)
    nominated = near_pairs.Nominated(a, b, distance, way, np.zeros(k, bool), 8)
    whole = near_pairs._each_once(nominated, n)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near_pairs, "MOST_CANDIDATES", most)
        patch.setattr(near_pairs, "MOST_EACH", 0)
        kept = near_pairs._each_once(nominated, n)
    assert len(kept.a) == min(most, len(whole.a))
    every = {(a, b): (d, WAYS[w].part == "crop") for a, b, d, w in _pairs(whole)}
    gone = [every[p] for p in every.keys() - {(a, b) for a, b, _, _ in _pairs(kept)}]
    assert all(d > kept.complete for d, _ in gone) or not kept.complete
    crops = [d for _, _, d, w in _pairs(kept) if WAYS[w].part == "crop"]
    assert all(d > max(crops) for d, crop in gone if not crop and crops)
    said = kept.limits.compared(whole.distance, whole.way)
    assert abs(np.count_nonzero(said) - len(kept.a)) <= 1, "the limits say which pairs are kept"
    rank = whole.distance + near_pairs.LATER[whole.way]
    here = {(a, b) for a, b, _, _ in _pairs(kept)}
    for pair, told, later in zip(_pairs(whole), said.tolist(), rank.tolist(), strict=True):
        assert told == (pair[:2] in here) or later == kept.limits.rank


def test_turned_pictures_and_parts_are_only_told_as_far_as_they_were_looked_for() -> None:
    way = np.arange(len(WAYS))
    reach = near_pairs.Limits(across=5)
    far = np.full(len(WAYS), 6)
    whole = [w.still != WHOLE or (w.moving == WHOLE and not w.turn) for w in WAYS]
    assert reach.compared(far, way).tolist() == whole
    assert reach.compared(far - 1, way).all() and near_pairs.Limits().compared(far + 2, way).all()


def test_recall_counts_no_copy_that_the_limit_on_pairs_would_leave_out() -> None:
    data = [saved(photo(i), "JPEG", quality=92) for i in range(30)]
    data += [saved(EDITS[e](photo(i)), "JPEG", quality=92)
             for i in range(8) for e in ("cropped", "mirrored", "captioned")]  # fmt: skip
    free = scanned(data).table("planted_copies")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near_pairs, "MOST_CANDIDATES", 12)
        patch.setattr(near_pairs, "MOST_EACH", 0)
        evidence = scanned(data)
    limits = near_pairs.limits_of(evidence.table("near_pairs"))
    capped = evidence.table("planted_copies")
    before, after = (t["similarity"].to_numpy() for t in (free, capped))
    assert limits.rank < 12 and 0 <= limits.share < 1
    assert set(after[after != before]) == {0} and (after == before).any()
    assert (after[capped["distance"].to_numpy() > limits.rank] == 0).all()


def _pairs(found: near_pairs.Nominated) -> list[tuple[int, int, int, int]]:
    columns = (found.a, found.b, found.distance, found.way)
    return list(zip(*(c.tolist() for c in columns), strict=True))


@given(st.integers(2, 12), st.data())
@settings(max_examples=80, deadline=None)
def test_every_two_members_of_a_near_group_match(n: int, data: st.DataObject) -> None:
    every = [(a, b) for a in range(n) for b in range(a + 1, n)]
    chosen = data.draw(st.lists(st.sampled_from(every), unique=True))
    evidence = with_pairs(n, [(a, b, 0.9) for a, b in chosen])
    found = copies.near_copies(evidence, 8, 0.85, True)
    for group in groups_of(found):
        assert all(pair in chosen for pair in combinations(sorted(group), 2))
    left = {a for pair in chosen for a in pair} - set(found.rows.tolist())
    assert not any(a in left and b in left for a, b in chosen), "two loose copies make a group"
    shuffled = data.draw(st.permutations(chosen))
    again = copies.near_copies(with_pairs(n, [(a, b, 0.9) for a, b in shuffled]), 8, 0.85, True)
    assert again.rows.tolist() == found.rows.tolist() and (again.groups == found.groups).all()


def test_in_a_thinned_crowd_two_sure_copies_of_one_picture_match() -> None:
    for thinned, alike, size in ((True, 0.98, 3), (True, 0.93, 2), (False, 0.98, 2)):
        evidence = with_pairs(3, [(0, 2, alike), (1, 2, alike)], thinned=thinned)
        found = copies.near_copies(evidence, 8, 0.85, True)
        assert len(found) == size
        texts = copies.described(evidence, found)
        assert texts[0] == "the copy to keep" and all("kept" in t for t in texts[1:])


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


@pytest.mark.parametrize("error", ["empty", "not_an_image", "undecodable", "truncated"])
def test_equal_files_without_a_picture_are_no_copies_leaks_or_conflicts(error: str) -> None:
    columns = {"content_hash": ["a", "a", "b", "c"], "label": ["cat", "dog", "cat", "dog"],
               "split": ["train", "test", "train", "test"]}  # fmt: skip
    checks = (exact_duplicates.CHECK, conflicting_labels.CHECK, split_leak.CHECK)
    broken = with_pairs(4, [], error=[error, error, "", ""], **columns)
    assert [judged(c, broken).verdict for c in checks] == ["pass"] * 3
    damaged = with_pairs(4, [], error=["damaged"] * 2 + [""] * 2, **columns)
    assert [judged(c, damaged).verdict for c in checks] == ["fail"] * 3


def test_the_protected_folder_is_kept_first() -> None:
    paths = ["ab/1.jpg", "a/1.jpg"]
    near = with_pairs(2, [(0, 1, 0.9)], path=paths, width=[200, 100])
    for folder, kept in (("", 0), ("a", 1), ("./a/", 1), ("a/1.jpg", 1), ("ab", 0), ("b", 0)):
        finding = judged(near_duplicates.CHECK, near, {"protected": folder})
        assert finding.subjects.rows[finding.subjects.scores == 1].tolist() == [kept]
        assert ("protected folder" in finding.subjects.details[1]) == (folder not in ("", "b"))
    same = with_pairs(2, [], path=paths, width=[200, 200], content_hash=["x", "x"])
    finding = judged(exact_duplicates.CHECK, same, {"protected": "ab"})
    assert finding.subjects.rows[0] == 0
    leak = with_pairs(2, [(0, 1, 0.9)], path=paths, split=["test", "train"])
    for folder, kept in (("", 0), ("a", 1)):
        finding = judged(split_leak.CHECK, leak, {"protected": folder})
        assert finding.subjects.rows[finding.subjects.scores == 1].tolist() == [kept]


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


def test_planted_copies_are_nominated_as_the_search_over_all_pairs_does() -> None:
    pictures = [photo(i).convert("L").resize((SIDE, SIDE)) for i in range(30)]
    pictures += [EDITS[e](p).convert("L").resize((SIDE, SIDE))
                 for p in pictures[:6] for e in ("cropped", "mirrored", "captioned")]  # fmt: skip
    keys = keys_of(np.stack([np.asarray(p, np.float32) for p in pictures]))
    found = near_pairs._nominated(keys, silent)
    one, other = np.minimum(found.a, found.b), np.maximum(found.a, found.b)
    assert len(one) >= 12
    _, _, distance, way = nominated(keys, one, other)
    np.testing.assert_array_equal(distance, found.distance)
    np.testing.assert_array_equal(way, found.way)


@pytest.mark.parametrize(
    ("rank", "found", "verdict"),
    [(6, 3, "skipped"), (6, 7, "pass"), (12, 3, "pass")],
    ids=["most are left out", "most are found", "all pairs were compared"],
)
def test_where_the_limit_on_pairs_hides_most_copies_it_is_no_pass(
    rank: int, found: int, verdict: str
) -> None:
    evidence = with_pairs(10, [])
    told = json.dumps({"across": 8, "rank": rank, "share": 1.0})
    near = evidence.table("near_pairs").replace_schema_metadata({"limits": told})
    planted = pa.Table.from_pylist(
        [{"edit": "grey", "row": i, "distance": 0, "similarity": float(i < found), "turn": ""}
         for i in range(10)],
        schema=planted_copies.PLANTED_FIELDS,
    )  # fmt: skip
    tables = {**evidence.tables, "near_pairs": near, "planted_copies": planted}
    made = Evidence(evidence.dataset, evidence.samples, evidence.boxes, tables)
    assert judged(near_duplicates.CHECK, made).verdict == verdict


def test_the_radius_comes_from_planted_copies_unless_it_is_set() -> None:
    data = [saved(photo(i), "JPEG", quality=92) for i in range(30)]
    evidence = scanned(data)
    planted = evidence.table("planted_copies")
    assert len(planted) == 30 * len(planted_copies.EDITS)
    recall = planted_copies.recall_by_radius(planted, 0.85, True)
    assert min(r[-1] for r in recall.values()) > 0.8
    finding = judged(near_duplicates.CHECK, evidence)
    radius = finding.numbers["radius"]
    assert all(r[radius] >= r[-1] - 0.01 for r in recall.values())
    assert not radius or any(r[radius - 1] < r[-1] - 0.01 for r in recall.values())
    assert finding.numbers["precision_at_least"] == 1 and len(finding.charts) == 2
    by_hand = judged(near_duplicates.CHECK, evidence, {"radius_from": "the slider", "radius": 2})
    assert by_hand.numbers["radius"] == 2
    unturned = planted_copies.recall_by_radius(planted, 0.85, False)
    assert unturned["mirrored"].max() == 0 and unturned["recompressed"].max() == 1
    assert planted.equals(scanned(data).table("planted_copies")), "the same each time"
    bare = Evidence(evidence.dataset, evidence.samples, evidence.boxes)
    finish = planted_copies.begin_planted(bare, InMemory(data))
    assert finish(evidence, silent).equals(planted), "begun before near pairs are known"


@pytest.mark.parametrize(("max_loss", "radius"), [(0.0, 5), (0.01, 4), (0.05, 2), (0.5, 0)])
def test_the_smallest_radius_that_loses_no_more(max_loss: float, radius: int) -> None:
    steep = np.array([0.5, 0.9, 0.95, 0.95, 0.99, 1, 1, 1, 1])
    recall = {"steep": steep, "flat": np.full(9, 0.7)}
    assert planted_copies.smallest_radius(recall, max_loss) == radius
    assert planted_copies.smallest_radius({}, max_loss) == near_pairs.RADIUS


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
