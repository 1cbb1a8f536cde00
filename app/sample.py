"""What is known about one sample? The picture close up, its numbers, its kin, what was decided."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from PIL import ExifTags, Image

from app import decisions_bar, filters, marks, opened, words
from app.filters import column_name
from app.picture import MODES, Box, Mode, Shown, picture
from app.routes import INLINE
from app.strip import strip
from app.views import VIEWS, Rows
from recipe_core import recipe
from recipe_core.data.browse import Order
from recipe_core.kernel.errors import RecipeError
from recipe_core.kernel.nouns import Finding, Subjects
from recipe_core.reporting.wording import escaped, number, shortened, visible

HIDDEN = frozenset({"file", "member", "phash_turned", "thumb_offset", "thumb_length", "mtime_ns"})
"""Columns of bookkeeping that say nothing about the picture."""
PAGES = Path(__file__).resolve().parent.parent / "pages"
NEIGHBOURS = 12
MOST_TAGS_OF_EXIF = 60
SAMPLE, VIEW, OTHER = "sample-row", "sample-view", "sample-other"


def sample_dialog(row: int, view: str = "") -> None:
    """Show the sample at this row of the sample table.

    view  the key of the view that it was opened from: previous and next go along it
    """
    st.session_state[SAMPLE], st.session_state[VIEW] = row, view
    st.session_state[OTHER] = None
    _dialog()


@st.dialog("Sample", width="large", on_dismiss="rerun")
def _dialog() -> None:
    row = int(st.session_state[SAMPLE])
    if not opened.has_results() or not 0 <= row < len(opened.evidence()):
        words.problem("This sample is no longer part of the data set.")
        return
    values = columns_of(row)
    _steps(row)
    words.html(f'<div class="r-mono">{escaped(values.get("path", ""))}</div>')
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _close_up(row, values)
        _kin(row)
    with right:
        _decided(row)
        _findings(row)
        _measures(row, values)
        _exif(row, values)


# -- previous and next --------------------------------------------------------------------------


def _steps(row: int) -> None:
    rows = VIEWS.get(st.session_state.get(VIEW) or "")
    place = place_of(row, rows)
    if rows is None or place is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="sample-steps"):
        _step("Previous", "Left", rows, place - 1)
        _step("Next", "Right", rows, place + 1)
        words.html(f'<span class="r-faint">{place + 1:,} of {len(rows):,} in this view</span>')


def _step(text: str, shortcut: str, rows: Rows, place: int) -> None:
    there = 0 <= place < len(rows)
    st.button(text, shortcut=shortcut, key=f"sample-{text}", disabled=not there,
              on_click=_go, args=(int(rows[place]) if there else 0,))  # fmt: skip


def _go(row: int) -> None:
    st.session_state[SAMPLE], st.session_state[OTHER] = row, None


def place_of(row: int, rows: Rows | None) -> int | None:
    """Where a row stands in a view, None where it does not."""
    found = np.flatnonzero(rows == row) if rows is not None else np.empty(0)
    return int(found[0]) if len(found) else None


# -- the picture --------------------------------------------------------------------------------


def columns_of(row: int) -> dict[str, Any]:
    """The sample's values by column name, without bookkeeping and without what is null."""
    table = opened.evidence().samples
    wanted = [c for c in table.column_names if c not in HIDDEN]
    found: dict[str, Any] = table.select(wanted).slice(row, 1).to_pylist()[0]
    return {k: v for k, v in found.items() if v is not None and v != ""}


def _close_up(row: int, values: Mapping[str, Any]) -> None:
    one = shown(row, values)
    if one is None:
        words.html(no_picture(values))
        return
    other_row = st.session_state.get(OTHER)
    other = shown(other_row, columns_of(other_row)) if other_row is not None else None
    mode: Mode = "one"
    if other is not None:
        mode = st.segmented_control(
            "Compare", list(MODES), format_func=MODES.__getitem__, required=True, default="side",
            key="sample-mode", label_visibility="collapsed",
        ) or "side"  # fmt: skip
    picture(one, other, mode, key="sample-picture")
    _under_picture(row, values, other_row)


