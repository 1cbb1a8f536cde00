"""What do the samples look like? Filter, sort, and look at as many as one likes."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from app import filters, opened, views, words
from app.gallery import gallery
from app.nothing import report_or_stop
from app.sample import sample_dialog
from recipe_core import recipe
from recipe_core.kernel.nouns import Finding

ANY = "Any"
WORST_FIRST = "worst first"
AS_READ = "as read"


@dataclass(frozen=True)
class Choice:
    """What the widgets say: which samples, in which order, how large."""

    where: str
    finding: Finding | None
    sort: str
    descending: bool
    size: int


def main() -> None:
    """Filters beside the navigation, samples over the rest of the window."""
    words.title("Browse")
    report_or_stop("The samples")
    with st.sidebar:
        choice = _choice()
    key, total = views.open_view(_parts(choice), lambda: rows_of(choice))
    if choice.finding is not None:
        words.html(words.headline(choice.finding, words.spoken(choice.finding.check)))
    if total:
        _grid(key, total, choice.size)
    else:
        words.html('<p class="r-lead">No sample fits all of these filters.</p>')
        st.button("Clear the filters", on_click=_clear, icon=":material/filter_alt_off:")


@st.fragment
def _grid(key: str, total: int, size: int) -> None:
    acted = gallery(key, total, size=size, height="calc(100vh - 220px)")
    if acted.inspect is not None:
        sample_dialog(acted.inspect)


def _choice() -> Choice:
    found = opened.evidence()
    names = _options(found.dataset.class_names, "label", filters.UNLABELLED)
    labels = st.multiselect("Label", names, key="label", bind="query-params")
    parts = _options(found.dataset.splits, "split", filters.NO_SPLIT)
    splits = st.multiselect("Split", parts, key="split", bind="query-params")
    text = st.text_input("Name or label contains", key="text", bind="query-params", type="search")
    named = [ANY, *(f.check for f in opened.findings().values() if len(f.subjects))]
    check = st.selectbox("Finding", named, key="finding", bind="query-params",
                         format_func=lambda c: c if c == ANY else words.spoken(c))  # fmt: skip
    finding = opened.finding(check) if check in named[1:] else None
    orders = [WORST_FIRST if finding else AS_READ, *filters.sortable(found.samples)]
    sort = st.selectbox("Sort by", orders, key="sort", bind="query-params",
                        format_func=lambda c: c.replace("_", " "))  # fmt: skip
    unsorted = sort == orders[0]
    descending = st.toggle("Largest first", key="down", bind="query-params", disabled=unsorted)
    size = st.slider("Size", 64, 256, 128, 16, key="size", bind="query-params")
    where = filters.expression(labels, splits, text or "")
    return Choice(where, finding, "" if unsorted else sort, descending, size)


def _options(names: tuple[str, ...], column: str, absent: str) -> list[str]:
    samples = opened.evidence().samples
    return [*names, absent] if names and samples[column].null_count else list(names)


def _parts(c: Choice) -> tuple[object, ...]:
    shown = (c.finding.check, tuple(sorted(c.finding.thresholds.items()))) if c.finding else ()
    return (c.where, c.sort, c.descending and bool(c.sort), shown)


def rows_of(c: Choice) -> views.Rows:
    """Row numbers of the chosen samples in the chosen order."""
    rows = recipe.rows(opened.workspace(), c.where, c.sort, descending=c.descending)
    if c.finding is None:
        return rows
    subjects = c.finding.subjects
    order = views.together_worst_first(subjects)
    return views.among(rows, order, worst_first=not c.sort)


def _clear() -> None:
    for key in ("label", "split"):
        st.session_state[key] = []
    st.session_state["text"], st.session_state["finding"] = "", ANY


main()
