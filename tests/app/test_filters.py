"""Does an address bring back the same filter, and does a filter say in words what it is?"""

from __future__ import annotations

import math
from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import panel
from app.filters import Read, chips, decoded, encoded, span, spoken_filter, value_name
from app.looks import USUAL
from recipe_core.data.browse import Filter, Order

CATEGORICAL = ("label", "split", "finding", "tag", "decision", "size", "c.odd", "text")
NUMERIC = ("brightness", "width", "where", "c.n")
SORTABLE = ("path", *NUMERIC)
N = 100

finite = st.floats(allow_nan=False, allow_infinity=False)
words = st.text(max_size=12)
values = st.lists(st.one_of(st.none(), words), min_size=1, max_size=4, unique=True).map(tuple)
orders = st.one_of(
    st.builds(Order, st.sampled_from(SORTABLE), st.booleans()), st.just(Order()),
    st.builds(Order, seed=st.integers(0, 9999)), st.builds(Order, like=st.integers(0, N - 1)),
)  # fmt: skip


@st.composite
def filters(draw: st.DrawFn) -> Filter:
    made = Filter(search=draw(words), where=draw(words))
    for column in draw(st.lists(st.sampled_from(CATEGORICAL), unique=True)):
        checks = st.sampled_from(["corruption", "near_duplicates"])
        chosen = draw(checks.map(lambda c: (c,)) if column == "finding" else values)
        made = made.with_values(column, chosen)
    for column in draw(st.lists(st.sampled_from(NUMERIC), unique=True)):
        low, high = draw(st.tuples(st.one_of(st.none(), finite), st.one_of(st.none(), finite)))
        made = made.with_range(column, low, high)
    return made


def read(params: dict[str, list[str]]) -> Read:
    return decoded(params, CATEGORICAL, NUMERIC, SORTABLE, N)


@settings(suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault
@given(filters(), orders)
def test_an_address_brings_back_the_filter(filter: Filter, order: Order) -> None:
    sent = urlencode(encoded(filter, order), doseq=True, errors="surrogatepass")
    found = read(parse_qs(sent, keep_blank_values=True, errors="surrogatepass"))
    assert dict(found.filter.values) == dict(filter.values)
    assert set(found.filter.ranges) == set(filter.ranges)
    assert (found.filter.search, found.filter.where) == (filter.search, filter.where)
    assert found.order == order and not found.unknown


@pytest.mark.parametrize(
    ("params", "wanted"),
    [({"finding": ["Near duplicates"]}, Filter().with_values("finding", ("near_duplicates",))),
     ({"finding": ["near_duplicates"]}, Filter().with_values("finding", ("near_duplicates",))),
     ({"label": ["cat", "(no label)"]}, Filter().with_values("label", ("cat", None))),
     ({"split": ["(no split)"]}, Filter().with_values("split", (None,))),
     ({"text": ["dog/003"]}, Filter(search="dog/003"))],
)  # fmt: skip
def test_links_of_other_pages_and_of_before_still_work(
    params: dict[str, list[str]], wanted: Filter
) -> None:
    assert read(params).filter == wanted


@pytest.mark.parametrize(
    "params",
    [{"no_such_column": ["x"]}, {"brightness": ["dark"]}, {"brightness": ["nan..1"]},
     {"brightness": [".."]}, {"brightness": ["0.1"]}, {"<script>": ["1..2"]}],
)  # fmt: skip
def test_what_a_link_asks_in_vain_is_named(params: dict[str, list[str]]) -> None:
    found = read(params)
    assert found.unknown == tuple(params) and found.filter == Filter()


@pytest.mark.parametrize(
    "params",
    [{"sort": ["phash"]}, {"seed": ["-1"]}, {"seed": ["x"]}, {"like": [str(N)]},
     {"sort": [""], "down": ["true"]}, {name: ["x"] for name in USUAL}],
)  # fmt: skip
def test_an_order_that_makes_no_sense_is_the_usual_one(params: dict[str, list[str]]) -> None:
    assert read(params).order == Order()


def test_every_part_of_a_filter_is_a_chip_that_takes_it_away() -> None:
    whole = (
        Filter(search="x", where="width > 3").with_values("label", ("a", None, "b", "c"))
        .with_values("finding", ("near_duplicates",)).with_range("brightness", 0.1, None)
    )  # fmt: skip
    found = chips(whole)
    assert [c.text for c in found] == [
        "Label: a or (none) or b or 1 more", "Finding: Near duplicates",
        "Brightness: at least 0.1", "Contains: x", "SQL: width > 3",
    ]  # fmt: skip
    left = whole
    for i in range(len(found)):
        assert chips(left)[0].text == found[i].text
        left = chips(left)[0].without
    assert left == Filter() and spoken_filter(left) == "all samples"


def test_words_for_bounds_and_values() -> None:
    assert span(0.25, 2) == "0.25 to 2" and span(None, 1.5) == "at most 1.5"
    assert value_name("label", None) == "(none)" and value_name("tag", None) == "(no tag)"
    assert value_name("label", "") == "(empty)"
    assert value_name("label", "x\u202ey") == "x\\u202ey"


# -- what the browser sends ---------------------------------------------------------------------


class Columns:
    """As much of a Browser as says which columns there are."""

    categorical = CATEGORICAL
    numeric = NUMERIC


@pytest.mark.parametrize(
    ("act", "wanted"),
    [({"kind": "values", "column": "label", "values": ["a", None]},
      Filter().with_values("label", ("a", None))),
     ({"kind": "range", "column": "width", "low": 3, "high": None},
      Filter().with_range("width", 3.0, None)),
     ({"kind": "range", "column": "width", "low": math.inf, "high": True}, Filter()),
     ({"kind": "values", "column": "no such", "values": ["a"]}, Filter()),
     ({"kind": "values", "column": "label", "values": [{}]}, Filter()),
     ({"kind": "values", "column": "label", "values": "abc"}, Filter()),
     ({"kind": "range", "column": "label", "low": 1, "high": 2}, Filter()),
     ({"kind": "show", "column": "width"}, Filter()), ({}, Filter())],
)  # fmt: skip
def test_the_panel_changes_the_filter_and_nothing_else_does(
    act: dict[str, object], wanted: Filter
) -> None:
    assert panel.acted(Columns(), Filter(), act) == wanted  # type: ignore[arg-type]
