"""What does one picture look like, close up, and how does another differ from it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import streamlit as st

from recipe_core.reporting.wording import visible

_HERE = Path(__file__).parent
_picture = st.components.v2.component(
    "recipe.picture",
    css=_HERE.joinpath("picture.css").read_text(encoding="utf-8"),
    js="\n".join(_HERE.joinpath(f).read_text(encoding="utf-8") for f in ("reach.js", "picture.js")),
)
Mode = Literal["one", "side", "difference"]
MODES: dict[Mode, str] = {"side": "Side by side", "difference": "Difference", "one": "This one"}


@dataclass(frozen=True)
class Box:
    """A box on a picture, in shares of its width and height."""

    xmin: float
    ymin: float
    xmax: float
    ymax: float
    label: str


@dataclass(frozen=True)
class Shown:
    """A picture as the browser gets it: its address on this server and what to call it."""

    address: str
    name: str
    boxes: Sequence[Box] = ()


def picture(one: Shown, other: Shown | None, mode: Mode, *, key: str, height: int = 440) -> None:
    """Draw a picture that can be zoomed and moved, alone or against another, zoomed alike."""
    shown = [_plain(p) for p in (one, other) if p is not None]
    data = {"pictures": shown, "mode": mode if other else "one", "height": height}
    _picture(key=key, data=data, height="content")


def _plain(shown: Shown) -> dict[str, object]:
    boxes = [[b.xmin, b.ymin, b.xmax, b.ymax, visible(b.label)] for b in shown.boxes]
    return {"address": shown.address, "name": visible(shown.name), "boxes": boxes}
