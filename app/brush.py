"""Which part of a plot is meant? A canvas to brush on, and bars to click, drawn once per question.

Plotly was measured first: it is mounted anew with every answer, with a WebGL context that a machine
without a graphics card draws by processor, and sends every point in the box back: a brush on a
million samples took 1.7 s of processor time, of which the pictures need 0.4 s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

_HERE = Path(__file__).parent
_plot = st.components.v2.component(
    "recipe.brush",
    css=_HERE.joinpath("brush.css").read_text(encoding="utf-8"),
    js=_HERE.joinpath("brush.js").read_text(encoding="utf-8"),
)


def plot(
    ground: Mapping[str, Any],
    chosen: Sequence[object],
    colours: Mapping[str, Any],
    *,
    key: str,
    on_act: Callable[[Mapping[str, Any]], None],
) -> None:
    """Draw a plot. What stays while one brushes is apart from what is brushed.

    ground   kind ("points", "heights" or "bars"), title, axes and what is drawn: see plots.py
    chosen   (low, high) of both axes as the filter has them (None: open); of bars, their values
    colours  rule, faint and series, as #rrggbb
    on_act   called before the next run with what was done: {"kind": "ranges", "ranges": [{column,
             low, high}, …]} or {"kind": "values", column, values}. It comes from a browser: nothing
             in it can be trusted
    """

    def acted() -> None:
        act = st.session_state[key].get("act")
        if isinstance(act, Mapping):
            on_act(act)

    data = {"ground": dict(ground), "chosen": list(chosen), "colours": dict(colours)}
    _plot(key=key, data=data, height="content", on_act_change=acted)
