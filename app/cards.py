"""How is a finding shown? Verdict, question, sentence, next step, pictures; more on demand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import streamlit as st

from app import exhibits, opened, words
from app.sample import sample_dialog
from app.strip import strip
from app.thresholds import thresholds
from recipe_core.kernel.check import Check
from recipe_core.kernel.errors import RecipeError
from recipe_core.kernel.nouns import Chart, Finding
from recipe_core.kernel.params import Value
from recipe_core.reporting.figures import figure
from recipe_core.reporting.verdicts import WORDS
from recipe_core.reporting.wording import counted, escaped

PAGES = Path(__file__).resolve().parent.parent / "pages"
ON_OVERVIEW, ON_FINDINGS = 6, 12
"""Pictures on a card: one line of them on a laptop, or two."""
HUMAN = "human_baseline"
MOST_LINKED = 90
"""Samples that a link to Browse names: an address has an end."""


@st.fragment
def brief_card(check_id: str) -> None:
    """A finding on the overview: what was seen and a line of pictures; leads to its own card."""
    finding = opened.finding(check_id)
    if finding is None:
        return
    with st.container(border=True, key=f"brief-{check_id}"):
        words.html(words.headline(finding, question(check_id)) + exhibits.against(finding))
        row = _pictures(finding, ON_OVERVIEW, "brief")
        st.page_link(
            PAGES / page_of(finding), label="Evidence and thresholds",
            icon=":material/arrow_forward:", query_params={"check": words.spoken(check_id)},
        )  # fmt: skip
    if row is not None:
        sample_dialog(row)


@st.fragment
def full_card(check_id: str, *, folded: bool = False) -> None:
    """A finding with its evidence; its sliders re-judge this check alone.

    folded  the evidence is drawn only once somebody asks for it
    """
    reported = opened.finding(check_id)
    if reported is None:
        return
    with st.container(border=True, key=f"card-{check_id}"):
        top = st.container()
        if folded and not st.toggle("Evidence and thresholds", key=f"unfolded-{check_id}"):
            with top:
                words.html(words.headline(reported, question(check_id)))
            return
        check = opened.checks().get(check_id)
        finding = _with_sliders(check, reported) if check and check.settings else _plain(reported)
        with top:
            words.html(words.headline(finding, question(check_id)) + exhibits.against(finding))
            _what_changed(finding, check_id)
            _explained(finding)
            if exhibits.traceback(finding):
                st.code(exhibits.traceback(finding), language="python", wrap_lines=True)
            words.html(exhibits.pictures(finding))
            row = _pictures(finding, ON_FINDINGS, "full")
            _links(finding)
        words.html(exhibits.tables(finding))
        _more(finding, check)
    if row is not None:
        sample_dialog(row)


def _with_sliders(check: Check, reported: Finding) -> Finding:
    """Charts on the left, sliders on the right; what they say is judged before it is drawn."""
    before = opened.reported(check.id) or reported
    if before.charts:
        left, right = st.columns([5, 3], gap="large")
    else:
        left, right = st.container(), st.expander("Thresholds", type="compact")
    with right:
        if before.charts:
            st.caption("Thresholds")
        chosen = thresholds(check, before.thresholds)
    finding = _judged(check.id, chosen, reported) if chosen else before
    with left:
        _charts(finding)
    return finding


def _judged(check_id: str, chosen: Mapping[str, Value], reported: Finding) -> Finding:
    try:
        return opened.judged(check_id, chosen)
    except RecipeError as e:
        words.problem(e)
        return reported


def _plain(finding: Finding) -> Finding:
    _charts(finding)
    return finding


def _charts(finding: Finding) -> None:
    for i, one in enumerate(finding.charts):
        chart(one, f"chart-{finding.check}-{i}")


def chart(drawn: Chart, key: str) -> None:
    """One chart of a finding, in the colours of the page."""
    st.plotly_chart(
        figure(drawn, dark=st.context.theme.type == "dark"), theme=None, key=key, alt=drawn.title,
        config={"displayModeBar": False, "displaylogo": False},
    )  # fmt: skip


def _what_changed(finding: Finding, check_id: str) -> None:
    moved, before = opened.moved(check_id), opened.reported(check_id)
    changed = {k: v for k, v in moved.items() if before and before.thresholds.get(k, v) != v}
    if not changed or before is None:
        return
    was = {k: before.thresholds[k] for k in changed}
    words.html(
        f'<div class="r-changed">With {escaped(words.settings(changed))} instead of '
        f"{escaped(words.settings(was))}: {said(finding)}. The report says: {said(before)}.</div>"
    )


def said(finding: Finding) -> str:
    """Verdict and number of samples, for comparing two findings of one check."""
    verdict = WORDS[finding.verdict].lower()
    if finding.stage == "skeleton":
        return verdict
    return f"{verdict}, {counted(len(finding.subjects), 'sample')}"


def _pictures(finding: Finding, most: int, place: str) -> int | None:
    if not len(finding.subjects):
        return None
    return strip(finding.subjects, most, key=f"strip-{place}-{finding.check}")


def _explained(finding: Finding) -> None:
    """The checks whose bad finding explains this one: mend those first."""
    if not finding.because:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        words.html('<span class="r-faint">Explained by what failed before it:</span>')
        for earlier in finding.because:
            st.page_link(
                PAGES / page_of(finding), label=words.spoken(earlier),
                icon=":material/arrow_upward:", query_params={"check": words.spoken(earlier)},
            )  # fmt: skip


def page_of(finding: Finding) -> str:
    """The file of the page on which a finding's full card stands."""
    return {"skeleton": "skeleton.py", "overfit": "overfit.py"}.get(finding.stage, "findings.py")


def _links(finding: Finding) -> None:
    n = len(set(finding.subjects.rows.tolist()))
    label = f"See these {n:,} samples" if n > 1 else "See this sample"
    if finding.check == HUMAN:
        st.page_link(PAGES / f"{HUMAN}.py", label="Name pictures, or see what people said",
                     icon=":material/person_search:")  # fmt: skip
    elif n and finding.stage == "skeleton":
        link_to_rows(finding.subjects.rows, label)
    elif n:
        st.page_link(
            PAGES / "browse.py", label=label, icon=":material/grid_view:",
            query_params={"finding": words.spoken(finding.check)},
        )  # fmt: skip


def link_to_rows(rows: npt.NDArray[np.int64], label: str) -> None:
    """A link to these samples in Browse; to the first MOST_LINKED of many."""
    ids = opened.evidence().samples["sample_id"].take(pa.array(rows[:MOST_LINKED])).to_pylist()
    listed = ", ".join(f"'{i}'" for i in ids)
    st.page_link(PAGES / "browse.py", label=label, icon=":material/grid_view:",
                 query_params={"where": f"sample_id IN ({listed})"})  # fmt: skip


def _more(finding: Finding, check: Check | None) -> None:
    if check:
        with st.expander("Why this matters", type="compact"):
            words.html(f'<p class="r-saw" style="white-space:pre-line">{escaped(check.why)}</p>')
    if finding.numbers:
        with st.expander("Numbers", type="compact"):
            words.html(words.table({k: v for k, v in finding.numbers.items() if k != "traceback"}))


def question(check_id: str) -> str:
    """The check's question; its name where this version no longer has it."""
    check = opened.checks().get(check_id)
    return check.question if check else words.spoken(check_id)
