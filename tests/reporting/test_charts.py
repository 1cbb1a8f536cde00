"""Do both drawings show the chart's numbers, and say what they leave out?"""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipe_core.kernel.nouns import Chart
from recipe_core.reporting.drawn import MOST_CATEGORIES, MOST_CELLS_A_SIDE, MOST_SERIES, drawn
from recipe_core.reporting.figures import figure
from recipe_core.reporting.palette import DARK, LIGHT, Palette
from recipe_core.reporting.svg import svg_figure, ticks
from tests.reporting.making import CHARTS, CLASSES

HOSTILE = '<b onload="x">&amp;</b><br>\n</svg><script>'
BAR = CHARTS[1]


def parsed(chart: Chart) -> ET.Element:
    """The figure as XML: what does not parse was not escaped."""
    return ET.fromstring(svg_figure(chart))


def texts(root: ET.Element, tag: str) -> list[str]:
    return ["".join(e.itertext()) for e in root.iter(tag)]


@pytest.mark.parametrize("chart", CHARTS, ids=lambda c: f"{c.kind}, {c.title}")
def test_every_kind_is_drawn_both_ways(chart: Chart) -> None:
    root = parsed(chart)
    svg = next(root.iter("svg"))
    assert chart.title in (svg.get("aria-label") or "")
    width, height = map(float, (svg.get("viewBox") or "").split()[2:])
    for e in svg.iter("rect"):
        x, y, w, h = (float(e.get(k) or "nan") for k in ("x", "y", "width", "height"))
        assert x >= 0 and y >= 0 and x + w <= width + 0.2 and y + h <= height + 0.2
    for dark in (False, True):
        fig = figure(chart, dark)
        assert len(fig.data) >= 1
        assert fig.layout.paper_bgcolor == "rgba(0,0,0,0)"


@pytest.mark.parametrize("chart", CHARTS[1:3], ids=lambda c: c.kind)
def test_bars_are_as_long_as_their_numbers(chart: Chart) -> None:
    """Lengths in the SVG are proportional to the values; the numbers are in the hover texts."""
    for k in (5, 8):  # few classes stand, many lie
        cut = replace(
            chart, x=chart.x[:k], series={n: v[:k] for n, v in chart.series.items()}, limits=()
        )
        side = "width" if drawn(cut).horizontal else "height"
        bars = list(parsed(cut).iter("rect"))
        order = [(c, s) for c in range(k) for s in range(len(cut.series))]
        values = [list(cut.series.values())[s][c] for c, s in order]
        lengths = [float(b.get(side) or "nan") for b in bars]
        assert len(bars) == len(values)
        scale = max(lengths) / max(values)
        assert lengths == pytest.approx([v * scale for v in values], abs=0.2)
        assert [
            int(t.rsplit(" ", 1)[1].replace(",", "")) for t in texts(parsed(cut), "title")
        ] == values


def test_a_histogram_keeps_edges_and_counts() -> None:
    chart = CHARTS[4]
    [bars] = figure(chart).data
    assert list(bars.y) == list(chart.series["samples"])
    assert list(bars.x) == list(chart.x[:-1])
    assert [tuple(c) for c in bars.customdata] == list(pairwise(chart.x))
    drawn_counts = [float(t.rsplit(" ", 1)[1]) for t in texts(parsed(chart), "title")]
    assert drawn_counts == [c for c in chart.series["samples"] if c]


def test_limits_are_drawn_dashed_with_their_value() -> None:
    for chart in (CHARTS[1], CHARTS[4]):
        root = parsed(chart)
        marks = [e for e in root.iter("line") if e.get("class") == "limit"]
        said = [e.text for e in root.iter("text") if e.get("class") == "limit-text"]
        assert len(marks) == len(chart.limits)
        assert said == [f"{v:g}" for v in chart.limits]
        fig = figure(chart)
        assert {s.line.dash for s in fig.layout.shapes} == {"dash"}
        assert [a.text for a in fig.layout.annotations] == said


def test_a_limit_far_away_is_named_instead_of_crushing_the_picture() -> None:
    far = replace(BAR, limits=(1_000_000,))
    assert "1,000,000" in "".join(texts(parsed(far), "p"))
    assert not [e for e in parsed(far).iter("line") if e.get("class") == "limit"]
    assert "1,000,000" in figure(far).layout.title.subtitle.text


def test_what_is_left_out_is_said_and_the_largest_stay() -> None:
    k = 100
    many = Chart(
        "bar", "t", "class", "n", [f"class {i:03d}" for i in range(k)], {"n": list(range(k))}
    )
    d = drawn(many)
    assert set(d.names) == {f"class {i:03d}" for i in range(k - MOST_CATEGORIES, k)}
    assert d.note == "Drawn: the 30 largest of 100. The other 70 lie between 0 and 69."
    assert d.note in "".join(texts(parsed(many), "p"))
    assert d.note == figure(many).layout.title.subtitle.text
    series = Chart("line", "t", "x", "y", [1, 2], {f"s{i}": [i, i] for i in range(20)})
    assert len(drawn(series).series) == MOST_SERIES
    assert "8 series" in drawn(series).note
    wide = Chart("heatmap", "t", "x", "y", list("ab") * 50, {str(i): [i] * 100 for i in range(60)})
    assert (len(drawn(wide).x), len(drawn(wide).series)) == (MOST_CELLS_A_SIDE, MOST_CELLS_A_SIDE)
    assert drawn(BAR).note == ""


