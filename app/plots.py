"""How are the filtered samples distributed, and which of them does a brush mean?

A plot shows the samples of the filter without the ranges of its own axes, so that what was brushed
stays in sight and can be brushed again. What is drawn of a million is a sample and a shade; what a
brush means is the filter's ranges, and they hold for every row.
"""

from __future__ import annotations

import base64
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from app import brush, filters, looks, marks, opened, panel
from app.filters import column_name, value_name
from app.table import table
from recipe_core.data.browse import Browser, Filter, Scatter
from recipe_core.reporting.palette import DARK, LIGHT, Palette

NONE = ""
MOST_POINTS = 5_000
"""Beyond these a shade shows all of them: more points hide one another."""
MOST_COLOURS = 7
MOST_BARS = 40
BINS = 60
COUNTED = "Counts"
KEY = "browse-plot"
KEYS = "By keyboard: arrows, Shift and arrows, Enter; Escape takes it away."

Series = tuple[str, npt.NDArray[Any], npt.NDArray[Any]]
"""(name, edges of the bins, how many lie in each)"""
_Ground = dict[str, Any]
"""What is drawn, as brush.js takes it."""


def plots(place: Browser, filter: Filter) -> None:
    """One or two columns, coloured by a third; brush or click to filter."""
    x, y, colour = _columns(place)
    if x in place.numeric and y in place.numeric:
        _scatter(place, filter, x, y, colour)
    elif x in place.numeric:
        _histogram(place, filter, x, colour)
    elif y in place.categorical:
        crossed(place, filter, x, y)
    elif x:
        _bars(place, filter, x, colour)


def _columns(place: Browser) -> tuple[str, str, str]:
    ways = [*place.categorical, *place.numeric]
    if not ways:
        return NONE, NONE, NONE
    first = "brightness" if "brightness" in place.numeric else ways[0]
    ways = filters.unique([first, *ways])
    with st.container(horizontal=True, key="plot-columns"):
        chosen = looks.choice("across", ways)
        x = st.selectbox("Across", ways, format_func=column_name, key="across", on_change=chosen)
        others = [c for c in (place.numeric if x in place.numeric else place.categorical) if c != x]
        chosen = looks.choice("up", [NONE, *others])
        y = st.selectbox("Up", [NONE, *others], format_func=_or_counts, key="up", on_change=chosen)
        paints = [NONE, *(c for c in place.categorical if c != x)]
        chosen = looks.choice("paint", paints)
        colour = st.selectbox(
            "Colour", paints, format_func=lambda c: column_name(c) or "–", key="paint",
            on_change=chosen, disabled=bool(y) and x in place.categorical,
        )  # fmt: skip
    return x, y or NONE, colour or NONE


def on_map(place: Browser, filter: Filter, x: str, y: str) -> None:
    """Two columns that are a place on a map, coloured by a category; brush to filter."""
    paints = [NONE, *place.categorical]
    chosen = looks.choice("hue", paints)
    colour = st.selectbox("Colour", paints, format_func=lambda c: column_name(c) or "–", key="hue",
                          on_change=chosen)  # fmt: skip
    _scatter(place, filter, x, y, colour or NONE)


def _or_counts(column: str) -> str:
    return column_name(column) if column else COUNTED


# -- drawing ------------------------------------------------------------------------------------


def _draw(ground: Mapping[str, Any], chosen: Sequence[object]) -> None:
    paint = DARK if st.context.theme.type == "dark" else LIGHT
    brush.plot(ground, chosen, colours(paint, len(ground["series"])), key=KEY, on_act=_acted)


def colours(paint: Palette, n: int) -> dict[str, Any]:
    """Of the axes and of n series; what comes after MOST_COLOURS are the others."""
    series = [*paint.series[:MOST_COLOURS], paint.faint][:n]
    return {"rule": paint.rule, "faint": paint.faint, "series": series}


def _kept(kind: str, parts: tuple[object, ...], make: Callable[[], _Ground]) -> _Ground:
    """The plot that answers a question; a brush asks the same one again."""
    question = (kind, opened.state(), marks.state(), *parts)
    known: tuple[object, _Ground] = st.session_state.get("plot-ground", (None, {}))
    if known[0] != question:
        known = st.session_state["plot-ground"] = (question, make())
    return known[1]


def _scatter(place: Browser, filter: Filter, x: str, y: str, colour: str) -> None:
    around = without_ranges(filter, x, y)

    def make() -> _Ground:
        return scatter_ground(
            place.scatter(around, x, y, colour or None, MOST_POINTS), x, y, colour
        )

    ground = _kept("scatter", (around, x, y, colour), make)
    _draw(ground, ranges_of(filter, x, y))
    shown, n = ground["shown"], ground["of"]
    drawn = f"{shown:,} of {n:,} drawn as points, all of them as shade; a box means all of them"
    said = drawn if shown < n else f"{n:,} samples"
    st.caption(f"{said}. Drag a box to filter by both. {KEYS}")


