"""How is the newest run of a kind doing, on the page that it belongs to?"""

from __future__ import annotations

import streamlit as st

from app import opened, running, words
from recipe_core import pipeline
from recipe_core.kernel.errors import RecipeError
from recipe_core.runs.watching import Run

SECONDS_BETWEEN_LOOKS = 2.0


def newest(kind: str) -> Run | None:
    """The newest run of this kind."""
    return next((r for r in pipeline.runs(opened.workspace()) if r.kind == kind), None)


def watched(run: Run, prefix: str, problem: str) -> None:
    """A live run, looked at again and again until it ends, then the page runs anew.

    prefix   of the widgets' keys
    problem  key under which the session keeps why it could not be stopped
    """
    st.fragment(_live, run_every=SECONDS_BETWEEN_LOOKS)(run.kind, run.id, prefix, problem)


def _live(kind: str, run_id: str, prefix: str, problem: str) -> None:
    run = newest(kind)
    if run is None or not run.live or run.id != run_id:
        st.rerun()
    with st.container(border=True, key=f"{prefix}-progress"):
        words.html(running.headline(run) + running.bar(run.progress))
        st.code(run.command, language=None, wrap_lines=True)
        st.button("Stop", icon=":material/stop:", key=f"{prefix}-stop", on_click=_stop,
                  args=(run.id, problem))  # fmt: skip
        st.caption("It goes on when this tab is closed.")


def _stop(run_id: str, problem: str) -> None:
    try:
        pipeline.stop(opened.workspace(), run_id, wait=False)
    except RecipeError as e:
        st.session_state[problem] = str(e)


def ended_badly(run: Run | None) -> None:
    """Why it did not end well; nothing where it did."""
    if run is None or run.status == "done":
        return
    words.html(running.headline(run))
    said = run.message or f"The run ended as {run.status}."
    (words.note if run.status == "stopped" else words.problem)(said)
