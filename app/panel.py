"""How is a filter chosen? Counts per value and ranges over small histograms, in one component.

The browser only draws what it is given and says what was done; the session's filter stays here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from app import filters
from app.filters import column_name, unique, value_name
from recipe_core.data.browse import Browser, Filter

_HERE = Path(__file__).parent
_panel = st.components.v2.component(
    "recipe.panel",
    css=_HERE.joinpath("panel.css").read_text(encoding="utf-8"),
    js=_HERE.joinpath("panel.js").read_text(encoding="utf-8"),
)
KEY = "browse-panel"
OPEN = ("label", "split", "finding", "tag", "decision")
"""Facets that are open before anybody opened one."""
FIRST_RANGES = ("brightness", "sharpness", "n_boxes", "box_area_share")
BINS = 40
NOTES = {
    "finding": "Samples that a finding blames, as in the SQL column findings. A copy that is to "
    "stay is shown with its group, but not counted."
}
"""What the counts of a facet leave open."""
ALL_OF = 20
"""A list this short also shows the values that the other filters leave nothing of."""


def panel(place: Browser, filter: Filter) -> None:
    """Draw the facets and ranges of this filter; a choice changes the session's filter."""
    shown = shown_ranges(place, filter)
    data = {
        "facets": facets(place, filter),
        "ranges": [r for c in shown if (r := histogram(place, filter, c))],
        "more": [[c, column_name(c)] for c in sorted(place.numeric) if c not in shown],
    }
    _panel(key=KEY, data=data, height="content", on_act_change=_acted)


def facets(place: Browser, filter: Filter) -> list[dict[str, Any]]:
    """Each column with a choice to make: its values, how many samples each would show."""
    offered = [c for c in place.categorical if place.n_values(c) > 1 or filter.chosen(c)]
    used = [c for c, _ in filter.values if c in offered]
    ordered = unique([*(c for c in OPEN if c in offered), *used, *offered])
    drawn = (facet(place, filter, column, place.facet(filter, column)) for column in ordered)
    return [f for f in drawn if len(f["values"]) > 1 or filter.chosen(f["column"])]


def facet(
    place: Browser, filter: Filter, column: str, counted: Sequence[tuple[str | None, int]]
) -> dict[str, Any]:
    """One column's values as the browser draws them; of a long list only those still in reach."""
    picked = filter.chosen(column)
    # a link may name a value that no sample has: it must be seen to be taken back
    values = [*counted, *((v, 0) for v in picked if v not in {value for value, _ in counted})]
    if len(values) > ALL_OF:
        values = [(v, n) for v, n in values if n or v in picked]
    return {
        "column": column, "title": column_name(column), "open": column in OPEN or bool(picked),
        "more": max(0, place.n_values(column) - len(counted)), "note": NOTES.get(column, ""),
        "values": [
            {"value": v, "name": value_name(column, v), "count": n, "on": v in picked}
            for v, n in values
        ],
    }  # fmt: skip


def shown_ranges(place: Browser, filter: Filter) -> list[str]:
    """Measured columns to draw: those in use, those asked for, then a first choice."""
    used = [column for column, _, _ in filter.ranges]
    asked = st.session_state.get("browse-ranges", FIRST_RANGES)
    return [c for c in unique([*used, *asked]) if c in place.numeric]


def histogram(place: Browser, filter: Filter, column: str) -> dict[str, Any] | None:
    """A column's distribution over all samples and over the filtered ones, and its range now.

    None where there is nothing to choose from: no values, or one.
    """
    found = place.histogram(filter, column, BINS)
    if len(found.edges) < 2 or not found.edges[-1] > found.edges[0]:
        return None
    low, high = filter.range_of(column)
    return {
        "column": column, "title": column_name(column), "low": low, "high": high,
        "edges": [float(edge) for edge in found.edges],
        "all": [int(n) for n in found.all_counts], "now": [int(n) for n in found.counts],
    }  # fmt: skip


def _acted() -> None:
    act = st.session_state[KEY].get("act")
    if isinstance(act, Mapping):
        after = acted(filters.browser(), filters.current()[0], act)
        filters.change(after)
        _remember_range(act)


def acted(place: Browser, filter: Filter, act: Mapping[str, Any]) -> Filter:
    """The filter after something was done in the browser; unchanged by what makes no sense."""
    column = str(act.get("column"))
    if act.get("kind") == "values" and column in place.categorical:
        values = act.get("values")
        if isinstance(values, list) and all(v is None or isinstance(v, str) for v in values):
            return filter.with_values(column, tuple(values))
    if act.get("kind") == "range" and column in place.numeric:
        return filter.with_range(column, _number(act.get("low")), _number(act.get("high")))
    return filter


def _remember_range(act: Mapping[str, Any]) -> None:
    """A column that was asked for stays drawn, also once its range is cleared."""
    column = act.get("column")
    if act.get("kind") in ("show", "range", "hide") and isinstance(column, str):
        asked = st.session_state.get("browse-ranges", FIRST_RANGES)
        kept = unique(asked, [column])
        st.session_state["browse-ranges"] = (
            kept if act["kind"] == "hide" else unique([*asked, column])
        )


def _number(value: Any) -> float | None:
    fine = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if fine else None
