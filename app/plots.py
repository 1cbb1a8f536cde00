"""How are the filtered samples distributed, and which of them does a brush mean?

A plot shows the samples of the filter without the ranges of its own axes, so that what was brushed
stays in sight and can be brushed again.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import streamlit as st

from app import filters, looks, opened
from app.filters import column_name, value_name
from app.table import table
from recipe_core.data.browse import Browser, Filter
from recipe_core.reporting.figures import FONT
from recipe_core.reporting.palette import DARK, LIGHT, Palette, rgba
from recipe_core.reporting.wording import escaped

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

NONE = ""
MOST_POINTS = 5_000
"""Beyond these a shade shows all: at 20,000 a browser without a graphics card works for 3.1 s on
a brush, at 5,000 for 1.8 s."""
MOST_COLOURS = 7
MOST_BARS = 40
BINS = 60
HEIGHT = 380
COUNTED = "Counts"


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


def _or_counts(column: str) -> str:
    return column_name(column) if column else COUNTED


# -- drawing ------------------------------------------------------------------------------------


def _draw(
    figure: Figure, key: str, on_select: Any, mode: Literal["box", "points"], alt: str
) -> None:
    st.plotly_chart(
        figure, theme=None, key=key, on_select=on_select, selection_mode=mode, alt=alt,
        config={"displayModeBar": False, "displaylogo": False, "scrollZoom": False},
    )  # fmt: skip


def _key(kind: str, *parts: object) -> str:
    # a new question is a new chart: a brush on the old one must not be taken for one on this
    return f"plot-{kind}-{opened.key(*parts)[:16]}"


def _scatter(place: Browser, filter: Filter, x: str, y: str, colour: str) -> None:
    around = without_ranges(filter, x, y)
    found = place.scatter(around, x, y, colour or None, MOST_POINTS)
    key = _key("scatter", filter, x, y, colour)
    figure = scatter_figure(found, x, y, colour, _palette())
    add_brushed(figure, ranges_of(filter, x, y))

    def brushed() -> None:
        box = first_box(st.session_state.get(key))
        if box is not None:
            now = filters.current()[0]
            filters.change(now.with_range(x, *box["x"]).with_range(y, *box["y"]))

    _draw(figure, key, brushed, "box", f"{column_name(y)} over {column_name(x)}")
    shown = len(found.rows)
    if shown < found.n_total:
        st.caption(f"{shown:,} of {found.n_total:,} drawn as points, all of them as shade. "
                   "Drag a box to filter by both.")  # fmt: skip
    else:
        st.caption(f"{shown:,} samples. Drag a box to filter by both.")


def scatter_figure(found: Any, x: str, y: str, colour: str, paint: Palette) -> Figure:
    """Points, one trace per value of the colour column; beyond what is drawn, a shade of all."""
    import plotly.graph_objects as go

    figure = go.Figure(layout=_layout(column_name(x), column_name(y), paint))
    if len(found.rows) < found.n_total:
        _add_density(figure, found, paint)
    values = np.asarray(found.colour, object) if colour else np.empty(0, object)
    named = common(values.tolist())
    for value, shade in zip(named, paint.series, strict=False):
        at = np.array([v == value for v in values], bool)
        figure.add_trace(_points(found, at, value_name(colour, value, 24), shade))
    rest = (
        np.array([v not in named for v in values], bool)
        if colour
        else np.ones(len(found.rows), bool)
    )
    if rest.any():
        shade = paint.faint if colour else paint.series[0]
        figure.add_trace(_points(found, rest, "others" if colour else "", shade))
    figure.update_layout(showlegend=bool(colour))
    return figure


def common(values: Sequence[str | None]) -> list[str | None]:
    """The values that get a colour of their own: the most frequent, the first of equals."""
    return [value for value, _ in Counter(values).most_common(MOST_COLOURS)]


def _points(found: Any, at: Any, name: str, colour: str) -> Any:
    import plotly.graph_objects as go

    return go.Scattergl(
        x=np.asarray(found.x)[at], y=np.asarray(found.y)[at], mode="markers", name=escaped(name),
        marker={"size": 4, "color": colour, "opacity": 0.65}, hoverinfo="x+y",
        selected={"marker": {"opacity": 1}}, unselected={"marker": {"opacity": 0.65}},
    )  # fmt: skip


def _add_density(figure: Figure, found: Any, paint: Palette) -> None:
    import plotly.graph_objects as go

    counts = np.asarray(found.density, float)
    figure.add_trace(go.Heatmap(
        x=_middles(found.x_edges), y=_middles(found.y_edges), z=np.log1p(counts),
        colorscale=[[0, "rgba(0,0,0,0)"], [1, rgba(paint.faint, 0.75)]], showscale=False,
        hoverinfo="skip",
    ))  # fmt: skip


def _middles(edges: Any) -> Any:
    edges = np.asarray(edges, float)
    return (edges[1:] + edges[:-1]) / 2


def _histogram(place: Browser, filter: Filter, x: str, colour: str) -> None:
    around = without_ranges(filter, x)
    series = counted_series(place, around, x, colour)
    key = _key("histogram", filter, x, colour)
    figure = histogram_figure(series, x, colour, _palette())
    add_brushed(figure, (*ranges_of(filter, x), (None, None)))

    def brushed() -> None:
        box = first_box(st.session_state.get(key))
        if box is not None:
            filters.change(filters.current()[0].with_range(x, *opened_ends(box["x"], series)))

    _draw(figure, key, brushed, "box", f"Distribution of {column_name(x)}")
    st.caption("Drag across the bars to filter by this range.")


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


def opened_ends(
    bounds: tuple[float, float], series: Sequence[tuple[str, Any, Any]]
) -> tuple[float | None, float | None]:
    """The brushed range; open where the brush went past the middle of the bar at an end."""
    if not series:
        return bounds
    middles = _middles(drawn_edges(series[0][1]))
    low, high = bounds
    return (None if low <= middles[0] else low, None if high >= middles[-1] else high)


def histogram_figure(
    series: Sequence[tuple[str, Any, Any]], x: str, colour: str, paint: Palette
) -> Figure:
    """Bars between the edges of the bins, one on the other where there are several series."""
    import plotly.graph_objects as go

    figure = go.Figure(layout=_layout(column_name(x), "Samples", paint))
    for (name, all_edges, counts), shade in zip(series, paint.series, strict=False):
        edges = drawn_edges(all_edges)
        figure.add_trace(go.Bar(
            x=_middles(edges), width=np.diff(edges), y=np.asarray(counts), name=escaped(name),
            marker={"color": shade, "line": {"width": 0}}, hoverinfo="x+y",
            unselected={"marker": {"opacity": 1}},
        ))  # fmt: skip
    figure.update_layout(barmode="stack", bargap=0, showlegend=bool(colour))
    return figure


def _bars(place: Browser, filter: Filter, x: str, colour: str) -> None:
    chosen = filter.chosen(x)
    counted = [(v, n) for v, n in place.facet(filter, x) if n]
    values = [v for v, _ in counted[:MOST_BARS]]
    if colour:
        found = place.crosstab(filter.with_values(x, ()), x, colour)
        series = stacked(found, values, colour)
    else:
        series = [("", [n for _, n in counted[:MOST_BARS]])]
    key = _key("bars", filter, x, colour)
    figure = bars_figure(values, series, x, chosen, _palette())

    def clicked() -> None:
        picked = [values[i] for i in points(st.session_state.get(key)) if i < len(values)]
        if picked:
            filters.change(filters.current()[0].with_values(x, tuple(dict.fromkeys(picked))))

    _draw(figure, key, clicked, "points", f"Samples by {column_name(x)}")
    more = place.n_values(x) - len(values)
    st.caption(
        "Click a bar to see its samples alone." + (f" {more:,} more values." if more else "")
    )


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


def bars_figure(
    values: Sequence[str | None],
    series: Sequence[tuple[str, Sequence[int]]],
    x: str,
    chosen: Sequence[str | None],
    paint: Palette,
) -> Figure:
    """Horizontal bars, the most frequent on top; what is not chosen is paler."""
    import plotly.graph_objects as go

    figure = go.Figure(layout=_layout("Samples", "", paint))
    places = list(range(len(values)))
    pale = [0.35 if chosen and v not in chosen else 1.0 for v in values]
    for (name, counts), shade in zip(
        series, (*paint.series[:MOST_COLOURS], paint.faint), strict=False
    ):
        figure.add_trace(go.Bar(
            y=places, x=list(counts), orientation="h", name=escaped(name), customdata=places,
            marker={"color": shade, "opacity": pale}, hoverinfo="x",
            selected={"marker": {"opacity": 1}}, unselected={"marker": {"opacity": 0.35}},
        ))  # fmt: skip
    figure.update_yaxes(
        tickmode="array", tickvals=places, ticktext=[escaped(value_name(x, v, 28)) for v in values],
        autorange="reversed", title=None,
    )  # fmt: skip
    figure.update_layout(
        barmode="stack", bargap=0.25, showlegend=len(series) > 1, dragmode=False,
        clickmode="event+select", height=max(180, 110 + 20 * len(values)),
    )  # fmt: skip
    return figure


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
        np.asarray(found.counts).tolist(), key=_key("table", filter, down, across),
        title=f"{column_name(down)} by {column_name(across)}", on_pick=picked,
    )  # fmt: skip
    st.caption("Click a number to see these samples alone, a heading to choose one value.")


def _layout(x: str, y: str, paint: Palette) -> dict[str, Any]:
    return {
        "font": {"family": FONT, "size": 12, "color": paint.ink}, "height": HEIGHT,
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 8, "r": 12, "t": 36, "b": 8}, "dragmode": "select",
        "xaxis": _axis(x, paint), "yaxis": _axis(y, paint),
        "legend": {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "title": None},
        "hoverlabel": {"bgcolor": paint.panel, "bordercolor": paint.rule,
                       "font": {"color": paint.ink, "family": FONT}},
        "newselection": {"line": {"color": paint.series[0], "width": 2, "dash": "solid"}},
        "separators": ".,",
    }  # fmt: skip


def _axis(title: str, paint: Palette) -> dict[str, Any]:
    return {
        "title": {"text": escaped(title), "font": {"size": 12, "color": paint.faint}},
        "gridcolor": paint.rule, "linecolor": paint.rule, "zeroline": False, "automargin": True,
        "tickfont": {"size": 11, "color": paint.faint}, "separatethousands": True,
    }  # fmt: skip


def _palette() -> Palette:
    return DARK if st.context.theme.type == "dark" else LIGHT


# -- brushes ------------------------------------------------------------------------------------


def add_brushed(figure: Figure, ranges: Sequence[tuple[float | None, float | None]]) -> None:
    """Shade what the filter's range leaves out is too much ink: frame what it lets in.

    ranges  (low, high) of x, then of y; None: no bound
    """
    if all(bound is None for pair in ranges for bound in pair):
        return
    (x0, x1), (y0, y1) = ranges
    line = {"color": figure.layout.newselection.line.color, "width": 2}
    for axis, low, high in (("x", x0, x1), ("y", y0, y1)):
        add = figure.add_vline if axis == "x" else figure.add_hline
        for bound in (low, high):
            if bound is not None:
                add(bound, line=line)


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


def first_box(state: Any) -> dict[str, tuple[float, float]] | None:
    """The box that was dragged, as (low, high) per axis; None where there is none."""
    boxes = _selection(state).get("box") or []
    if not boxes:
        return None
    found = {}
    for axis in ("x", "y"):
        bounds = [float(v) for v in boxes[0].get(axis, ()) if math.isfinite(float(v))]
        if len(bounds) != 2:
            return None
        found[axis] = (rounded(min(bounds), bounds), rounded(max(bounds), bounds))
    return found


def rounded(bound: float, bounds: Sequence[float]) -> float:
    """A bound with the digits that a hand on a mouse can mean: a thousandth of the box."""
    width = abs(bounds[1] - bounds[0])
    return bound if not width else round(bound, 3 - math.floor(math.log10(width)))


def points(state: Any) -> list[int]:
    """Places of the bars that were clicked."""
    found = []
    for point in _selection(state).get("points") or []:
        data = point.get("customdata", point.get("point_index"))
        place = data[0] if isinstance(data, list) else data
        if isinstance(place, int) and place >= 0:
            found.append(place)
    return found


def _selection(state: Any) -> Mapping[str, Any]:
    found = state.get("selection") if isinstance(state, Mapping) else None
    return found if isinstance(found, Mapping) else {}