def _under_picture(row: int, values: Mapping[str, Any], other: int | None) -> None:
    error = values.get("error")
    if error:
        why = escaped(values.get("error_detail", ""))
        words.html(f'<p class="r-saw"><b>{escaped(error)}</b> {why}</p>')
    if original_shown(values):
        words.html(
            f'<a href="/api/original/{opened.token()}/{row}" target="_blank" rel="noopener">'
            "Open the file itself in a new tab</a>"
        )
    else:
        words.html(
            f'<p class="r-faint">Browsers do not show {escaped(values.get("format", "this file"))}'
            ": this is the thumbnail.</p>"
        )
    if other is not None:
        path = escaped(shortened(columns_of(other).get("path", ""), 80))
        words.html(
            f'<p class="r-faint" style="margin:0">Against <span class="r-mono">{path}</span></p>'
        )
        with st.container(horizontal=True):
            st.button("Go to that one", on_click=_go, args=(other,), key="sample-go-other")
            st.button("Stop comparing", on_click=_against, args=(None,), key="sample-alone")


def _against(row: int | None) -> None:
    st.session_state[OTHER] = row


def original_shown(values: Mapping[str, Any]) -> bool:
    """Whether a browser can show the file itself."""
    return values.get("format") in INLINE and not values.get("error")


def shown(row: int, values: Mapping[str, Any]) -> Shown | None:
    """The original where a browser can show it, else its thumbnail; None where there is neither."""
    if recipe.thumbnail(opened.workspace(), row) is None:
        return None
    kind = "original" if original_shown(values) else "thumbnail"
    boxes = [Box(*five) for five in marks.boxes().of(row)]
    return Shown(f"api/{kind}/{opened.token()}/{row}", str(values.get("path", "")), boxes)


def no_picture(values: Mapping[str, Any]) -> str:
    """Why there is nothing to see."""
    return (
        f'<div class="r-nopicture"><div>'
        f"<b>No picture: {escaped(values.get('error') or 'not decoded')}</b><br>"
        f"{escaped(values.get('error_detail', ''))}</div></div>"
    )


# -- its kin ------------------------------------------------------------------------------------


def _kin(row: int) -> None:
    """Members of its groups and the samples that look most like it; a click compares."""
    copies = copies_of(row)
    if len(copies):
        words.section("Copies and group members", "Click one to compare it with this one.")
        _compared(strip(copies, NEIGHBOURS, key="sample-copies", size=88))
    near = neighbours_of(row)
    if len(near):
        by = recipe.browser(opened.workspace()).likeness_by(row)
        words.section("Most like it", f"By {by or 'layout and colour'}. Click one to compare.")
        _compared(strip(near, NEIGHBOURS, key="sample-near", size=88))
        st.button(
            "Sort everything by likeness to this one", key="sample-like",
            icon=":material/image_search:", on_click=_sort_by_likeness, args=(row,),
        )  # fmt: skip
        if st.session_state.pop("sample-leave", False):
            st.switch_page(PAGES / "browse.py")


def _sort_by_likeness(row: int) -> None:
    filters.change(order=Order(like=row))
    st.session_state["sample-leave"] = True


def _compared(row: int | None) -> None:
    if row is not None and row != st.session_state.get(OTHER):
        _against(row)
        st.rerun(scope="fragment")


def copies_of(row: int) -> Subjects:
    """The samples that share a group with this one in any finding, and which finding says so."""
    said: dict[int, list[str]] = {}
    for finding, _, others in naming(row, _all_findings()):
        for other in others:
            said.setdefault(other, []).append(words.spoken(finding.check))
    rows = np.array(sorted(said), np.int64)
    return Subjects(rows, np.zeros(len(rows), np.float32), [", ".join(said[int(r)]) for r in rows])


def neighbours_of(row: int) -> Subjects:
    """The samples most like it, without itself; none where it has no picture."""
    browser = recipe.browser(opened.workspace())
    rows, distances = browser.similar(row, NEIGHBOURS)
    by = browser.likeness_by(row)
    details = [f"cosine {1 - d:.2f}" if by else f"{d:.3g} levels apart" for d in distances]
    return Subjects(rows, np.arange(len(rows), dtype=np.float32), details)


# -- what is known ------------------------------------------------------------------------------


def _findings(row: int) -> None:
    named = list(naming(row, _all_findings()))
    words.section("Findings")
    if not named:
        words.html('<p class="r-faint">No finding names this sample.</p>')
    for finding, details, _ in named:
        words.html(
            f'<div class="r-row">{words.badge(finding.verdict)}'
            f"<span>{escaped(words.spoken(finding.check))}</span></div>"
            f'<p class="r-faint" style="margin:.2rem 0">{escaped("; ".join(details))}</p>'
        )


def _all_findings() -> list[Finding]:
    return [f for check_id in opened.findings() if (f := opened.finding(check_id))]