def test_names_in_several_rows_get_room_below_the_title() -> None:
    """Eight edits of a picture take four rows at 900 pixels, and the plot keeps its height."""

    def drawn_with(names: list[str]) -> tuple[float, float]:
        layout = figure(Chart("line", "T", "x", "y", [0, 1], {n: [0, 1] for n in names})).layout
        return layout.margin.t, layout.height - layout.margin.t

    short, plot = drawn_with(["recall", "precision"])
    long, same_plot = drawn_with([f"{i} thumbnail at half size" for i in range(8)])
    assert (long - short, same_plot) == (3 * 19, plot)


def test_numbers_on_x_keep_their_order_names_are_sorted_only_when_cut() -> None:
    sizes = Chart("bar", "t", "group size", "groups", list(range(2, 60)), {"n": [1] * 57 + [9]})
    kept = list(drawn(sizes).x)
    assert kept == sorted(kept) and 59 in kept
    assert list(drawn(BAR).names) == list(CLASSES)


def test_long_names_lie_down() -> None:
    assert drawn(CHARTS[3]).horizontal
    short = replace(BAR, x=("cat", "dog"), series={"n": [1, 2]})
    assert not drawn(short).horizontal
    assert figure(CHARTS[3]).data[0].orientation == "h"


@pytest.mark.parametrize("kind", ["bar", "stacked_bar", "line", "heatmap"])
def test_names_made_of_markup_stay_text(kind: str) -> None:
    chart = Chart(kind, HOSTILE, HOSTILE, HOSTILE, (HOSTILE, "b"), {HOSTILE: [1, 2], "s": [2, 3]})  # type: ignore[arg-type]
    root = parsed(chart)
    assert {e.tag for e in root.iter()} <= {
        "figure", "figcaption", "div", "span", "i", "p", "svg", "rect", "line", "text",
        "title", "path",
    }  # fmt: skip
    written = figure(chart).to_dict()
    seen = list(strings({k: v for k, v in written["layout"].items() if k != "template"}))
    for trace in written["data"]:
        seen += strings({k: v for k, v in trace.items() if k != "customdata"})
    assert any("&lt;script" in s for s in seen)
    assert not [s for s in seen if re.search(r"<(?!/?(b|br|sup)\b)[a-z]|onload=\"", s)]


def strings(value: object) -> list[str]:
    """Every text in a nest of mappings and lists."""
    if isinstance(value, str):
        return [value]
    items = (
        value.values()
        if isinstance(value, dict)
        else value
        if isinstance(value, (list, tuple))
        else ()
    )
    return [s for v in items for s in strings(v)]


def test_clicks_carry_the_value_of_the_data_set() -> None:
    chart = replace(BAR, x=(HOSTILE, "b"), series={"n": [1, 2]})
    assert list(figure(chart).data[0].customdata) == [HOSTILE, "b"]


@pytest.mark.parametrize("kind", ["bar", "stacked_bar", "histogram", "line", "scatter", "heatmap"])
@pytest.mark.parametrize(
    ("x", "series"),
    [((), {}), ((), {"a": []}), ((1.0, 2.0), {"a": [float("nan"), None]}), ((1.0, 2.0), {"a": []})],
)
def test_nothing_to_draw_is_said(
    kind: str, x: tuple[float, ...], series: dict[str, list[float]]
) -> None:
    chart = Chart(kind, "t", "x", "y", x, series, limits=(1.0,))  # type: ignore[arg-type]
    assert "No values to draw" in "".join(texts(parsed(chart), "p"))
    assert "No values" in figure(chart).layout.annotations[0].text


@pytest.mark.parametrize("kind", ["bar", "stacked_bar", "histogram", "line", "scatter", "heatmap"])
@pytest.mark.parametrize("values", [[0, 0], [5, 5], [-3, 2], [1e-12, 2e-12], [1e15, 3], [None, 4]])
def test_odd_values_are_drawn(kind: str, values: list[float]) -> None:
    x = (0.0, 0.0, 1.0) if kind == "histogram" else (1.0, 1.0)
    if kind == "histogram" and min(v or 0 for v in values) < 0:
        values = [0, 2]
    chart = Chart(kind, "t", "x", "y", x, {"a": values}, limits=(0.5,))  # type: ignore[arg-type]
    assert "nan" not in svg_figure(chart).lower()
    assert figure(chart).data


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9))
def test_ticks_enclose_the_values_and_are_round(low: float, span: float) -> None:
    found = ticks(low, low + span)
    step = found[1] - found[0]
    assert found[0] <= low + 1e-6 * step and found[-1] >= low + span - 1e-6 * step
    assert 2 <= len(found) <= 9
    assert np.allclose(np.diff(found), step, rtol=1e-3)


def test_counts_have_no_halves() -> None:
    chart = Chart("bar", "t", "x", "groups", (2, 3), {"n": [1, 2]})
    shown = [e.text for e in parsed(chart).iter("text") if e.get("class") == "tick"]
    assert shown == ["0", "1", "2"]


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def mixed(over: str, under: str, share: float) -> str:
    pairs = ((int(over[i : i + 2], 16), int(under[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{round(o * share + u * (1 - share)):02x}" for o, u in pairs)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_text_can_be_read(palette: Palette) -> None:
    for colour in (palette.ink, palette.faint, palette.limit, *palette.verdict.values()):
        assert contrast(colour, palette.ground) >= 4.5
    for colour in (palette.ink, palette.faint):
        assert contrast(colour, palette.panel) >= 4.5
    for colour in palette.series[:2]:  # the strongest cell of a heat map, with its number on it
        assert contrast(palette.ink, mixed(colour, palette.ground, 0.55)) >= 4.5


def test_recipe_starts_without_plotly() -> None:
    code = (
        "import sys; import recipe_core.reporting.figures, recipe_core.reporting.html, "
        "recipe_core.reporting.markdown, recipe_core.reporting.terminal; "
        "sys.exit('plotly' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
