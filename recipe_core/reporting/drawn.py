"""What of a chart is drawn, and what must be said about the part that is not?

A chart with 1,000 classes cannot be read. What is left out is always named below the picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from recipe_core.kernel.nouns import Chart
from recipe_core.reporting.wording import number, visible

MOST_CATEGORIES = 30
MOST_SERIES = 8
MOST_CELLS_A_SIDE = 40
LONG_NAME = 12
MANY_NAMES = 12
LETTERS_IN_A_ROW = 64


@dataclass(frozen=True)
class Drawn:
    """A chart cut to what can be read.

    x           its categories, positions or edges; for categories the texts are in `names`
    series      (name, values), NaN where there is no value
    horizontal  bars lie on their side because their names need the room
    note        what was left out; '' where nothing was
    """

    chart: Chart
    x: tuple[Any, ...]
    names: tuple[str, ...]
    series: tuple[tuple[str, tuple[float, ...]], ...]
    horizontal: bool = False
    note: str = ""

    @property
    def empty(self) -> bool:
        """Whether there is no finite value to draw."""
        return not any(math.isfinite(v) for _, values in self.series for v in values)

    def values(self) -> list[float]:
        """All finite values of all series."""
        return [v for _, values in self.series for v in values if math.isfinite(v)]


def drawn(chart: Chart) -> Drawn:
    """The chart with at most MOST_CATEGORIES bars, MOST_SERIES series, or 40 × 40 cells."""
    whole = Drawn(
        chart,
        tuple(chart.x),
        tuple(visible(x) if isinstance(x, str) else number(x) for x in chart.x),
        tuple((str(name), _values(chart, values)) for name, values in chart.series.items()),
    )
    if chart.kind == "heatmap":
        return _fewer_rows(_fewer_columns(whole))
    if chart.kind in ("bar", "stacked_bar"):
        return _laid(_fewer_bars(_fewer_series(whole)))
    return _fewer_series(whole)


def _values(chart: Chart, values: Sequence[Any]) -> tuple[float, ...]:
    """The values as floats, NaN for null; as many as there are places for them on x."""
    real = [math.nan if v is None else float(v) for v in values]
    n = max(len(chart.x) - 1, 0) if chart.kind == "histogram" else len(chart.x)
    return tuple(real[:n] + [math.nan] * (n - len(real)))


def _real(value: Any) -> float:
    return math.nan if value is None else float(value)


def _heights(d: Drawn) -> list[float]:
    """The height of each category over all series."""
    return [sum(abs(v[i]) for _, v in d.series if math.isfinite(v[i])) for i in range(len(d.x))]


def _fewer_bars(d: Drawn) -> Drawn:
    if len(d.x) <= MOST_CATEGORIES:
        return d
    heights = _heights(d)
    ranked = sorted(range(len(d.x)), key=lambda i: (-heights[i], i))
    kept, rest = ranked[:MOST_CATEGORIES], ranked[MOST_CATEGORIES:]
    low, high = number(heights[rest[-1]]), number(heights[rest[0]])
    span = f"at {low}" if low == high else f"between {low} and {high}"
    text = f"Drawn: the {len(kept)} largest of {len(d.x):,}. The other {len(rest):,} lie {span}."
    return _noted(_picked(d, sorted(kept) if _ordered(d.x) else kept), text)


def _ordered(x: Sequence[Any]) -> bool:
    """Whether the categories are numbers: their order then means something."""
    return all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in x)


def _fewer_columns(d: Drawn) -> Drawn:
    if len(d.x) <= MOST_CELLS_A_SIDE:
        return d
    heights = _heights(d)
    ranked = sorted(range(len(d.x)), key=lambda i: (-heights[i], i))[:MOST_CELLS_A_SIDE]
    text = f"Drawn: the {MOST_CELLS_A_SIDE} columns with the largest values of {len(d.x):,}."
    return _noted(_picked(d, sorted(ranked)), text)


def _fewer_rows(d: Drawn) -> Drawn:
    return _strongest(d, MOST_CELLS_A_SIDE, "rows")


def _fewer_series(d: Drawn) -> Drawn:
    return _strongest(d, MOST_SERIES, "series")


def _strongest(d: Drawn, most: int, what: str) -> Drawn:
    if len(d.series) <= most:
        return d
    sizes = [sum(abs(v) for v in values if math.isfinite(v)) for _, values in d.series]
    kept = sorted(sorted(range(len(sizes)), key=lambda i: (-sizes[i], i))[:most])
    text = f"Drawn: the {most} {what} with the largest values of {len(sizes):,}."
    return _noted(replace(d, series=tuple(d.series[i] for i in kept)), text)


def _picked(d: Drawn, kept: Sequence[int]) -> Drawn:
    return replace(
        d,
        x=tuple(d.x[i] for i in kept),
        names=tuple(d.names[i] for i in kept),
        series=tuple((n, tuple(v[i] for i in kept)) for n, v in d.series),
    )


def _laid(d: Drawn) -> Drawn:
    longest = max((len(n) for n in d.names), default=0)
    crowded = len(d.names) > MANY_NAMES or longest * len(d.names) > LETTERS_IN_A_ROW
    return replace(d, horizontal=longest > LONG_NAME or (crowded and not _ordered(d.x)))


def _noted(d: Drawn, text: str) -> Drawn:
    return replace(d, note=f"{d.note} {text}".strip())


def reach(d: Drawn) -> tuple[float, float]:
    """Lowest and highest value along the axis that the limits belong to; bars begin at 0."""
    if d.chart.kind == "histogram":
        return float(min(d.x)), float(max(d.x))
    if d.chart.kind == "stacked_bar":
        return 0.0, max(_heights(d), default=0.0)
    values = [*d.values(), *([0.0] if d.chart.kind == "bar" else [])]
    return min(values), max(values)


def near_limits(d: Drawn) -> tuple[float, ...]:
    """The limits close enough to the data to be drawn without crushing it.

    A limit further from the data than the data's own span would only squeeze the picture.
    """
    if d.empty or d.chart.kind == "heatmap":
        return ()
    low, high = reach(d)
    span = (high - low) or abs(high) or 1.0
    return tuple(t for t in d.chart.limits if low - span <= t <= high + span)


def remark(d: Drawn) -> str:
    """What must be said below the picture: what was left out, limits that lie beyond it."""
    near = near_limits(d)
    far = [] if d.chart.kind == "heatmap" else [number(t) for t in d.chart.limits if t not in near]
    beyond = f"Beyond the picture: the limit at {' and '.join(far)}." if far else ""
    return f"{d.note} {beyond}".strip()
