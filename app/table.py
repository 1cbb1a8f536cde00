"""How many samples have both? Two columns against each other; every cell is a filter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import streamlit as st

_HERE = Path(__file__).parent
_table = st.components.v2.component(
    "recipe.table",
    css=_HERE.joinpath("table.css").read_text(encoding="utf-8"),
    js=_HERE.joinpath("table.js").read_text(encoding="utf-8"),
)


def table(
    down: Sequence[str],
    across: Sequence[str],
    counts: Sequence[Sequence[int]],
    *,
    title: str,
    key: str,
    on_pick: Callable[[int | None, int | None], None],
) -> None:
    """Draw the counts of a (len(down), len(across)) table.

    on_pick  called before the next run with the row and the column that were clicked; None for
             one of them where a heading was
    """
    data = {"title": title, "down": list(down), "across": list(across),
            "counts": [list(map(int, row)) for row in counts]}  # fmt: skip

    def picked() -> None:
        found = st.session_state[key].get("pick")
        if isinstance(found, dict):
            on_pick(_place(found.get("row"), len(down)), _place(found.get("column"), len(across)))

    _table(key=key, data=data, height="content", on_pick_change=picked)


def _place(value: object, n: int) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return int(value) if whole and 0 <= value < n else None  # type: ignore[operator, call-overload]