def scatter_ground(found: Scatter, x: str, y: str, colour: str) -> _Ground:
    """Points, in the colour of their value; beyond what is drawn, a shade of all.

    points   base64 of (k, 2) uint16 places between `low` and `high` of the axes, then (k,) uint8
             places in `series`
    shade    base64 of (lines, columns) uint8, the logarithm of how many samples each holds
    """
    whole = len(found.rows) == found.n_total
    x_axis, y_axis = _axis(x, found.x), _axis(y, found.y)
    shade = None
    if not whole:
        columns, lines = (np.flatnonzero(found.density.any(axis=a)) for a in (0, 1))
        cut = found.density[lines[0] : lines[-1] + 1, columns[0] : columns[-1] + 1]
        x_axis = _axis(x, found.x_edges[[columns[0], columns[-1] + 1]])
        y_axis = _axis(y, found.y_edges[[lines[0], lines[-1] + 1]])
        shade = {
            "lines": cut.shape[0], "columns": cut.shape[1], "counts": _base64(_levels(cut)),
            "x": [x_axis["low"], x_axis["high"]], "y": [y_axis["low"], y_axis["high"]],
        }  # fmt: skip
    names, codes = coded(found.colour, len(found.rows), colour)
    places = np.stack([_places(found.x, x_axis), _places(found.y, y_axis)], axis=1)
    return {
        "kind": "points", "title": f"{column_name(y)} over {column_name(x)}", "x": x_axis,
        "y": y_axis, "series": names, "points": _base64(places) + "." + _base64(codes),
        "shade": shade, "shown": len(found.rows), "of": found.n_total,
    }  # fmt: skip


def coded(values: Any, n: int, column: str) -> tuple[list[str], npt.NDArray[np.uint8]]:
    """(names, (n,) uint8 places among them): the common values, and the others after them."""
    if values is None:
        return [""], np.zeros(n, np.uint8)
    texts = np.asarray(values, object).tolist()
    named = common(texts)
    at = {value: i for i, value in enumerate(named)}
    codes = np.array([at.get(v, len(named)) for v in texts], np.uint8)
    names = [value_name(column, v, 24) for v in named]
    return ([*names, "others"] if (codes == len(named)).any() else names), codes


def common(values: Sequence[str | None]) -> list[str | None]:
    """The values that get a colour of their own: the most frequent, the first of equals."""
    return [value for value, _ in Counter(values).most_common(MOST_COLOURS)]


def _axis(column: str, values: Any) -> dict[str, Any]:
    low, high = (float(f(values)) for f in (np.min, np.max)) if len(values) else (0.0, 1.0)
    return {"column": column, "title": column_name(column), "low": low, "high": high}


def _places(values: Any, axis: Mapping[str, Any]) -> npt.NDArray[np.uint16]:
    """(k,) little-endian uint16: 0 at the low end of the axis, 65535 at the high one."""
    span = float(axis["high"] - axis["low"]) or 1.0
    places = np.round(65535 * (np.asarray(values, np.float64) - axis["low"]) / span)
    return np.asarray(places, "<u2")


