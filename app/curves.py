"""How are a run's curves drawn while they grow? As ECharts options, from plain values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from recipe_core.reporting.palette import Palette, rgba
from recipe_core.reporting.wording import number, visible
from recipe_core.runs.curves import Curve

Floats = npt.NDArray[np.float64]
FIRST = ("loss", "accuracy")
LAST = ("lr", "samples_per_second", "update_ratio")
"""Charts in the order in which one looks at them; others, by name, between."""
NAMES = {
    "lr": "Learning rate", "samples_per_second": "Samples per second",
    "update_ratio": "Size of an update against the weights",
}  # fmt: skip
SIDES = ("train", "eval", "validation", "val", "test")
MOST_LINES = 8
HEIGHT = 290
DIGITS = 6


@dataclass(frozen=True)
class Panel:
    """The curves that share a chart: name of the line -> curve."""

    name: str
    lines: Mapping[str, Curve]

    @property
    def title(self) -> str:
        """As a heading."""
        return NAMES.get(self.name, self.name.replace("_", " ").capitalize())


@dataclass(frozen=True)
class Looks:
    """How curves are drawn: smoothing 0 … 0.99, logarithmic y of losses, x by `step` or `time`."""

    smoothing: float = 0.0
    log: bool = False
    x: str = "step"


def panels(curves: Sequence[Curve]) -> list[Panel]:
    """One panel per quantity: train/loss and eval/loss share one, as do all update_ratio/LAYER."""
    found: dict[str, dict[str, Curve]] = {}
    for curve in curves:
        if len(curve):
            panel, line = placed(curve)
            found.setdefault(panel, {})[line] = curve
    order = [*FIRST, *sorted(set(found) - {*FIRST, *LAST}), *LAST]
    return [Panel(name, found[name]) for name in order if name in found]


def placed(curve: Curve) -> tuple[str, str]:
    """(panel, line) of a curve: "train/loss" per epoch -> ("loss", "train, epoch mean")."""
    side, slash, rest = curve.name.partition("/")
    if not slash:
        return curve.name, f"per {curve.per}"
    if side in SIDES:
        mean = ", epoch mean" if curve.per == "epoch" and side == "train" else ""
        return rest, f"{side}{mean}"
    return side, rest


def options(panel: Panel, looks: Looks, paint: Palette, most: int = MOST_LINES) -> dict[str, Any]:
    """The ECharts option object: every line, smoothed over its own faint self."""
    log = looks.log and panel.name.endswith("loss")
    series: list[dict[str, Any]] = []
    for i, (name, curve) in enumerate(chosen(panel, most)):
        series += _line(visible(name), curve, looks, log, paint.series[i % len(paint.series)])
    return {
        "animation": False,
        "grid": {"left": 8, "right": 16, "top": 34 if len(panel.lines) > 1 else 12, "bottom": 30,
                 "containLabel": True},
        "legend": {"top": 0, "left": 0, "icon": "roundRect", "itemHeight": 4, "type": "scroll",
                   "show": len(panel.lines) > 1,
                   "data": [visible(name) for name, _ in chosen(panel, most)]},
        "tooltip": {"trigger": "axis", "confine": True, "valueFormatter": "%.5g"},
        "xAxis": _x_axis(looks), "yAxis": {"type": "log" if log else "value", "scale": True},
        "dataZoom": [{"type": "inside", "filterMode": "none", "zoomOnMouseWheel": "ctrl"}],
        "series": series,
    }  # fmt: skip


def chosen(panel: Panel, most: int = MOST_LINES) -> list[tuple[str, Curve]]:
    """The lines that are drawn: of many the first and the last few, which say most of layers."""
    lines = list(panel.lines.items())
    if len(lines) <= most:
        return lines
    half = most // 2
    return [*lines[:half], *lines[-half:]]


def _line(name: str, curve: Curve, looks: Looks, log: bool, colour: str) -> list[dict[str, Any]]:
    xs = curve.times - curve.times[0] if looks.x == "time" else curve.steps
    base = {"type": "line", "name": name, "itemStyle": {"color": colour}}
    dots = curve.per == "epoch" and len(curve) <= 60
    plain = {**base, "showSymbol": dots, "symbolSize": 5, "symbol": "circle",
             "lineStyle": {"color": colour, "width": 2}}  # fmt: skip
    if not looks.smoothing or len(curve) < 3 or curve.per == "epoch":
        return [{**plain, "data": points(xs, curve.values, log)}]
    faint = {**base, "name": f"{name}, as measured", "showSymbol": False, "silent": True,
             "lineStyle": {"color": rgba(colour, 0.25), "width": 1}}  # fmt: skip
    smooth = smoothed(curve.values, looks.smoothing)
    return [{**faint, "data": points(xs, curve.values, log), "tooltip": {"show": False}},
            {**plain, "data": points(xs, smooth, log)}]  # fmt: skip


def _x_axis(looks: Looks) -> dict[str, Any]:
    name = "seconds" if looks.x == "time" else "step"
    return {"type": "value", "name": name, "nameLocation": "middle", "nameGap": 24,
            "min": "dataMin", "max": "dataMax", "splitLine": {"show": False}}  # fmt: skip


def points(xs: npt.NDArray[Any], ys: Floats, log: bool) -> list[list[float | None]]:
    """[[x, y], …]; None (a gap) where y is no number, or cannot be shown on a logarithmic axis."""
    fine = np.isfinite(ys) & ((ys > 0) | (not log))
    return [
        [round(float(x), 3), float(f"{y:.{DIGITS}g}") if ok else None]
        for x, y, ok in zip(xs.tolist(), ys.tolist(), fine.tolist(), strict=True)
    ]


def smoothed(values: Floats, weight: float) -> Floats:
    """Exponential mean with this weight of the past, without its bias towards the start
    (Kingma & Ba 2015, section 3); gaps stay gaps and are not mixed in."""
    out, mean, mass = np.empty_like(values), 0.0, 0.0
    for i, value in enumerate(values.tolist()):
        if math.isfinite(value):
            mean = weight * mean + (1 - weight) * value
            mass = weight * mass + (1 - weight)
            out[i] = mean / mass
        else:
            out[i] = math.nan
    return out


def said(panel: Panel) -> str:
    """The chart in a sentence, for those who do not see it."""
    parts = []
    for name, curve in chosen(panel):
        known = curve.values[np.isfinite(curve.values)]
        last = f"now {number(float(known[-1]))}, least {number(float(known.min()))}"
        parts.append(f"{visible(name)}: {last if len(known) else 'no number'}")
    return f"{panel.title} over steps. {'; '.join(parts)}."


def not_numbers(curves: Sequence[Curve]) -> str:
    """Where a loss stopped being a number; '' where none did."""
    for curve in curves:
        bad = np.flatnonzero(~np.isfinite(curve.values))
        if len(bad):
            return f"{visible(curve.name)} was no number at step {int(curve.steps[bad[0]]):,}."
    return ""