def naming(row: int, findings: Iterable[Finding]) -> Iterable[tuple[Finding, list[str], list[int]]]:
    """Findings that name this row, what they say of it, and the rows that share its group."""
    for finding in findings:
        subjects = finding.subjects
        places = np.flatnonzero(subjects.rows == row)
        if not len(places):
            continue
        details = list(dict.fromkeys(d for i in places if (d := subjects.details[int(i)])))
        others: list[int] = []
        if subjects.groups is not None:
            together = np.isin(subjects.groups, subjects.groups[places])
            others = sorted(set(subjects.rows[together].tolist()) - {row})
        yield finding, details, others


def _measures(row: int, values: Mapping[str, Any]) -> None:
    below = recipe.browser(opened.workspace()).quantile(row)
    words.section("Measured", "The bar: the share of samples with less.")
    with st.container(height=320, border=False, key="sample-measures"):
        words.html(measures(values, below))


def measures(values: Mapping[str, Any], below: Mapping[str, float]) -> str:
    """Every column, and for numbers their place in the distribution."""
    rows = "".join(_measure(k, v, below.get(k)) for k, v in values.items())
    return f'<table class="r-numbers"><tbody>{rows}</tbody></table>'


def _measure(column: str, value: Any, below: float | None) -> str:
    name, text = escaped(column_name(column)), escaped(shortened(number(value), 300))
    if below is None or not np.isfinite(below):
        return f'<tr><td>{name}</td><td colspan="2">{text}</td></tr>'
    share = (
        f'<div class="r-bar" role="img" aria-label="more than {below:.0%} of samples" '
        f'title="more than {below:.0%} of samples" style="width:84px;margin:.35rem 0 0">'
        f'<i style="width:{below:.1%}"></i></div>'
    )
    return f"<tr><td>{name}</td><td>{text}</td><td>{share}</td></tr>"


# -- EXIF ---------------------------------------------------------------------------------------


def _exif(row: int, values: Mapping[str, Any]) -> None:
    with st.expander("What the camera wrote (EXIF)", type="compact"):
        found = exif(str(opened.workspace()), opened.state(), row)
        if found:
            words.html(words.table(found))
        else:
            words.html('<p class="r-faint">Nothing.</p>')


@lru_cache(maxsize=64)
def exif(_workspace: str, _state: str, row: int) -> dict[str, str]:
    """The EXIF entries of the file by name, {} where there are none or it cannot be read."""
    try:
        with Image.open(io.BytesIO(recipe.original(opened.workspace(), row))) as opened_file:
            return named_exif(opened_file.getexif())
    except Exception:  # decoders raise many things on hostile bytes
        return {}


def named_exif(found: Image.Exif) -> dict[str, str]:
    """EXIF entries by their names in the standard, bytes shortened; a position is said outright."""
    inner = found.get_ifd(ExifTags.IFD.Exif)
    entries = {**dict(found), **dict(inner)}
    named = {
        ExifTags.TAGS.get(tag, f"tag {tag}"): shortened(visible(_plain(value)), 200)
        for tag, value in list(entries.items())[:MOST_TAGS_OF_EXIF]
        if tag not in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
    }
    where = found.get_ifd(ExifTags.IFD.GPSInfo)
    return named | ({"Position": "the file says where it was taken"} if where else {})


def _plain(value: object) -> str:
    return f"{len(value)} bytes" if isinstance(value, bytes) and len(value) > 40 else str(value)


# -- decisions ----------------------------------------------------------------------------------


def _decided(row: int) -> None:
    decisions_bar.announce()
    decisions_bar.bar(np.array([row], np.int64), key="sample")
    try:
        happened = recipe.history(opened.workspace(), row).to_pylist()
    except RecipeError as e:
        words.problem(e)
        return
    words.html(history(happened))


def history(happened: Iterable[Mapping[str, Any]]) -> str:
    """Everything that was ever decided about a sample, newest first; what was undone is struck."""
    lines = "".join(_event(e) for e in reversed(list(happened)))
    return f'<ul class="r-history">{lines}</ul>' if lines else ""


def _event(event: Mapping[str, Any]) -> str:
    what = decisions_bar.DONE.get(event["kind"], event["kind"])
    value = f" “{escaped(shortened(event['value'], 200))}”" if event["value"] else ""
    said = f"{escaped(what)}{value}"
    if event["undone"]:
        said = f"<s>{said}</s> (undone)"
    by = f"{escaped(event['who'])}, {escaped(words.moment(event['time']))}"
    return f'<li>{said} <span class="r-faint">{by}</span></li>'
