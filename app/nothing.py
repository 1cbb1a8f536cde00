"""What does a page show before there are results?"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from app import opened, words
from recipe_core.kernel.report import Report
from recipe_core.reporting.wording import escaped

PAGES = Path(__file__).resolve().parent.parent / "pages"


def report_or_stop(what: str) -> Report:
    """The last report; without one, `what` would be here and where to get it."""
    last = opened.report() if opened.has_results() else None
    if last is not None:
        return last
    words.html(f'<p class="r-lead">{escaped(what)} will be here after the first scan.</p>')
    st.page_link(
        PAGES / "overview.py", label="Go to the overview to scan", icon=":material/arrow_forward:"
    )
    st.stop()
