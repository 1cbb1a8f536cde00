"""What is known about one sample? The picture, every column, and each finding that names it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app import opened, words
from app.routes import INLINE
from recipe_core import recipe
from recipe_core.kernel.nouns import Finding
from recipe_core.reporting.wording import escaped, number, visible

HIDDEN = frozenset({"file", "member", "phash_turned", "thumb_offset", "thumb_length", "mtime_ns"})
"""Columns of bookkeeping that say nothing about the picture."""
COPIES = 6


@st.dialog("Sample", width="large")
def sample_dialog(row: int) -> None:
    """Show the sample at this row of the sample table."""
    if not opened.has_results() or not 0 <= row < len(opened.evidence()):
        words.problem("This sample is no longer part of the data set.")
        return
    values = columns_of(row)
    words.html(f'<div class="r-mono">{escaped(values.get("path", ""))}</div>')
    left, right = st.columns([3, 2], gap="medium")
    with left:
        words.html(picture(row, values))
        _findings(row)
    with right:
        shown = pd.DataFrame(
            {"column": list(values), "value": [visible(number(v)) for v in values.values()]}
        )
        st.dataframe(shown, hide_index=True, height=min(560, 36 * len(shown) + 38))


def columns_of(row: int) -> dict[str, Any]:
    """The sample's values by column name, without bookkeeping and without what is null."""
    table = opened.evidence().samples
    wanted = [c for c in table.column_names if c not in HIDDEN]
    found: dict[str, Any] = table.select(wanted).slice(row, 1).to_pylist()[0]
    return {k: v for k, v in found.items() if v is not None and v != ""}


def picture(row: int, values: dict[str, Any]) -> str:
    """The original where a browser can show it, else its thumbnail, else what went wrong."""
    there = recipe.thumbnail(opened.workspace(), row) is not None
    token, name = opened.token(), escaped(values.get("path", ""))
    error = values.get("error")
    note = ""
    if error:
        why = escaped(values.get("error_detail", ""))
        note = f'<p class="r-saw"><b>{escaped(error)}</b> {why}</p>'
    if not there:
        return (
            f'<div class="r-nopicture"><div>'
            f"<b>No picture: {escaped(error or 'not decoded')}</b><br>"
            f"{escaped(values.get('error_detail', ''))}</div></div>"
        )
    if values.get("format") in INLINE and not error:
        return f'<img class="r-picture" alt="{name}" src="/api/original/{token}/{row}">'
    thumbnail = f'<img class="r-picture" alt="{name}" src="/api/thumbnail/{token}/{row}">'
    reason = note or (
        f'<p class="r-faint">Browsers do not show {escaped(values.get("format", "this format"))}: '
        "this is the thumbnail.</p>"
    )
    return thumbnail + reason


def _findings(row: int) -> None:
    about = [f for check_id in opened.findings() if (f := opened.finding(check_id))]
    named = list(naming(row, about))
    if not named:
        words.html('<p class="r-faint">No finding names this sample.</p>')
    for finding, details, others in named:
        pictures = "".join(
            f'<img alt="" loading="lazy" style="width:72px;height:72px;object-fit:contain" '
            f'src="/api/thumbnail/{opened.token()}/{other}">'
            for other in others[:COPIES]
            if recipe.thumbnail(opened.workspace(), other) is not None
        )
        words.html(
            f'<div class="r-row">{words.badge(finding.verdict)}'
            f"<span>{escaped(words.spoken(finding.check))}</span></div>"
            f'<p class="r-faint" style="margin:.2rem 0">{escaped("; ".join(details))}</p>'
            f'<div class="r-row">{pictures}</div>'
        )


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
