"""How are a million samples looked at? A grid that fetches what is on screen, 128 at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

_HERE = Path(__file__).parent
_grid = st.components.v2.component(
    "recipe.gallery",
    css=_HERE.joinpath("gallery.css").read_text(encoding="utf-8"),
    js=_HERE.joinpath("gallery.js").read_text(encoding="utf-8"),
)


def _nothing() -> None:
    """A trigger exists only where it has a callback; the rerun itself does the work."""


def gallery(view: str, total: int, *, size: int, height: str, key: str = "gallery") -> int | None:
    """Draw the view's samples; the row that was just clicked (or entered), None else.

    view    key of `views.open_view`, over `total` rows
    size    least width of a cell in CSS pixels; captions from 96 on
    height  CSS length of the grid
    """
    data = {"view": view, "total": total, "size": size, "height": height}
    result: Any = _grid(
        key=key, data=data, height="content",
        on_inspect_change=_nothing, on_expired_change=_nothing,
    )  # fmt: skip
    return int(result.inspect["row"]) if result.inspect else None
