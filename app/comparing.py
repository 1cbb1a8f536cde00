"""What is different about these samples? Every column of two sets, the largest effect on top."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st

from app import opened, words
from app.filters import column_name, spoken_filter, value_name
from recipe_core import recipe
from recipe_core.data.browse import Browser, Filter
from recipe_core.data.comparing import Difference
from recipe_core.kernel.errors import RecipeError
from recipe_core.reporting.palette import LIGHT
from recipe_core.reporting.wording import counted, escaped, shortened

REST = "\0the rest"
EVERYTHING = "\0all samples"
SHOWN = 25
BINS = 30
WIDTH, HEIGHT = 120, 26
FIRST, SECOND = LIGHT.series[4], LIGHT.series[5]
"""Colours that are seen on light and on dark ground."""


def differences(place: Browser, filter: Filter) -> None:
    """Choose what the filtered samples are compared with; show each difference with a chart."""
    saved = recipe.views(opened.workspace())
    names = {REST: "the rest", EVERYTHING: "all samples"}
    against = st.selectbox(
        "What is different about these, compared with", [REST, EVERYTHING, *saved],
        format_func=lambda name: names.get(name, name), key="compare-with",
    )  # fmt: skip
    other = (
        {REST: None, EVERYTHING: Filter()}.get(against) if against in names else saved[against][0]
    )
    try:
        found = place.compare(filter, other)
    except RecipeError as e:
        words.problem(e)
        return
    if not found:
        words.html(f'<p class="r-faint">{escaped(_why_nothing(place, filter))}</p>')
        return
    _list(place, filter, other, found)


def _why_nothing(place: Browser, filter: Filter) -> str:
    if place.count(filter) == place.n:
        return "All samples are shown: there is no rest. Filter, then see what sets them apart."
    return "There is nothing to compare: one of the two sets is empty."


def _list(
    place: Browser, filter: Filter, other: Filter | None, found: Sequence[Difference]
) -> None:
    clear = [d for d in found if is_clear(d) and not set_by(filter, d.column)]
    shown = clear[:SHOWN]
    n, m = found[0].n_first, found[0].n_second
    words.html(
        f'<p class="r-faint">First: {escaped(shortened(spoken_filter(filter), 160))} '
        f"({counted(place.count(filter), 'sample')}). The bar is the effect, −1 to 1, with its "
        "95 % interval: for numbers Cliff’s delta, for a value the difference of its shares. "
        "In the curves the first set is filled, the other a line. "
        f"{counted(len(clear), 'difference')} of {len(found):,} have an interval without 0; with "
        "so many looked at, expect a few by chance.</p>"
    )
    if not shown:
        words.html(f"<p>No column tells the two apart (n = {n:,} and {m:,}).</p>")
        return
    lines = "".join(_line(place, filter, other, d) for d in shown)
    words.html(f'<table class="r-differences"><tbody>{lines}</tbody></table>')


def is_clear(difference: Difference) -> bool:
    """Whether the interval leaves 0 out."""
    return difference.low > 0 or difference.high < 0


def set_by(filter: Filter, column: str) -> bool:
    """Whether the filter chose this column itself: that it then differs says nothing."""
    return bool(filter.chosen(column)) or filter.range_of(column) != (None, None)


def _line(place: Browser, filter: Filter, other: Filter | None, d: Difference) -> str:
    name = column_name(d.column)
    if d.kind != "number":
        name += f": {value_name(d.column, d.value)}"
    chart = _spread(place, filter, other, d.column) if d.kind == "number" else ""
    return (
        f'<tr><td><b>{escaped(name)}</b><div class="r-faint">{escaped(d.first_text)}<br>'
        f"against {escaped(d.second_text)}</div></td>"
        f"<td>{effect_bar(d)}{chart}</td></tr>"
    )


def effect_bar(d: Difference) -> str:
    """A bar from 0 to the effect on a scale of -1 to 1, a line over its interval, the number."""

    def at(value: float) -> float:
        return 50 * (1 + max(-1.0, min(1.0, value)))

    start, end = sorted((at(0), at(d.effect)))
    return (
        f'<div class="r-effect" role="img" aria-label="effect {d.effect:+.2f}, 95 % interval '
        f'{d.low:+.2f} to {d.high:+.2f}"><i style="left:{start:.1f}%;width:{end - start:.1f}%"></i>'
        f'<u style="left:{at(d.low):.1f}%;width:{at(d.high) - at(d.low):.1f}%"></u></div>'
        f'<div class="r-faint">{d.effect:+.2f} ({d.low:+.2f} to {d.high:+.2f})</div>'
    )


def _spread(place: Browser, filter: Filter, other: Filter | None, column: str) -> str:
    first = place.histogram(filter, column, BINS)
    second = place.histogram(Filter() if other is None else other, column, BINS)
    counts = second.counts - first.counts if other is None else second.counts
    return curves(first.counts, counts)


def curves(first: Any, second: Any) -> str:
    """Two distributions over the same bins, each to its own height: the first filled."""
    if len(first) < 2:
        return ""
    outlines = [_outline(np.asarray(c, float)) for c in (first, second)]
    # as a picture: Streamlit takes SVG out of markup
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}">'
        f'<polygon points="{outlines[0]}" fill="{FIRST}" fill-opacity=".6"/>'
        f'<polygon points="{outlines[1]}" fill="none" stroke="{SECOND}" stroke-width="1.2"/></svg>'
    )
    coded = base64.b64encode(svg.encode()).decode()
    return f'<img alt="" width="{WIDTH}" height="{HEIGHT}" src="data:image/svg+xml;base64,{coded}">'


def _outline(counts: Any) -> str:
    heights = HEIGHT - counts / max(counts.max(), 1) * (HEIGHT - 2)
    places = np.linspace(0, WIDTH, len(counts) + 1)
    steps = [
        f"{x:.1f},{height:.1f}"
        for left, right, height in zip(places[:-1], places[1:], heights, strict=True)
        for x in (left, right)
    ]
    return " ".join([f"0,{HEIGHT}", *steps, f"{WIDTH},{HEIGHT}"])
