"""Which colours does Recipe draw with, on light and on dark ground?

Series colours follow Okabe & Ito, *Color Universal Design* (2008), told apart by readers with any
kind of colour vision; those too dark or too pale for a ground are shifted in lightness only.
Text and verdict colours reach a contrast of 4.5 : 1 on their ground (WCAG 2.2, AA).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Palette:
    """Colours as #rrggbb.

    ground   what everything lies on          panel   cards and tables on it
    ink      text                             faint   captions, ticks (still 4.5 : 1)
    rule     grid lines and borders           limit   threshold lines
    series   eight, in the order of use       verdict text colour by verdict
    """

    ground: str
    panel: str
    ink: str
    faint: str
    rule: str
    limit: str
    series: tuple[str, ...]
    verdict: Mapping[str, str]


LIGHT = Palette(
    ground="#ffffff", panel="#f6f7f8", ink="#1b1f23", faint="#59616a", rule="#dfe3e6",
    limit="#a8321f",
    series=("#0072b2", "#d98f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c8200", "#5b5f66"),
    verdict=MappingProxyType({
        "fail": "#b3261e", "warn": "#855300", "error": "#6b3fa0", "pass": "#1b6e3c",
        "skipped": "#59616a",
    }),
)  # fmt: skip

DARK = Palette(
    ground="#14171a", panel="#1d2125", ink="#e8eaed", faint="#a3abb3", rule="#343a40",
    limit="#ff9d8a",
    series=("#56b4e9", "#e69f00", "#2fbf95", "#d992b9", "#4d8fd1", "#ef7f35", "#f0e442", "#a3abb3"),
    verdict=MappingProxyType({
        "fail": "#ff8a80", "warn": "#ffc457", "error": "#cfa8ff", "pass": "#7bd88f",
        "skipped": "#a3abb3",
    }),
)  # fmt: skip


def rgba(colour: str, alpha: float) -> str:
    """#rrggbb with an opacity of 0 … 1, as CSS and plotly write it."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:g})"
