"""Do boxes stay on their object when the picture is turned, and do shares add up?"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from recipe_core.data.checks import annotations
from recipe_core.data.checks.annotations import CHECK
from recipe_core.images.boxes import BOX_COLUMN_FIELDS, CORNERS, box_columns, pixel_boxes
from recipe_core.images.sources.detect import read_dataset
from recipe_core.kernel.check import judged
from recipe_core.kernel.evidence import Evidence
from recipe_core.kernel.nouns import BOX_FIELDS, Finding
from tests.making import make_evidence
from tests.planted.plant import Plant
from tests.planted.plant_annotations import PLANTS

WIDTH, HEIGHT = 40, 24  # of the stored picture
BOX = (5, 3, 17, 9)


def box(row: int, corners: Sequence[float | None], **given: Any) -> dict[str, Any]:
    return {"row": row, "label": "cat", **dict(zip(CORNERS, corners, strict=True)), **given}


def table(*boxes: Mapping[str, Any]) -> pa.Table:
    return pa.Table.from_pylist([{"relative": False, **b} for b in boxes], schema=BOX_FIELDS)


def samples(*rows: tuple[int | None, int | None, int | None]) -> pa.Table:
    width, height, orientation = zip(*rows, strict=True)
    return pa.table({
        "width": pa.array(width, pa.int32()), "height": pa.array(height, pa.int32()),
        "orientation": pa.array(orientation, pa.int8()),
    })  # fmt: skip


def corners(t: pa.Table) -> list[tuple[float, ...]]:
    return [tuple(r[c] for c in CORNERS) for r in t.to_pylist()]


def displayed(orientation: int) -> tuple[tuple[int, int], tuple[float, ...]]:
    """The oracle: Pillow turns a picture with BOX painted white; size and box of what is shown."""
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
    pixels[BOX[1] : BOX[3], BOX[0] : BOX[2]] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", exif=exif)
    shown = ImageOps.exif_transpose(Image.open(buffer))
    found = shown.getbbox()
    assert found is not None
    return shown.size, found


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_drawn_on_the_stored_picture_turn_with_it(orientation: int) -> None:
    size, expected = displayed(orientation)
    stored = {"annotated_width": WIDTH, "annotated_height": HEIGHT}
    # Orientations 2 … 4 cannot be decided alone: the first picture tells how the set was drawn
    six, _ = displayed(6)
    found = pixel_boxes(
        table(box(0, BOX, **stored), box(1, BOX, **stored)),
        samples((*six, 6), (*size, orientation)),
    )
    assert corners(found)[1] == expected
    turned = found.to_pylist()[1]
    assert (turned["annotated_width"], turned["annotated_height"]) == size


@pytest.mark.parametrize("orientation", range(1, 9))
def test_relative_boxes_of_a_turned_picture(orientation: int) -> None:
    size, expected = displayed(orientation)
    share = tuple(v / s for v, s in zip(expected, (*size, *size), strict=True))
    found = pixel_boxes(table(box(0, share, relative=True)), samples((*size, orientation)))
    assert corners(found)[0] == pytest.approx(expected) and not found["relative"].to_pylist()[0]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_drawn_on_the_displayed_picture_stay(orientation: int) -> None:
    size, expected = displayed(orientation)
    claims = {"annotated_width": size[0], "annotated_height": size[1]}
    found = pixel_boxes(table(box(0, expected, **claims)), samples((*size, orientation)))
    assert corners(found) == [expected]


@given(st.lists(st.floats(-50, 90), min_size=4, max_size=4), st.integers(2, 8))
@settings(max_examples=60, deadline=None)
def test_turning_keeps_area_and_faults(values: list[float], orientation: int) -> None:
    """An inverted box stays inverted; sides keep their lengths, exchanged by a quarter turn."""
    six, _ = displayed(6)
    size, _ = displayed(orientation)
    stored = {"annotated_width": WIDTH, "annotated_height": HEIGHT}
    boxes = table(box(0, BOX, **stored), box(1, values, **stored))
    x0, y0, x1, y1 = corners(pixel_boxes(boxes, samples((*six, 6), (*size, orientation))))[1]
    sides = (values[2] - values[0], values[3] - values[1])
    expected = sides[::-1] if orientation >= 5 else sides
    assert (x1 - x0, y1 - y0) == pytest.approx(expected, abs=1e-9)


def test_without_a_size_boxes_are_taken_as_displayed() -> None:
    found = pixel_boxes(table(box(0, BOX)), samples((HEIGHT, WIDTH, 6)))
    assert corners(found) == [BOX]


def test_what_was_not_measured_has_no_pixels() -> None:
    boxes = table(box(0, (0.1, 0.1, 0.5, 0.5), relative=True), box(0, BOX))
    found = pixel_boxes(boxes, samples((None, None, None)))
    assert corners(found) == [(None,) * 4, BOX] and found["relative"].to_pylist() == [False, False]
    assert pixel_boxes(BOX_FIELDS.empty_table(), samples((1, 1, 1))).num_rows == 0


def test_columns_of_boxes() -> None:
    boxes = table(
        box(0, (0, 0, 20, 10)), box(0, (10, 0, 30, 10), label="ant"), box(0, (0, 0, 20, 10)),
        box(2, (-50, -50, 100, 100)), box(2, (0, 0, 40, 20)),
        box(3, (0, 0, 0.5, 0.5), relative=True),
        box(4, BOX),
    )  # fmt: skip
    size = (40, 20, 1)
    found = box_columns(boxes, samples(size, size, size, (None, None, None), (None, None, None)))
    assert found.schema.equals(BOX_COLUMN_FIELDS)
    assert found["n_boxes"].to_pylist() == [3, 0, 2, 1, 1]
    assert found["box_labels"].to_pylist() == ["ant, cat", "", "cat", "cat", "cat"]
    assert found["box_area_share"].to_pylist() == [0.75, None, 1.0, 0.25, None]
    assert found["smallest_box_share"].to_pylist() == [0.25, None, 1.0, 0.25, None]
    none = box_columns(BOX_FIELDS.empty_table(), samples(size, size))
    assert none.schema.equals(BOX_COLUMN_FIELDS) and all(c.null_count == 2 for c in none.columns)


# --- the check, on boxes as written and on planted data sets


def finding(boxes: Sequence[Mapping[str, Any]], **overrides: float) -> Finding:
    rows = 1 + max(b["row"] for b in boxes)
    evidence = make_evidence(
        {"width": [640] * rows, "height": [480] * rows},
        boxes=[{"relative": False, **b} for b in boxes], class_names=["cat", "dog"],
    )  # fmt: skip
    return judged(CHECK, evidence, overrides)


def test_no_boxes_no_judgement() -> None:
    skipped = judged(CHECK, make_evidence({"width": [1], "height": [1]}))
    assert skipped.verdict == "skipped" and "no boxes" in skipped.summary


@pytest.mark.parametrize(("given_box", "kind", "verdict"), [
    ((10, 10, 10, 50), "degenerate", "fail"),
    ((50, 10, 10, 50), "degenerate", "fail"),
    ((float("nan"), 10, 20, 50), "degenerate", "fail"),
    ((0, 0, float("inf"), 50), "degenerate", "fail"),
    ((640, 10, 700, 50), "off_image", "fail"),
    ((-50, 10, 0, 50), "off_image", "fail"),
    ((-20, 10, 40, 50), "outside", "warn"),
    ((600, 400, 645, 470), "outside", "warn"),
    ((1, 1, 640, 480), "", "pass"),
    ((0, 0, 641, 481), "", "pass"),
    ((10, 10, 11, 50), "tiny", "warn"),
    ((10, 10, 12, 12), "", "pass"),
    ((None, None, None, None), "", "pass"),
])  # fmt: skip
def test_one_box(given_box: tuple[float | None, ...], kind: str, verdict: str) -> None:
    found = finding(
        [box(0, given_box), box(0, (100, 100, 300, 300), label="dog"), box(1, (5, 5, 90, 90))]
    )
    assert found.verdict == verdict, found.summary
    counts = {k: found.numbers[f"n_{k}"] for k in annotations.KINDS}
    assert counts == {k: int(k == kind) for k in annotations.KINDS}
    assert found.subjects.rows.tolist() == ([0] if kind else [])
    assert found.numbers["n_not_judged"] == int(given_box[0] is None)


@pytest.mark.parametrize(("claimed", "kind"), [
    ((640, 480), ""), ((639, 481), ""), ((480, 640), "swapped_size"), ((1280, 960), "other_size"),
    ((None, None), ""),
])  # fmt: skip
def test_annotated_size(claimed: tuple[int | None, int | None], kind: str) -> None:
    size = dict(zip(("annotated_width", "annotated_height"), claimed, strict=True))
    found = finding([box(0, (5, 5, 90, 90), **size)])
    assert {k for k in annotations.KINDS if found.numbers[f"n_{k}"]} == ({kind} if kind else set())


def _overlap(a: Sequence[float], b: Sequence[float]) -> float:
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(w, 0) * max(h, 0)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


@given(st.integers(0, 10_000), st.sampled_from([0.6, 0.8, 0.95, 1.0]))
@settings(max_examples=60, deadline=None)
def test_duplicates_are_those_of_all_pairs(seed: int, iou: float) -> None:
    """The oracle compares every pair of every picture."""
    rng = np.random.default_rng(seed)
    low = rng.integers(0, 6, (40, 2)) * rng.choice([1, 20])
    side = rng.integers(20, 24, (40, 2)) * 5
    boxes = [
        box(int(rng.integers(0, 3)), (*map(float, a), *map(float, a + s)),
            label=str(rng.choice(["cat", "dog"])))
        for a, s in zip(low, side, strict=True)
    ]  # fmt: skip
    found = finding(boxes, duplicate_iou=iou)
    pairs = [
        (i, j)
        for i in range(40)
        for j in range(i)
        if boxes[i]["row"] == boxes[j]["row"]
        and _overlap([boxes[i][c] for c in CORNERS], [boxes[j][c] for c in CORNERS]) >= iou
    ]
    same = [p for p in pairs if boxes[p[0]]["label"] == boxes[p[1]]["label"]]
    torn = {i for p in pairs if boxes[p[0]]["label"] != boxes[p[1]]["label"] for i in p}
    assert found.numbers["n_two_labels"] == len(torn)
    in_order = sorted(range(40), key=lambda i: (boxes[i]["row"], boxes[i]["xmin"], i))
    place = {b: k for k, b in enumerate(in_order)}
    assert found.numbers["n_duplicate"] == len({max(p, key=place.__getitem__) for p in same})


def test_a_thousand_copies_of_one_box() -> None:
    found = finding([box(0, (1, 1, 9, 9))] * 1000)
    assert found.numbers["n_duplicate"] == 999 and len(found.subjects) == 1
    assert "and 996 more" in found.subjects.details[0]


def test_a_label_outside_the_class_list() -> None:
    found = finding([box(0, (1, 1, 9, 9), label="id 17?"), box(1, (1, 1, 9, 9))])
    assert found.verdict == "fail" and found.numbers["faults_per_class"] == {
        "unknown_label": {"id 17?": 1}
    }
    assert found.numbers["classes_without_boxes"] == ["dog"] and found.next_step


def test_charts_count_every_box() -> None:
    found = finding(
        [box(0, (1, 1, 90, 90)), box(2, (1, 1, 90, 90), label="dog"), box(2, (200, 1, 290, 90))]
    )
    per_class, per_picture, size = found.charts
    assert dict(zip(per_class.x, per_class.series["boxes"], strict=True)) == {"cat": 2, "dog": 1}
    assert per_picture.series["pictures"] == [1, 1, 1] and sum(size.series["boxes"]) == 3
    assert len(per_picture.x) == 4 and found.numbers["n_images_without_boxes"] == 1


def measured(root: Path) -> Evidence:
    """What a scan knows about the sizes."""
    d = read_dataset(root)
    rows = []
    for path in d.samples["path"].to_pylist():
        with Image.open(root / path) as im:
            rows.append((*im.size, 1))
    table_ = d.samples
    for name, column in zip(samples(*rows).column_names, samples(*rows).columns, strict=True):
        table_ = table_.append_column(name, column)
    return Evidence(d, table_, pixel_boxes(d.boxes, table_))


@pytest.mark.parametrize("plant", PLANTS, ids=[p.name for p in PLANTS])
def test_planted_boxes_are_named_and_their_twins_pass(plant: Plant, tmp_path: Path) -> None:
    for name, write in (("fault", plant.fault), ("healthy", plant.healthy)):
        (tmp_path / name).mkdir()
        write(tmp_path / name)
    healthy = judged(CHECK, measured(tmp_path / "healthy"))
    assert healthy.verdict == "pass" and not len(healthy.subjects), healthy.summary
    evidence = measured(tmp_path / "fault")
    found = judged(CHECK, evidence)
    paths = evidence.samples["path"].to_pylist()
    assert found.verdict in plant.verdicts, found.summary
    assert {paths[r] for r in found.subjects.rows.tolist()} == plant.subjects
    assert found.next_step and (found.subjects.scores < 1).all()


@pytest.mark.real_data
def test_the_raccoons_boxes_are_sound() -> None:
    """Counted apart from the check: all 217 boxes lie inside, sizes agree, none is double."""
    default = Path(__file__).parents[2].parent / "shared" / "data"
    root = Path(os.environ.get("RECIPE_REAL_DATA", default)) / "raccoon"
    if not root.exists():
        pytest.skip("no raccoon in RECIPE_REAL_DATA")
    found = judged(CHECK, measured(root))
    assert found.verdict == "pass" and found.numbers["n_boxes"] == 217, found.summary
