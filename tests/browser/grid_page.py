"""What does the grid tell a page? It alone, and below it what it said, for tests of the grid.

Groups, boxes and size come from the address; commands do what the real page does with them.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import streamlit as st  # noqa: E402

from app import opened, views  # noqa: E402
from app.gallery import Acted, gallery  # noqa: E402
from recipe_core import recipe  # noqa: E402


def grid() -> None:
    """The whole data set, or by label; what was excluded leaves the view where asked to."""
    asked = st.query_params
    labels = opened.evidence().texts("label")
    order = np.argsort(labels, kind="stable") if asked.get("groups") else np.arange(len(labels))
    if asked.get("hide"):
        decided = recipe.decisions(opened.workspace()).current()
        gone = decided["sample_id"].to_pylist()
        order = order[~np.isin(opened.evidence().texts("sample_id")[order].astype(str), gone)]
    rows = np.tile(order, int(asked.get("times", "1")))
    titles, counts = np.unique(labels[rows].astype(str), return_counts=True)
    key, total = views.open_view((rows.tobytes(),), lambda: rows)
    told(key, total, list(zip(titles, counts.tolist(), strict=True)) if asked.get("groups") else [])


@st.fragment
def told(key: str, total: int, groups: list[tuple[str, int]]) -> None:
    """The grid and what it says."""
    asked = st.query_params
    acted = gallery(
        key, total, size=int(asked.get("size", "128")), height="500px", question="everything",
        boxes=bool(asked.get("boxes")), groups=groups,
    )  # fmt: skip
    done = st.session_state.setdefault("done", [])
    if acted.command:
        done.append([acted.command, acted.about.rows().tolist()])
        obey(acted)
        st.rerun()
    said = {"inspect": acted.inspect, "place": acted.place, "n": len(acted.selection),
            "all": acted.selection.all, "done": done}  # fmt: skip
    if acted.inspect is not None and asked.get("dialog"):
        opened_sample(acted.inspect)
    if len(acted.selection) < 100:
        said["rows"] = acted.selection.rows().tolist()
    st.code(json.dumps(said), language=None)


@st.dialog("Sample")
def opened_sample(row: int) -> None:
    """What stands in for the details of a sample."""
    st.text(f"row {row}")


def obey(acted: Acted) -> None:
    """Record what the command means."""
    taken, now = recipe.decisions(opened.workspace()), datetime.now(UTC)
    ids = opened.evidence().texts("sample_id")[acted.about.rows()].tolist()
    if acted.command == "undo":
        taken.undo("test", now)
    elif acted.command == "redo":
        taken.redo("test", now)
    elif acted.command == "exclude":
        taken.record("exclude", ids, None, "test", now)
    else:
        taken.record("tag", ids, f"<b>{acted.command}</b>", "test", now)


def elsewhere() -> None:
    """Another page, to come back from."""
    st.title("Elsewhere")


st.navigation([
    st.Page(grid, title="Grid", url_path="grid", default=True),
    st.Page(elsewhere, title="Elsewhere", url_path="elsewhere"),
]).run()  # fmt: skip
