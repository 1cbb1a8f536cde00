"""Is what a browser says about the grid taken for no more than it is?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import streamlit as st
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as hs

from app import gallery, marks, views

ANYTHING = hs.recursive(
    hs.none() | hs.booleans() | hs.integers() | hs.floats() | hs.text(),
    lambda inner: hs.lists(inner) | hs.dictionaries(hs.text(), inner),
)
PAIRS = hs.lists(hs.tuples(hs.integers(-5, 30), hs.integers(-5, 30)).map(list))


@settings(suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault
@given(PAIRS, hs.integers(0, 25))
def test_a_selection_is_the_union_of_its_ranges_within_the_view(
    pairs: list[list[int]], total: int
) -> None:
    chosen = gallery.selected({"ranges": pairs}, "view", total)
    places = {p for first, last in pairs for p in range(max(0, first), min(last, total))}
    assert [p for r in chosen.ranges for p in range(*r)] == sorted(places)
    assert len(chosen) == len(places)
    assert chosen.all == (total > 0 and len(places) == total)


@settings(suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault
@given(ANYTHING)
def test_nonsense_selects_nothing_and_breaks_nothing(sent: object) -> None:
    for message in (sent, {"ranges": sent}, {"ranges": [sent]}):
        ranges = gallery.selected(message, "v", 9).ranges
        assert {p for r in ranges for p in r} <= set(range(10))


def opened_view(workspace: Path, rows: list[int]) -> str:
    return views.open_view(("gallery", *rows), lambda: np.array(rows, np.int64))[0]


def test_all_of_a_view_are_its_rows_in_its_order(workspace: Path) -> None:
    key = opened_view(workspace, [5, 3, 9, 0])
    assert gallery.Selection(key, 4, ((0, 4),)).rows().tolist() == [5, 3, 9, 0]
    assert gallery.Selection(key, 4, ((0, 1), (2, 3))).rows().tolist() == [5, 9]
    assert gallery.Selection("no such view", 4, ((0, 4),)).rows().tolist() == []


@pytest.mark.parametrize("place", [-1, 4, 10**30, 1.5, "0", None, [0], True])
def test_only_places_of_the_view_are_inspected(workspace: Path, place: Any) -> None:
    key = opened_view(workspace, [5, 3, 9, 0])
    assert gallery._inspected({"place": place, "row": 7}, key) == (None, None)
    assert gallery._inspected({"place": 2, "row": 7}, key) == (9, 2)  # the view's row, not theirs


def test_a_command_is_taken_once_and_in_order(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(st, "session_state", {})
    key = opened_view(workspace, [5, 3, 9, 0])

    def sent(number: object, name: object = "exclude", view: object = key) -> list[int] | None:
        message = {"name": name, "view": view, "ranges": [[1, 3]], "id": number}
        command, about = gallery._commanded(message, "grid")
        return None if command is None else about.rows().tolist()

    assert sent(10) == [3, 9]
    assert sent(10) is None and sent(9) is None and sent(11) == [3, 9]
    assert sent(12, name="delete") is None
    assert sent(13, view="guessed") is None and sent(14, view=["x"]) is None
    assert sent("15") is None and gallery._seen("grid") == 11


def test_a_command_is_about_the_view_that_was_seen(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(st, "session_state", {})
    before = opened_view(workspace, [5, 3, 9, 0])
    opened_view(workspace, [5, 9, 0])  # by now 3 has been excluded and left the view
    _, about = gallery._commanded(
        {"name": "exclude", "view": before, "ranges": [[2, 3]], "id": 1}, "grid"
    )
    assert about.rows().tolist() == [9]


def test_headings_hold_every_sample() -> None:
    assert gallery.headings([], 9) == []
    assert gallery.headings([("a", 4), ("empty", 0), ("b", 5)], 9) == [("a", 4), ("b", 5)]
    assert gallery.headings([("a", 4)], 9) == [("a", 4), ("Others", 5)]
    many = [(str(i), 2) for i in range(gallery.MOST_GROUPS + 3)]
    shown = gallery.headings(many, 2 * len(many))
    assert sum(n for _, n in shown) == 2 * len(many) and shown[-1] == ("3 more groups", 6)
    with pytest.raises(ValueError, match="1 samples more"):
        gallery.headings([("a", 4)], 3)


def test_one_view_for_one_answer_and_another_after_it_changed(workspace: Path) -> None:
    one = views.open_view(("filter", "a"), lambda: np.arange(4))
    assert views.open_view(("filter", "b"), lambda: np.arange(4)) == one
    assert views.open_view(("filter", "c"), lambda: np.arange(3))[0] != one[0]
    assert views.open_view(("filter", "a"), lambda: np.arange(99)) == one  # not asked again


@settings(suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault
@given(
    hs.lists(hs.tuples(hs.integers(0, 4), *[hs.floats(-10, 60, width=16)] * 4), max_size=12),
    hs.lists(hs.none() | hs.integers(1, 50), min_size=5, max_size=5),
)
def test_relative_boxes_are_the_pixels_over_the_sides(
    boxes: list[tuple[int, float, float, float, float]], sides: list[int | None]
) -> None:
    columns = list(zip(*boxes, strict=True)) or [()] * 5
    table = pa.table({
        "row": pa.array(columns[0], pa.int64()),
        **{c: pa.array(v, pa.float64())
           for c, v in zip(("xmin", "ymin", "xmax", "ymax"), columns[1:], strict=True)},
        "label": pa.array([f"l{i}" for i in range(len(boxes))], pa.string()),
    })  # fmt: skip
    size = pa.array(sides, pa.int32())
    found = marks.relative(table, pa.table({"width": size, "height": size}))
    for row in range(5):
        side = sides[row]
        expected = {
            f"l{i}": np.float32(np.array(b[1:]) / side).tolist()
            for i, b in enumerate(boxes)
            if b[0] == row and side is not None
        }
        told = {b[4]: b[:4] for b in found.of(row)}
        assert told.keys() == expected.keys()
        for label, corners in expected.items():
            assert told[label] == pytest.approx(corners, abs=1e-4)


def test_of_many_boxes_the_largest_are_drawn() -> None:
    n = marks.MOST_BOXES + 20
    corners = np.zeros((n, 4), np.float32)
    corners[:, 2] = corners[:, 3] = np.arange(n) / n
    labels = pa.chunked_array([[str(i) for i in range(n)]])
    told = marks.Boxes(np.array([0, n]), corners, labels).of(0)
    assert [b[4] for b in told] == [str(i) for i in range(n - 1, 19, -1)]


def test_short_names_of_checks() -> None:
    assert [marks.short(c) for c in ("near_duplicates", "corruption")] == ["ND", "Co"]
