"""Which samples are looked at, in which order? One filter per session, and its address.

The filter is a frozen value in the session; widgets are drawn from it and change it, nothing else
holds a copy. The address of the page follows it, so that a reload or a shared link brings it back:

    browse?label=cat&label=dog&brightness=0.1..0.5&text=part&where=width>64&sort=sharpness&down=true
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from app import looks, opened, words
from recipe_core import recipe
from recipe_core.data.browse import Browser, Filter, Order
from recipe_core.reporting.wording import number, shortened

SEARCH = "text"
"""Key of the field that the page always draws."""
SECONDS_UNDER_WAY = 3.0
"""Until a browser knows its new address; after that who asks with an old one went back to it."""

NOTHING = "(none)"
LEGACY_NOTHING = ("(no label)", "(no split)")
RESERVED = frozenset({"text", "where", "sort", "down", "seed", "like", *looks.USUAL})
"""Parameters of the address that name no column: how samples are shown is kept there too."""
COLUMN = "c."
"""Before the name of a column that is called like one of our own parameters."""
MOST_SEED = 9999

Params = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Read:
    """What an address says; `unknown` are names and values that this data set does not have."""

    filter: Filter
    order: Order
    unknown: tuple[str, ...] = ()


# -- addresses ----------------------------------------------------------------------------------


def encoded(filter: Filter, order: Order) -> dict[str, list[str]]:
    """The parameters of an address that `decoded` turns into the same filter and order."""
    params: dict[str, list[str]] = {}
    for column, values in filter.values:
        params[_named(column)] = [_value_text(column, v) for v in values]
    for column, low, high in filter.ranges:
        params[_named(column)] = [f"{_bound_text(low)}..{_bound_text(high)}"]
    single = {
        "text": filter.search, "where": filter.where, "sort": order.column,
        "down": "true" if order.descending else "",
        "seed": "" if order.seed is None else str(order.seed),
        "like": "" if order.like is None else str(order.like),
    }  # fmt: skip
    return params | {name: [value] for name, value in single.items() if value}


def decoded(
    params: Params, categorical: Sequence[str], numeric: Sequence[str], sortable: Sequence[str],
    n: int,
) -> Read:  # fmt: skip
    """The filter and order of an address; what cannot be understood is left out and named.

    categorical, numeric, sortable  columns that the open data set offers
    n                               its number of samples
    """
    unknown: list[str] = []
    filter = Filter(search=_first(params, "text"), where=_first(params, "where"))
    for name in params:
        column = name.removeprefix(COLUMN)
        if name in RESERVED:
            continue
        if column in categorical:
            filter = filter.with_values(column, tuple(_value(column, v) for v in params[name]))
        elif column in numeric and (bounds := _bounds(_first(params, name))):
            filter = filter.with_range(column, *bounds)
        else:
            unknown.append(name)
    return Read(filter, _order(params, sortable, n), tuple(unknown))


def _order(params: Params, columns: Sequence[str], n: int) -> Order:
    seed, like = _whole(_first(params, "seed")), _whole(_first(params, "like"))
    if seed is not None:
        return Order(seed=seed)
    if like is not None and like < n:
        return Order(like=like)
    sort = _first(params, "sort")
    if sort not in columns:
        return Order()
    return Order(sort, descending=_first(params, "down").lower() in ("true", "1"))


def _named(column: str) -> str:
    # a column whose own name starts with the mark needs it too, or it would lose it
    marked = column in RESERVED or column.startswith(COLUMN)
    return COLUMN + column if marked else column


def _value_text(column: str, value: str | None) -> str:
    if value is None:
        return NOTHING
    if column == "finding":
        return words.spoken(value)
    special = not value or value.startswith("\\") or value in (NOTHING, *LEGACY_NOTHING)
    return "\\" + value if special else value


def _value(column: str, text: str) -> str | None:
    if text == NOTHING or text in LEGACY_NOTHING:
        return None
    if column == "finding":
        return text.strip().lower().replace(" ", "_")
    return text.removeprefix("\\")


def _bound_text(bound: float | None) -> str:
    return "" if bound is None else repr(float(bound)).removesuffix(".0")


def _bounds(text: str) -> tuple[float | None, float | None] | None:
    low, dots, high = text.partition("..")
    try:
        found = tuple(float(t) if t else None for t in (low, high))
    except ValueError:
        return None
    if not dots or found == (None, None) or any(b is not None and math.isnan(b) for b in found):
        return None
    return found[0], found[1]


def _first(params: Params, name: str) -> str:
    values = params.get(name) or [""]
    return values[0]


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None


# -- the session's filter -----------------------------------------------------------------------


def current() -> tuple[Filter, Order]:
    """The filter and the order of this session."""
    kept = st.session_state
    return kept.get("browse-filter", Filter()), kept.get("browse-order", Order())


def change(filter: Filter | None = None, order: Order | None = None) -> None:
    """Look at other samples, or in another order, from the next run on."""
    old_filter, old_order = current()
    st.session_state["browse-filter"] = old_filter if filter is None else filter
    st.session_state["browse-order"] = old_order if order is None else order


def browser() -> Browser:
    """The open data set, ready to be asked."""
    return recipe.browser(opened.workspace())


def follow_address() -> tuple[str, ...]:
    """Take the filter from the address where somebody came by a link; what it did not know."""
    params = {name: st.query_params.get_all(name) for name in st.query_params}
    if not params or params == st.session_state.get("browse-address"):
        return ()
    stayed = SEARCH in st.session_state  # the page was there in the run before: no link led to it
    if stayed and any(params == old for old, _ in _just_left()):
        return ()
    place = browser()
    found = decoded(params, place.categorical, place.numeric, place.sortable, place.n)
    change(found.filter, found.order)
    st.session_state["browse-address"] = params  # read once: what is cleared must not come back
    looks.follow(params)
    return found.unknown


def write_address(extra: Mapping[str, str]) -> None:
    """Let the address say what is shown. `extra`: how it is shown, see looks.address."""
    filter, order = current()
    params = encoded(filter, order) | {name: [value] for name, value in extra.items()}
    now = {name: st.query_params.get_all(name) for name in st.query_params}
    if params != now:
        st.query_params.from_dict(params)
    old = st.session_state.get("browse-address")
    if old != params:
        st.session_state["browse-left"] = [*_just_left(), (old, time.monotonic())]
    st.session_state["browse-address"] = params


def _just_left() -> list[tuple[Mapping[str, list[str]] | None, float]]:
    """The addresses that this session gave up a moment ago, and when.

    What a browser asks while the new one is under way to it still bears the old one: to follow that
    would undo the change, as three quick keys on a slider did.
    """
    now = time.monotonic()
    left = st.session_state.get("browse-left", [])
    return [(old, when) for old, when in left if now - when < SECONDS_UNDER_WAY]


# -- in words -----------------------------------------------------------------------------------


def column_name(column: str) -> str:
    """jpeg_quality -> Jpeg quality -> JPEG quality: a column as people read it."""
    spoken = words.spoken(column)
    for short in ("Jpeg", "Exif", "Rgb"):
        spoken = spoken.replace(short, short.upper())
    return spoken


def value_name(column: str, value: str | None, most: int = 48) -> str:
    """A value of a column as people read it, no longer than `most` characters."""
    if value is None:
        return {"finding": "(no finding)", "tag": "(no tag)"}.get(column, NOTHING)
    if value == "":
        return "(empty)"
    return words.spoken(value) if column == "finding" else shortened(value, most)


@dataclass(frozen=True)
class Chip:
    """One part of a filter in words, and the filter without it."""

    text: str
    without: Filter


def chips(filter: Filter) -> list[Chip]:
    """Every part of the filter, so that each can be seen and taken back alone."""
    found = []
    for column, values in filter.values:
        named = " or ".join(value_name(column, v, 28) for v in values[:3])
        more = f" or {len(values) - 3} more" if len(values) > 3 else ""
        found.append(Chip(f"{column_name(column)}: {named}{more}", filter.with_values(column, ())))
    for column, low, high in filter.ranges:
        text = f"{column_name(column)}: {span(low, high)}"
        found.append(Chip(text, filter.with_range(column, None, None)))
    if filter.search:
        found.append(Chip(f"Contains: {shortened(filter.search, 28)}", filter.but(search="")))
    if filter.where:
        found.append(Chip(f"SQL: {shortened(filter.where, 40)}", filter.but(where="")))
    return found


def span(low: float | None, high: float | None) -> str:
    """0.1 to 0.5; at least 0.1; at most 0.5."""
    if low is not None and high is not None:
        return f"{number(low)} to {number(high)}"
    return f"at least {number(low)}" if high is None else f"at most {number(high)}"


def spoken_filter(filter: Filter) -> str:
    """The whole filter in one line."""
    return "; ".join(chip.text for chip in chips(filter)) or "all samples"


def unique(names: Iterable[str], without: Iterable[str] = ()) -> list[str]:
    """The names once each, in their order, without some."""
    gone = set(without)
    return [n for n in dict.fromkeys(names) if n not in gone]
