"""Which properties of a picture can be compared between pictures, classes and splits?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from recipe_core.kernel.evidence import Evidence

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
"""Pillow's modes that hold one channel of light (and perhaps an alpha channel)."""


@dataclass(frozen=True)
class Property:
    """One measured column, or one derived from columns, in the user's words.

    scale    log where a factor matters (sizes), linear where a difference does
    nuisance it describes the file or the frame, not the scene: it should tell nothing about a label
    grain    the smallest difference worth a word: a factor - 1 on the log scale, else in its unit
    """

    name: str
    words: str
    kind: Literal["number", "category"]
    scale: Literal["log", "linear"] = "linear"
    nuisance: bool = False
    grain: float = 0.0
    unit: str = ""


PROPERTIES: tuple[Property, ...] = (
    Property("width", "width", "number", "log", True, 0.05, "px"),
    Property("height", "height", "number", "log", True, 0.05, "px"),
    Property("aspect", "aspect ratio (width / height)", "number", "log", True, 0.05),
    Property("file_size", "file size", "number", "log", True, 0.1, "bytes"),
    Property("jpeg_quality", "JPEG quality", "number", "linear", True, 2.0),
    Property("border_share", "share of flat borders", "number", "linear", True, 0.05),
    Property("brightness", "brightness", "number", grain=0.05),
    Property("contrast", "contrast", "number", grain=0.025),
    Property("saturation", "saturation", "number", grain=0.05),
    Property("colorfulness", "colourfulness", "number", grain=5.0),
    Property("sharpness", "sharpness", "number", "log", grain=0.2),
    Property("entropy", "entropy", "number", grain=0.3, unit="bits"),
    Property("edge_density", "share of edges", "number", grain=0.03),
    Property("dark_share", "share of black pixels", "number", grain=0.03),
    Property("light_share", "share of white pixels", "number", grain=0.03),
    Property("format", "file format", "category", nuisance=True),
    Property("extension", "file name extension", "category", nuisance=True),
    Property("mode", "colour mode", "category", nuisance=True),
    Property("orientation", "EXIF orientation", "category", nuisance=True),
    Property("alpha_used", "transparency", "category", nuisance=True),
    Property("grey", "grey instead of colour", "category", nuisance=False),
)

COLUMNS: tuple[str, ...] = (*(p.name for p in PROPERTIES if p.name != "grey"), "grey_in_rgb")
"""The sample columns behind PROPERTIES."""


def by_name(name: str) -> Property:
    """The property called `name`. Raises KeyError."""
    return {p.name: p for p in PROPERTIES}[name]


def measured(evidence: Evidence, kind: str) -> list[Property]:
    """The properties of this kind that the sample table holds values for."""
    return [p for p in PROPERTIES if p.kind == kind and evidence.has(_source(p))]


def readable(evidence: Evidence) -> npt.NDArray[np.bool_]:
    """(n,) bool: the file holds a picture that can be trusted (others are corruption's job)."""
    return np.asarray(evidence.texts("error") == "", dtype=bool)


def is_grey(evidence: Evidence) -> npt.NDArray[np.bool_]:
    """(n,) bool: stored in one channel, or in colour with R = G = B everywhere."""
    codes, modes = evidence.codes("mode")
    grey_mode = np.array([*(m in GREY_MODES for m in modes), False])
    return np.asarray(evidence.flags("grey_in_rgb") | grey_mode[codes], dtype=bool)


def numbers(evidence: Evidence, prop: Property) -> Floats:
    """(n,) float64 of a numeric property, NaN where it was not measured."""
    return evidence.numbers(prop.name)


def categories(evidence: Evidence, prop: Property) -> tuple[npt.NDArray[np.int32], tuple[str, ...]]:
    """(n,) int32 codes (-1 where unknown) of a categorical property, and their names."""
    if prop.name == "grey":
        return is_grey(evidence).astype(np.int32), ("colour", "grey")
    column = evidence.column(prop.name)
    if column.type in _TEXTUAL or str(column.type).startswith("dictionary"):
        return evidence.codes(prop.name)
    values = evidence.numbers(prop.name)
    known = np.isfinite(values)
    found = np.unique(values[known])
    codes = np.where(known, np.searchsorted(found, values), -1).astype(np.int32)
    return codes, tuple(f"{v:g}" for v in found)


def scaled(values: Floats, prop: Property) -> Floats:
    """Values on the scale on which differences compare: natural log, or unchanged."""
    if prop.scale == "linear":
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(values > 0, np.log(values), np.nan)


def unscaled(value: float, prop: Property) -> float:
    """The inverse of `scaled` for one value."""
    return float(np.exp(value)) if prop.scale == "log" else float(value)


def grain(prop: Property) -> float:
    """The smallest difference worth a word, on the property's scale."""
    return float(np.log1p(prop.grain)) if prop.scale == "log" else prop.grain


def shown(value: float, prop: Property) -> str:
    """A value as a person reads it, with its unit."""
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{text} {prop.unit}".strip()


def percent(share: float) -> str:
    """A share as a person reads it: 12 %, 0.4 %, < 0.1 %."""
    if 0 < share < 0.001:
        return "< 0.1 %"
    return f"{100 * share:.1f} %" if share < 0.0995 else f"{100 * share:.0f} %"


def counted(n: int, noun: str) -> str:
    """A number with its noun: 1 picture, 3,781 pictures, 2 classes."""
    if n == 1:
        return f"1 {noun}"
    return f"{n:,} {noun}es" if noun.endswith("s") else f"{n:,} {noun}s"


def rows_where(mask: npt.NDArray[np.bool_]) -> Rows:
    """(k,) int64 indices of the true entries."""
    return np.flatnonzero(mask).astype(np.int64)


def listed(names: Any, most: int = 5) -> str:
    """A few names of many: a, b, c and 4 more."""
    names = list(names)
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(str(n) for n in names[:most]) + rest


def _source(prop: Property) -> str:
    return "mode" if prop.name == "grey" else prop.name


_TEXTUAL = (pc.cast([""], "string").type, pc.cast([""], "large_string").type)
