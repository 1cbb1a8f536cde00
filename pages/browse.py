"""What do the samples look like? Filter, sort, and look at as many as one likes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st

from app import comparing, decisions_bar, filters, looks, mapping, opened, plots, words
from app.filters import chips, column_name
from app.gallery import gallery
from app.grouping import (
    BY_FINDING,
    BY_LIKENESS,
    UNGROUPED,
    Grouping,
    View,
    blame,
    not_blamed,
    open_view,
    single_finding,
)
from app.nothing import report_or_stop
from app.panel import panel
from app.sample import sample_dialog
from app.views import Rows
from recipe_core import recipe
from recipe_core.data import clusters
from recipe_core.data.browse import Browser, Filter, Order
from recipe_core.data.embedded import CLUSTER
from recipe_core.kernel.errors import RecipeError
from recipe_core.kernel.nouns import Finding
from recipe_core.reporting.wording import counted, escaped, in_markdown, shortened

WORST_FIRST, AS_READ, SHUFFLED, LIKENESS = (
    "worst first",
    "as read",
    "shuffled",
    "most similar first",
)
NOTHING, PLOTS, MAP, DIFFERENT = "nothing", "plots", "map", "differences"
BESIDE = {NOTHING: "Pictures", PLOTS: "+ Plots", MAP: "+ Map", DIFFERENT: "+ What is different?"}
DRAW = {PLOTS: plots.plots, MAP: mapping.map_, DIFFERENT: comparing.differences}
ALL_THE_WAY = "max(340px, calc(100vh - 330px))"
HEIGHTS = (ALL_THE_WAY, f"clamp(340px, calc((100vw - 1250px) * 9999), {ALL_THE_WAY})")
# Down to the window's end; in a window that is too narrow for two columns no further than that what
# stands below is seen to be there.
SIZES = range(64, 257, 16)
MOST_TEXT = 2000


@dataclass(frozen=True)
class Look:
    """How samples are shown.

    size    least width of a picture in pixels
    beside  what stands beside the pictures
    boxes   whether annotated boxes are drawn
    whole   whether a finding brings along the members of its groups that it does not blame
    """

    size: int
    group: Grouping
    beside: str
    boxes: bool
    whole: bool


def main() -> None:
    """Filters beside the navigation, samples over the rest of the window."""
    words.title("Browse")
    report_or_stop("The samples")
    place = filters.browser()
    unknown = filters.follow_address()
    filter, order = filters.current()
    with st.sidebar:
        _search(filter)
    try:
        place.rows(filter, order)
    except RecipeError as e:  # a filter from before another scan, or from a link that was edited
        words.problem(e)
        st.button("Clear the filters", on_click=_clear, icon=":material/filter_alt_off:")
        return
    with st.sidebar:
        panel(place, filter)
        _expert(filter)
    look = _toolbar(place, filter, order)
    filters.write_address(looks.address(_in_use(look)))
    _chips(filter, unknown)
    _body(place, filter, order, look)


def _in_use(look: Look) -> list[str]:
    """The names of the looks that make a difference to what is shown now."""
    beside = {PLOTS: ["across", "up", "paint"], MAP: ["hue"], DIFFERENT: ["these", "against"]}
    by_likeness = ["clusters"] if look.group.by == BY_LIKENESS else []
    return ["size", "group", *by_likeness, "boxes", "whole", "beside", *beside.get(look.beside, [])]


def _look_at_all(place: Browser) -> None:
    """Likeness needs a look at every picture: once, with a bar, minutes at a million."""
    told = st.empty()
    place.describe(lambda what, done, of: _tell(told, what, done, of))
    told.empty()


def _tell(told: Any, what: str, done: int, of: int) -> None:
    if of:
        told.progress(done / of, text=f"{what.capitalize()}: {done:,} of {of:,}, once")


def _body(place: Browser, filter: Filter, order: Order, look: Look) -> None:
    by = place.likeness_by(order.like) if order.like is not None else ""
    if (order.like is not None and not by) or look.group.by == BY_LIKENESS:
        _look_at_all(place)
    view = open_view(place, filter, order, look.group, whole=look.whole)
    if view.finding is not None:
        words.html(words.headline(view.finding, words.spoken(view.finding.check)))
        if not_blamed(view.finding):
            words.html(f'<p class="r-faint">{escaped(blame(view.finding, look.whole))}</p>')
    if order.like is not None:
        what = f"by {by}" if by else "by layout and colour; + Map lets them be compared by more"
        st.caption(in_markdown(f"The most like one picture first, {what}."))
    decisions_bar.announce()
    if look.beside == NOTHING:
        _samples(view, look, filters.spoken_filter(filter) + repr(order))
        return
    with st.container(key="two-sides"):
        left, right = st.columns([5, 4], gap="medium")
    with left:  # first: pictures are not to wait for a chart
        _samples(view, look, filters.spoken_filter(filter) + repr(order))
    with right:
        draw = {PLOTS: plots.plots, MAP: mapping.map_, DIFFERENT: comparing.differences}[
            look.beside
        ]
        draw(place, filter)


# -- the grid -----------------------------------------------------------------------------------


@st.fragment
def _samples(view: View, look: Look, question: str) -> None:
    if "decided" in st.session_state or "decided-problem" in st.session_state:
        st.rerun()  # counts and facets follow what was decided
    if not view.total:
        words.html('<p class="r-lead">No sample fits all of these filters.</p>')
        st.button("Clear the filters", on_click=_clear, icon=":material/filter_alt_off:")
        return
    top = st.container(key="decisions")
    acted = gallery(view.key, view.total, size=look.size, height=HEIGHTS[look.beside != NOTHING],
                    question=question, boxes=look.boxes, groups=view.groups)  # fmt: skip
    with top:
        _decisions(acted.selection.rows())
    if acted.command:
        decisions_bar.command(acted.command, acted.about.rows())
        st.rerun()
    if acted.inspect is not None:
        sample_dialog(acted.inspect, view.key)


def _decisions(rows: Rows) -> None:
    said = decisions_bar.counts()
    chosen = (
        f"<b>{counted(len(rows), 'sample')} selected</b>" if len(rows)
        else "Select with space, ctrl- or shift-click, all with ctrl+A"
    )  # fmt: skip
    after = f" · {escaped(said)}" if said else ""
    words.html(f'<span class="r-faint" style="font-size:.9rem">{chosen}{after}</span>')
    decisions_bar.bar(rows, key="grid")


# -- filters ------------------------------------------------------------------------------------


def _search(filter: Filter) -> None:
    _saved_views()
    st.session_state[filters.SEARCH] = filter.search
    st.text_input("Name or label contains", key=filters.SEARCH, type="search", on_change=_sought,
                  max_chars=MOST_TEXT)  # fmt: skip


def _sought() -> None:
    filters.change(filters.current()[0].but(search=st.session_state[filters.SEARCH] or ""))


def _expert(filter: Filter) -> None:
    tried = st.session_state.get("where-tried")
    st.session_state["where"] = filter.where if tried is None else tried
    st.text_input(
        "SQL condition", key="where", on_change=_asked, max_chars=MOST_TEXT,
        placeholder="width > 2 * height AND label <> 'x'",
        help="Any DuckDB expression over the columns of the sample table, as in "
        "`recipe samples --where`. It can only read.",
    )  # fmt: skip
    wrong = st.session_state.get("where-problem")
    if wrong:
        words.problem(wrong)


def _asked() -> None:
    """Try the expression; one that does not work stays in the field, with the reason under it."""
    text = (st.session_state["where"] or "").strip()
    st.session_state["where-tried"] = st.session_state["where-problem"] = None
    wanted = filters.current()[0].but(where=text)
    try:
        filters.browser().rows(wanted)
    except RecipeError as e:
        st.session_state["where-tried"], st.session_state["where-problem"] = text, str(e)
        return
    filters.change(wanted)


def _clear() -> None:
    st.session_state["where-tried"] = st.session_state["where-problem"] = None
    filters.change(Filter(), Order())


def _chips(filter: Filter, unknown: tuple[str, ...]) -> None:
    if unknown:
        named = ", ".join(shortened(name, 40) for name in unknown[:5])
        words.note(f"The link asks for what this data set does not have: {named}.")
    parts = chips(filter)
    if not parts:
        return
    with st.container(horizontal=True, key="chips", gap="small"):
        for i, chip in enumerate(parts):
            st.button(in_markdown(chip.text), key=f"chip-{i}", icon=":material/close:",
                      help="Take this part of the filter away.",
                      on_click=filters.change, args=(chip.without,))  # fmt: skip
        st.button("Clear all", key="chips-clear", type="tertiary", on_click=_clear)


# -- saved views --------------------------------------------------------------------------------


def _saved_views() -> None:
    saved = recipe.views(opened.workspace())
    with st.popover(f"Saved views ({len(saved)})", icon=":material/bookmark:", width="stretch"):
        chosen = st.selectbox("Saved", list(saved), index=None, key="view-chosen",
                              placeholder="Choose one", disabled=not saved)  # fmt: skip
        with st.container(horizontal=True):
            st.button("Open", key="view-open", disabled=chosen is None, on_click=_open_saved,
                      args=(chosen,), type="primary")  # fmt: skip
            st.button("Delete", key="view-delete", disabled=chosen is None, on_click=_forget,
                      args=(chosen,))  # fmt: skip
        name = st.text_input("Name for what is shown now", key="view-name", max_chars=200)
        st.button("Save", key="view-save", disabled=not (name or "").strip(), on_click=_save)
        wrong = st.session_state.pop("view-problem", None)
        if wrong:
            words.problem(wrong)


def _open_saved(name: str) -> None:
    saved = recipe.views(opened.workspace()).get(name)
    if saved is not None:
        filters.change(*saved)


def _forget(name: str) -> None:
    recipe.forget_view(opened.workspace(), name)


def _save() -> None:
    name = (st.session_state.get("view-name") or "").strip()
    try:
        recipe.save_view(opened.workspace(), name, *filters.current())
    except RecipeError as e:
        st.session_state["view-problem"] = str(e)


# -- order and look -----------------------------------------------------------------------------


def _toolbar(place: Browser, filter: Filter, order: Order) -> Look:
    with st.container(horizontal=True, key="toolbar", vertical_alignment="bottom"):
        _sorting(place, filter, order)
        group = _grouping(filter)
        chosen = looks.choice("beside", list(BESIDE))
        beside = st.segmented_control("Show", list(BESIDE), format_func=BESIDE.__getitem__,
                                      key="beside", required=True, on_change=chosen)  # fmt: skip
        chosen = looks.number("size", SIZES)
        size = st.slider("Size", SIZES.start, SIZES[-1], step=SIZES.step, key="size", width=140,
                         on_change=chosen)  # fmt: skip
        boxes = False
        if opened.evidence().boxes.num_rows:
            boxes = st.toggle("Boxes", key="boxes", on_change=looks.switch("boxes"))
        whole = _whole_groups(single_finding(filter))
    return Look(size, group, beside or NOTHING, boxes, whole)


def _whole_groups(finding: Finding | None) -> bool:
    if finding is None or not not_blamed(finding):
        return True
    return st.toggle(
        "Whole groups", key="whole", on_change=looks.switch("whole"),
        help="Also the members that may stay, such as the copy to keep: to compare them with. "
        "Off, everything shown is to blame.",
    )  # fmt: skip


def _grouping(filter: Filter) -> Grouping:
    ways = [UNGROUPED,
            *(c for c in ("label", "split", "format", CLUSTER) if opened.evidence().has(c)),
            BY_LIKENESS]  # fmt: skip
    finding = single_finding(filter)
    if finding is not None and finding.subjects.groups is not None:
        ways.append(BY_FINDING)
    chosen = looks.choice("group", ways)
    by = st.selectbox("Group by", ways, key="group", width=190, on_change=chosen,
                      format_func=lambda c: column_name(c) if c else "–")  # fmt: skip
    return Grouping(by or UNGROUPED, _how_many_clusters() if by == BY_LIKENESS else 0)


def _how_many_clusters() -> int:
    chosen = looks.number("clusters", range(clusters.FEWEST, clusters.MOST + 1))
    return st.number_input(
        "Clusters", clusters.FEWEST, clusters.MOST, step=1, key="clusters", width=110,
        on_change=chosen, help="Pictures that look alike in layout and colour stand together.",
    )  # fmt: skip


def _sorting(place: Browser, filter: Filter, order: Order) -> None:
    plain = WORST_FIRST if single_finding(filter) else AS_READ
    ways = [plain, SHUFFLED, *place.sortable]
    now = order.column if order.column in place.sortable else plain
    if order.seed is not None:
        now = SHUFFLED
    if order.like is not None:
        ways.insert(1, LIKENESS)
        now = LIKENESS
    st.session_state["sort"] = now
    st.selectbox("Sort by", ways, key="sort", on_change=_sorted, width=190,
                 format_func=lambda c: c.replace("_", " "))  # fmt: skip
    if now == SHUFFLED:
        st.session_state["seed"] = order.seed
        st.number_input("Seed", 0, filters.MOST_SEED, step=1, key="seed", on_change=_reseeded,
                        width=110)  # fmt: skip
    elif order.column:
        st.session_state["down"] = order.descending
        st.toggle("Largest first", key="down", on_change=_turned)


def _sorted() -> None:
    chosen, (_, order) = st.session_state["sort"], filters.current()
    if chosen == LIKENESS:
        return
    if chosen == SHUFFLED:
        filters.change(order=Order(seed=0))
    elif chosen in (WORST_FIRST, AS_READ, None):
        filters.change(order=Order())
    else:
        filters.change(order=Order(chosen, descending=order.descending))


def _turned() -> None:
    _, order = filters.current()
    filters.change(order=Order(order.column, descending=bool(st.session_state["down"])))


def _reseeded() -> None:
    filters.change(order=Order(seed=int(st.session_state["seed"] or 0)))


main()
