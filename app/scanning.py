"""How is a scan started, followed and stopped from a page?

The scan is a process of its own that this server only watches: closing the tab, reloading it or
restarting the server changes nothing about it.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import streamlit as st

from app import opened, words
from app.running import bar
from recipe_core.kernel.errors import RecipeError
from recipe_core.runs import scans

FORMATS = {
    "auto": "Find out by itself", "folder": "Class folders", "manifest": "CSV, JSONL, Parquet list",
    "coco": "COCO JSON", "voc": "Pascal VOC", "yolo": "YOLO", "hf": "Hugging Face",
}  # fmt: skip
SECONDS_BETWEEN_LOOKS = 1.0


def running() -> bool:
    """Whether a scan of the open workspace runs right now, whoever started it."""
    return scans.watch(opened.workspace()).status == "running"


def form() -> None:
    """Where is the data set? A path on this machine, and the command that it becomes."""
    with st.container(border=True, key="scan-form"):
        path = st.text_input(
            "Folder or file on the machine that runs Recipe", key="scan-path", max_chars=4096,
            value=_suggested(), placeholder="/home/you/photos",
        )  # fmt: skip
        kind = st.selectbox(
            "How it is organised", list(FORMATS), format_func=FORMATS.__getitem__, key="scan-format"
        )
        source = _expanded(path.strip())
        st.caption("The same as typing")
        st.code(
            shlex.join(scans.command(source or "SOURCE", opened.workspace(), kind)),
            language=None, wrap_lines=True,
        )  # fmt: skip
        wrong = why_not(source) if source else ""
        if wrong:
            words.problem(wrong)
        if st.button(
            "Scan", type="primary", icon=":material/play_arrow:", disabled=not source or bool(wrong)
        ):
            _start(source, kind)


def _suggested() -> str:
    if opened.source():
        return opened.source()
    return str(opened.evidence().dataset.root) if opened.has_results() else ""


def _expanded(path: str) -> str:
    return os.path.expanduser(path)  # noqa: PTH111 -- Path("") would become "."


def why_not(source: str) -> str:
    """Why this path cannot be scanned, '' where it can."""
    path = Path(source)
    try:
        if "\0" in source or not path.exists():
            return f"There is no file or folder {source!r} on the machine that runs Recipe."
        if not os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0)):
            return f"{source!r} cannot be read by the user that runs Recipe."
    except OSError as e:
        return f"{source!r} cannot be read: {e.strerror or e}."
    return ""


def _start(source: str, kind: str) -> None:
    try:
        scans.start(source, opened.workspace(), kind)
    except RecipeError as e:
        words.problem(e)
        return
    st.rerun()


def progress() -> None:
    """The running scan, looked at every second until it ends; then the page is drawn anew."""
    st.fragment(_progress, run_every=SECONDS_BETWEEN_LOOKS)()


def _progress() -> None:
    scan = scans.watch(opened.workspace())
    if scan.status != "running":
        st.rerun()
    with st.container(border=True, key="scan-progress"):
        words.html(bar(scan))
        st.code(scan.command, language=None, wrap_lines=True)
        if st.button("Cancel", icon=":material/stop:", key="scan-cancel"):
            scans.stop(opened.workspace())
            st.rerun()
        st.caption("It goes on when this tab is closed. What is measured stays measured.")


def ended() -> None:
    """How the last scan ended, where that needs a word."""
    scan = scans.watch(opened.workspace())
    if scan.status == "stopped":
        words.note(scan.message or "The scan was stopped.")
    elif scan.status in ("failed", "lost"):
        words.problem(scan.message or "The scan failed.")
        if scan.log_tail:
            with st.expander("Log of the scan"):
                st.code(scan.log_tail, language=None, wrap_lines=True)