def _levels(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """0 where there is none, 255 for the most, by the logarithm: one of a million shows."""
    shades = np.log1p(counts)
    return np.ceil(255 * shades / max(float(shades.max()), 1e-9)).astype(np.uint8)


def _base64(array: npt.NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")


def _histogram(place: Browser, filter: Filter, x: str, colour: str) -> None:
    around = without_ranges(filter, x)

    def make() -> _Ground:
        return histogram_ground(counted_series(place, around, x, colour), x)

    _draw(_kept("histogram", (around, x, colour), make), (*ranges_of(filter, x), (None, None)))
    st.caption(f"Drag across the bars, or click one, to filter by this range. {KEYS}")


def counted_series(
    place: Browser, filter: Filter, x: str, colour: str
) -> list[tuple[str, Any, Any]]:
    """(name, edges, counts) per series: all filtered samples, or one per common colour value."""
    if not colour:
        found = place.histogram(filter, x, BINS)
        return [("", found.edges, found.counts)]
    chosen = filter.chosen(colour)
    counted = place.facet(filter, colour)
    values = [v for v, n in counted if n and (not chosen or v in chosen)][:MOST_COLOURS]
    series = []
    for value in values:
        found = place.histogram(filter.with_values(colour, (value,)), x, BINS)
        series.append((value_name(colour, value, 24), found.edges, found.counts))
    return series


def drawn_edges(edges: Any) -> Any:
    """The edges as they are drawn: the bins at the ends, which reach to the extremes, no wider
    than their neighbours."""
    edges = np.array(edges, float)
    if len(edges) > 3:
        edges[0] = max(edges[0], 2 * edges[1] - edges[2])
        edges[-1] = min(edges[-1], 2 * edges[-2] - edges[-3])
    return edges


def histogram_ground(series: Sequence[Series], x: str) -> _Ground:
    """Bars between the edges of the bins, one on the other where there are several series."""
    edges = drawn_edges(series[0][1]) if series else np.array([0.0, 1.0])
    counts = [[int(n) for n in line] for _, _, line in series]
    most = max((sum(at) for at in zip(*counts, strict=True)), default=0)
    return {
        "kind": "heights", "title": f"Distribution of {column_name(x)}", "x": _axis(x, edges),
        "y": {"column": "", "title": "Samples", "low": 0.0, "high": float(most)},
        "series": [name for name, _, _ in series], "edges": [float(e) for e in edges],
        "counts": counts,
    }  # fmt: skip


def _bars(place: Browser, filter: Filter, x: str, colour: str) -> None:
    counted = [(v, n) for v, n in place.facet(filter, x) if n]
    values = [v for v, _ in counted[:MOST_BARS]]
    if colour:
        found = place.crosstab(filter.with_values(x, ()), x, colour)
        series = stacked(found, values, colour)
    else:
        series = [("", [n for _, n in counted[:MOST_BARS]])]
    _draw(bars_ground(values, series, x), filter.chosen(x))
    more = place.n_values(x) - len(values)
    st.caption("Click a bar to see its samples alone, with Ctrl to add it or take it away."
               + (f" {more:,} more values." if more else ""))  # fmt: skip


def bars_ground(
    values: Sequence[str | None], series: Sequence[tuple[str, Sequence[int]]], x: str
) -> _Ground:
    """Horizontal bars, the most frequent on top."""
    return {
        "kind": "bars", "title": f"Samples by {column_name(x)}", "column": x,
        "values": list(values), "names": [value_name(x, v, 48) for v in values],
        "series": [name for name, _ in series], "counts": [list(line) for _, line in series],
    }  # fmt: skip


def stacked(found: Any, values: Sequence[str | None], colour: str) -> list[tuple[str, list[int]]]:
    """Per common value of the colour column, how many of each bar; the others together."""
    counts = np.asarray(found.counts)
    where = {v: i for i, v in enumerate(found.a_values)}
    places = [where.get(v) for v in values]
    lines = np.array(
        [counts[i] if i is not None else np.zeros(counts.shape[1], int) for i in places]
    )
    if not len(lines):
        return []
    order = np.argsort(-lines.sum(axis=0), kind="stable")
    series = [(value_name(colour, found.b_values[j], 24), [int(n) for n in lines[:, j]])
              for j in order[:MOST_COLOURS]]  # fmt: skip
    rest = lines[:, order[MOST_COLOURS:]].sum(axis=1) if len(order) > MOST_COLOURS else np.zeros(0)
    return [*series, ("others", [int(n) for n in rest])] if rest.any() else series


def crossed(place: Browser, filter: Filter, down: str, across: str) -> None:
    """Two categories against each other; a cell sets both facets, a heading one."""
    found = place.crosstab(without_values(filter, down, across), down, across)

    def picked(i: int | None, j: int | None) -> None:
        after = filters.current()[0]
        if i is not None:
            after = after.with_values(down, (found.a_values[i],))
        if j is not None:
            after = after.with_values(across, (found.b_values[j],))
        filters.change(after)

    table(
        [value_name(down, v) for v in found.a_values],
        [value_name(across, v) for v in found.b_values],
        np.asarray(found.counts).tolist(), on_pick=picked,
        key=f"plot-table-{opened.key(filter, down, across)[:16]}",
        title=f"{column_name(down)} by {column_name(across)}",
    )  # fmt: skip
    st.caption("Click a number to see these samples alone, a heading to choose one value.")


# -- brushes ------------------------------------------------------------------------------------


def _acted(act: Mapping[str, Any]) -> None:
    filters.change(acted(filters.browser(), filters.current()[0], act))


def acted(place: Browser, filter: Filter, act: Mapping[str, Any]) -> Filter:
    """The filter after a brush or a click; unchanged by what makes no sense."""
    if act.get("kind") != "ranges" or not isinstance(act.get("ranges"), list):
        return panel.acted(place, filter, act)
    for bounds in act["ranges"]:
        if isinstance(bounds, Mapping):
            filter = panel.acted(place, filter, {"kind": "range", **bounds_of(bounds)})
    return filter


def bounds_of(sent: Mapping[str, Any]) -> dict[str, Any]:
    """Column, low and high as they were sent, with the digits that a hand can mean."""
    ends = [sent.get("low"), sent.get("high")]
    known = [e for e in ends if isinstance(e, (int, float)) and math.isfinite(e)]
    if len(known) == 2:
        ends = [rounded(e, known) for e in known]
    return {"column": sent.get("column"), "low": ends[0], "high": ends[1]}


def ranges_of(filter: Filter, *columns: str) -> tuple[tuple[float | None, float | None], ...]:
    """(low, high) of each column as the filter has it."""
    return tuple(filter.range_of(c) for c in columns)


def without_ranges(filter: Filter, *columns: str) -> Filter:
    """The filter with these columns free."""
    for column in columns:
        filter = filter.with_range(column, None, None)
    return filter


def without_values(filter: Filter, *columns: str) -> Filter:
    """The filter with these categories free."""
    for column in columns:
        filter = filter.with_values(column, ())
    return filter


def rounded(bound: float, bounds: Sequence[float]) -> float:
    """A bound with the digits that a hand on a mouse can mean: a thousandth of the box."""
    width = abs(bounds[1] - bounds[0])
    return bound if not width else round(bound, 3 - math.floor(math.log10(width)))
