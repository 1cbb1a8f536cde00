"""What is different about these samples? Every column of two sets, the largest effect on top."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st

from app import looks, opened, words
from app.filters import column_name, spoken_filter, value_name
from recipe_core import recipe
from recipe_core.data.browse import Browser, Filter
from recipe_core.data.comparing import Difference
from recipe_core.kernel.errors import RecipeError
from recipe_core.reporting.palette import LIGHT
from recipe_core.reporting.wording import counted, escaped, shortened

REST, EVERYTHING, SHOWN_NOW = "the rest", "all samples", "what is shown"
SAVED = "view "
"""Before the name of a saved view, so that one called "the rest" is told from the rest."""
SHOWN = 25
BINS = 30
WIDTH, HEIGHT = 120, 26
FIRST, SECOND = LIGHT.series[4], LIGHT.series[5]
"""Colours that are seen on light and on dark ground."""


def differences(place: Browser, filter: Filter) -> None:
    """Choose two sets, at first what is shown and the rest; each difference with a chart."""
    first, second = _chosen(filter)
    try:
        with st.spinner("Comparing every column …"):
            found = place.compare(first, second)
        if not found:
            words.html(f'<p class="r-faint">{escaped(_why_nothing(place, first, second))}</p>')
            return
        _list(place, first, second, found)
    except RecipeError as e:  # a saved view may ask for a column that is gone
        words.problem(e)


def _chosen(filter: Filter) -> tuple[Filter, Filter | None]:
    """The two sets: of the first its filter, of the second too, None for the rest."""
    saved = {SAVED + name: chosen for name, (chosen, _) in recipe.views(opened.workspace()).items()}
    firsts, seconds = [SHOWN_NOW, *saved], [REST, EVERYTHING, SHOWN_NOW, *saved]
    with st.container(horizontal=True, key="compare"):
        chosen = looks.choice("these", firsts)
        these = st.selectbox("What is different about", firsts, key="these", on_change=chosen,
                             format_func=_set_name)  # fmt: skip
        chosen = looks.choice("against", seconds)
        against = st.selectbox("compared with", seconds, key="against", on_change=chosen,
                               format_func=_set_name)  # fmt: skip
    sets = {SHOWN_NOW: filter, REST: None, EVERYTHING: Filter(), **saved}
    first = sets[these]
    return filter if first is None else first, sets[against]


def _set_name(name: str) -> str:
    return shortened(name.removeprefix(SAVED), 60)


def _why_nothing(place: Browser, first: Filter, second: Filter | None) -> str:
    if second is None and place.count(first) == place.n:
        return "All samples are shown: there is no rest. Filter, then see what sets them apart."
    return "There is nothing to compare: one of the two sets is empty."


def _list(
    place: Browser, filter: Filter, other: Filter | None, found: Sequence[Difference]
) -> None:
    clear = [d for d in found if is_clear(d) and not set_by(d.column, filter, other)]
    shown = clear[:SHOWN]
    n, m = found[0].n_first, found[0].n_second
    words.html(
        f'<p class="r-faint">First: {_named_set(place, filter)}. '
        f"Second: {_named_set(place, other, filter)}. The bar is the effect, −1 to 1, with its "
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


def _named_set(place: Browser, filter: Filter | None, rest_of: Filter | None = None) -> str:
    if filter is None:
        return f"the rest ({counted(place.n - place.count(rest_of or Filter()), 'sample')})"
    text = escaped(shortened(spoken_filter(filter), 160))
    return f"{text} ({counted(place.count(filter), 'sample')})"


def set_by(column: str, *sets: Filter | None) -> bool:
    """Whether one of the sets chose this column itself: that it then differs says nothing."""
    return any(
        bool(f.chosen(column)) or f.range_of(column) != (None, None) for f in sets if f is not None
    )


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
