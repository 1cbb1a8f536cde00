"""What can be handed on? The same findings as a page, as text and as data."""

from __future__ import annotations

import re
from functools import partial

import streamlit as st

from app import opened, words
from app.nothing import report_or_stop
from recipe_core import pipeline

KINDS = {
    "html": ("HTML", "text/html", "One file with pictures and charts; opens without a network."),
    "md": ("Markdown", "text/markdown", "For a wiki or a pull request."),
    "json": ("JSON", "application/json", "For scripts: verdicts, numbers, thresholds, versions."),
}


def main() -> None:
    """Downloads on top, the HTML report below."""
    words.title("Report")
    last = report_or_stop("The report")
    name = file_name(str(last.dataset.get("name") or "data"))
    with st.container(horizontal=True, key="downloads"):
        for kind, (label, mime, use) in KINDS.items():
            st.download_button(
                label, partial(pipeline.report_bytes, opened.workspace(), kind),
                f"{name}-report.{kind}", mime, help=use, on_click="ignore", key=f"download-{kind}",
                icon=":material/download:", type="primary" if kind == "html" else "secondary",
            )  # fmt: skip
    st.iframe(f"/api/report/{opened.token()}", height=900, alt="The report")


def file_name(name: str) -> str:
    """A name that every file system takes: letters, digits, dot, dash and underscore."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:60] or "data"


main()
