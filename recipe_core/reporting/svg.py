"""How is a chart drawn on paper? Small static SVG, made without a browser.

The report must be light enough for a mail, print well and run no script, so it cannot carry
plotly (4.5 MB). Colours are CSS variables of the page (--c0 … --c7, --ink, --faint, --rule,
--limit): the same picture serves dark, light and print. `title` elements give hover texts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from recipe_core.kernel.nouns import Chart
from recipe_core.reporting.drawn import Drawn, drawn, near_limits, reach, remark
from recipe_core.reporting.wording import escaped, number, shortened

WIDTH = 500
LETTER = 6.4
"""Mean width in units of a letter at 12 units; wide scripts are cut a little early."""
LABEL_LENGTH = 26
KINDS = {
    "bar": "Bar chart", "stacked_bar": "Stacked bar chart", "histogram": "Histogram",
    "line": "Line chart", "scatter": "Scatter plot", "heatmap": "Heat map",
}  # fmt: skip


def svg_figure(chart: Chart) -> str:
    """The chart as an HTML `figure`: title, legend, SVG, and a remark on what is left out."""
    d = drawn(chart)
    said = remark(d)
    picture = _note("No values to draw") if d.empty else f'<div class="pane">{_picture(d)}</div>'
    return (
        f'<figure class="chart"><figcaption>{escaped(chart.title)}</figcaption>{_legend(d)}'
        f"{picture}{_note(said) if said else ''}</figure>"
    )


def _note(text: str) -> str:
    return f'<p class="note">{escaped(text)}</p>'


def _legend(d: Drawn) -> str:
    if len(d.series) < 2 or d.chart.kind == "heatmap":
        return ""
    entries = (
        f'<span><i style="background:var(--c{i})"></i>{escaped(shortened(name, 40))}</span>'
        for i, (name, _) in enumerate(d.series)
    )
    return f'<div class="legend">{"".join(entries)}</div>'


def _picture(d: Drawn) -> str:
    draw: dict[str, Callable[[Drawn], tuple[str, float]]] = {
        "bar": _lying if d.horizontal else _standing,
        "stacked_bar": _lying if d.horizontal else _standing,
        "histogram": _histogram, "line": _curves, "scatter": _curves, "heatmap": _heatmap,
    }  # fmt: skip
    body, height = draw[d.chart.kind](d)
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escaped(_described(d))}">'
        f"{body}</svg>"
    )


def _described(d: Drawn) -> str:
    """The picture in words, for who cannot see it: kind, title and the first values."""
    first = [f"{name}: " + ", ".join(_pairs(d, values)) for name, values in d.series[:4]]
    return f"{KINDS[d.chart.kind]}: {d.chart.title}. {'; '.join(first)}"


def _pairs(d: Drawn, values: Sequence[float]) -> Iterator[str]:
    for name, value in list(zip(d.names, values, strict=False))[:8]:
        yield f"{shortened(name, 40)} {number(value)}"
    if len(values) > 8:
        yield f"and {len(values) - 8} more"


# -- scales and the frame ------------------------------------------------------------------------


@dataclass(frozen=True)
class Scale:
    """Values low … high laid onto places start … end."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def ticks(low: float, high: float, about: int = 5, least: float = 0.0) -> list[float]:
    """Round values (1, 2 or 5 times a power of ten apart, at least `least`) around low … high."""
    largest = max(abs(low), abs(high)) or 1.0
    span = high - low if high - low > 1e-9 * largest else largest  # below that floats blur
    rough = max(span / about, least)
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(m * size for m in (1, 2, 5, 10) if m * size >= rough * 0.999)
    first = math.floor(low / step + 1e-9)
    last = max(math.ceil(high / step - 1e-9), first + 1)
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]


def _least_step(d: Drawn) -> float:
    """Counts have no halves."""
    return 1.0 if all(v == int(v) for v in d.values()) else 0.0


def _value_ticks(d: Drawn) -> list[float]:
    low, high = reach(d)
    limits = near_limits(d)
    return ticks(min(low, *limits, high), max(high, *limits, low), least=_least_step(d))


def _text(x: float, y: float, text: object, anchor: str = "middle", kind: str = "tick") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{kind}" {place}>{escaped(text)}</text>'


class Area(NamedTuple):
    """A rectangle: upper left corner, width, height."""

    x: float
    y: float
    w: float
    h: float


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _rect(a: Area, style: str, title: str) -> str:
    place = f'x="{a.x:.1f}" y="{a.y:.1f}" width="{max(a.w, 0):.1f}" height="{max(a.h, 0):.1f}"'
    return f"<rect {place} {style}><title>{escaped(title)}</title></rect>"


def _fill(i: int, opacity: float = 1.0) -> str:
    return f'fill="var(--c{i})"' + (f' fill-opacity="{opacity:.2f}"' if opacity < 1 else "")


def _label(name: str, series: str, value: float, n_series: int) -> str:
    return f"{name} · {series}: {number(value)}" if n_series > 1 else f"{name}: {number(value)}"


def _margin(texts: Sequence[str]) -> float:
    """Room at the left for the longest of these texts."""
    return 14 + LETTER * max((len(t) for t in texts), default=0)


TOP, BOTTOM, HEIGHT, RIGHT = 22, 204, 248, WIDTH - 36
"""Edges of the plotting area of charts with an upright value axis, and their whole height."""


def _upright(d: Drawn, values: list[float]) -> tuple[Scale, float, str]:
    """Value axis at the left with its grid: the scale, where the area begins, the SVG."""
    texts = [number(v) for v in values]
    left = _margin(texts)
    scale = Scale(values[0], values[-1], BOTTOM, TOP)
    body = "".join(
        _line(left, scale(v), RIGHT, scale(v), "axis" if v == values[0] else "grid")
        + _text(left - 6, scale(v) + 4, t, "end")
        for v, t in zip(values, texts, strict=True)
    )
    titles = _text(2, 11, d.chart.y_title, "start", "name")
    return scale, left, body + titles + _text(RIGHT, HEIGHT - 4, d.chart.x_title, "end", "name")


def _level_limits(d: Drawn, scale: Scale, left: float) -> str:
    return "".join(
        _line(left, scale(t), RIGHT, scale(t), "limit")
        + _text(RIGHT + 4, scale(t) + 4, number(t), "start", "limit-text")
        for t in near_limits(d)
    )


def _upright_limits(limits: Sequence[float], scale: Scale, top: float, bottom: float) -> str:
    return "".join(
        _line(scale(t), top, scale(t), bottom, "limit")
        + _text(scale(t), top - 4, number(t), "middle", "limit-text")
        for t in limits
    )


# -- bars ----------------------------------------------------------------------------------------


def _slots(d: Drawn, room: float) -> Iterator[tuple[int, int, float, float, float]]:
    """(category, series, offset in the slot, thickness, value below) of every bar."""
    stacked = d.chart.kind == "stacked_bar"
    thick = room if stacked else room / len(d.series)
    for c in range(len(d.x)):
        below = 0.0
        for s, (_, values) in enumerate(d.series):
            if not math.isfinite(values[c]):
                continue
            yield c, s, 0.0 if stacked else s * thick, thick, below
            below += values[c] if stacked else 0.0


def _standing(d: Drawn) -> tuple[str, float]:
    scale, left, body = _upright(d, _value_ticks(d))
    slot = (RIGHT - left) / len(d.x)
    room = min(slot * 0.72, 64)
    for c, s, offset, thick, below in _slots(d, room):
        name, values = d.series[s]
        x = left + slot * (c + 0.5) - room / 2 + offset
        low, high = sorted((scale(below), scale(below + values[c])))
        title = _label(d.names[c], name, values[c], len(d.series))
        body += _rect(Area(x, low, thick - 0.6, high - low), _fill(s), title)
    every = math.ceil(LETTER * max(len(n) for n in d.names) / slot)
    for c in range(0, len(d.x), max(every, 1)):  # names of numbers may be left out between others
        body += _text(left + slot * (c + 0.5), BOTTOM + 16, d.names[c], kind="label")
    return body + _totals(d, scale, left, slot) + _level_limits(d, scale, left), HEIGHT


def _totals(d: Drawn, scale: Scale, left: float, slot: float) -> str:
    """The value above each bar, where one series leaves room for it."""
    if len(d.series) != 1 or len(d.x) > 12:
        return ""
    values = d.series[0][1]
    return "".join(
        _text(left + slot * (c + 0.5), scale(max(v, 0)) - 4, number(v), kind="value")
        for c, v in enumerate(values)
        if math.isfinite(v)
    )


def _lying(d: Drawn) -> tuple[str, float]:
    shown = [shortened(n, LABEL_LENGTH) for n in d.names]
    left, top = _margin(shown), 20
    slot = 22 if d.chart.kind == "stacked_bar" or len(d.series) == 1 else 8 + 9 * len(d.series)
    bottom = top + slot * len(d.x)
    scale, body = _level(_value_ticks(d), left, top, bottom)
    for c, s, offset, thick, below in _slots(d, slot - 6):
        name, row = d.series[s]
        start, end = sorted((scale(below), scale(below + row[c])))
        area = Area(start, top + slot * c + 3 + offset, end - start, thick - 0.6)
        body += _rect(area, _fill(s), _label(d.names[c], name, row[c], len(d.series)))
    for c, name in enumerate(shown):
        y = top + slot * (c + 0.5) + 4
        body += _text(left - 6, y, name, "end", "label") + _lying_total(d, c, scale, y)
    body += _text(RIGHT - 24, bottom + 31, d.chart.y_title, "end", "name")
    return body + _upright_limits(near_limits(d), scale, top, bottom), bottom + 36


def _level(values: list[float], left: float, top: float, bottom: float) -> tuple[Scale, str]:
    """Value axis along the bottom with its grid."""
    scale = Scale(values[0], values[-1], left, RIGHT - 24)
    return scale, "".join(
        _line(scale(v), top, scale(v), bottom, "grid") + _text(scale(v), bottom + 15, number(v))
        for v in values
    )


def _lying_total(d: Drawn, c: int, scale: Scale, y: float) -> str:
    """The value at the end of a bar, where it is the only one of its category."""
    value = d.series[0][1][c]
    if len(d.series) > 1 or not math.isfinite(value):
        return ""
    return _text(scale(max(value, 0)) + 5, y, number(value), "start", "value")


# -- histogram, curves, heat map -----------------------------------------------------------------


def _histogram(d: Drawn) -> tuple[str, float]:
    edges = [float(e) for e in d.x]
    limits = near_limits(d)
    scale, left, body = _upright(d, ticks(0.0, max(d.values()), least=_least_step(d)))
    across = Scale(min(*edges, *limits), max(*edges, *limits), left, RIGHT)
    body += _bottom_axis(across)
    for s, (name, counts) in enumerate(d.series):
        style = _bin_style(s, len(d.series))
        for area, span, count in _bins(edges, counts, across, scale):
            body += _rect(area, style, _label(span, name, count, len(d.series)))
    return body + _upright_limits(limits, across, TOP, BOTTOM), HEIGHT


def _bins(
    edges: Sequence[float], counts: Sequence[float], across: Scale, scale: Scale
) -> Iterator[tuple[Area, str, float]]:
    """(area, span in words, count) of every bin that is not empty."""
    for (a, b), count in zip(pairwise(edges), counts, strict=False):
        if math.isfinite(count) and count != 0:
            wide = max(across(b) - across(a) - 0.8, 0.6)
            area = Area(across(a), scale(count), wide, BOTTOM - scale(count))
            yield area, f"{number(a)} to {number(b)}", count


def _bin_style(s: int, n_series: int) -> str:
    """Overlaid histograms shine through each other and keep their outline."""
    return _fill(s, 0.9) if n_series == 1 else f'{_fill(s, 0.28)} stroke="var(--c{s})"'


def _bottom_axis(across: Scale) -> str:
    inside = [t for t in ticks(across.low, across.high, 6) if across.low <= t <= across.high]
    return "".join(_text(across(t), BOTTOM + 16, number(t)) for t in inside)


def _curves(d: Drawn) -> tuple[str, float]:
    scale, left, body = _upright(d, _value_ticks(d))
    if any(isinstance(x, str) for x in d.x):
        places: list[float] = list(range(len(d.x)))
        across = Scale(-0.5, len(places) - 0.5, left, RIGHT)
        every = math.ceil(len(places) * LETTER * max(len(n) for n in d.names) / (RIGHT - left))
        body += "".join(
            _text(across(i), BOTTOM + 16, shortened(d.names[i], LABEL_LENGTH), kind="label")
            for i in range(0, len(places), max(every, 1))
        )
    else:
        places = [float(x) for x in d.x]
        low, high = min(places), max(places)
        pad = (high - low) * 0.02 or 0.5
        across = Scale(low - pad, high + pad, left, RIGHT)
        body += _bottom_axis(across)
    draw = _dots if d.chart.kind == "scatter" else _track
    for s, (name, values) in enumerate(d.series):
        body += draw(s, name, [(across(x), scale(v)) for x, v in zip(places, values, strict=False)])
    return body + _level_limits(d, scale, left), HEIGHT


def _dots(s: int, name: str, points: Sequence[tuple[float, float]]) -> str:
    """All points of a series as one path of zero-length strokes: a few bytes a point."""
    path = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in points if math.isfinite(y))
    return _path("dots", s, path, name)


def _path(kind: str, s: int, path: str, name: str) -> str:
    title = f"<title>{escaped(name)}</title>"
    return f'<path class="{kind}" stroke="var(--c{s})" d="{path}">{title}</path>'


def _track(s: int, name: str, points: Sequence[tuple[float, float]]) -> str:
    """A line with gaps where there is no value; dots where the points are few."""
    path, pen = "", "M"
    for x, y in points:
        path += f"{pen}{x:.1f} {y:.1f}" if math.isfinite(y) else ""
        pen = "L" if math.isfinite(y) else "M"
    return _path("track", s, path, name) + (_dots(s, name, points) if len(points) <= 40 else "")


def _heatmap(d: Drawn) -> tuple[str, float]:
    shown = [shortened(name, LABEL_LENGTH) for name, _ in d.series]
    left, top, tall = _margin(shown), 40, 30
    wide = min((RIGHT - left) / len(d.x), 120)
    high = max(abs(v) for v in d.values()) or 1.0
    body = _text(2, 11, d.chart.y_title, "start", "name")
    for c, column in enumerate(d.names):
        body += _column_name(column, left + wide * (c + 0.5), top - 8, wide)
    for r, (name, row) in enumerate(d.series):
        y = top + tall * r
        body += _text(left - 6, y + tall / 2 + 4, shown[r], "end", "label")
        for c, v in enumerate(row):
            area = Area(left + wide * c, y, wide - 2, tall - 2)
            body += _cell(area, v, abs(v) / high, f"{name} · {d.names[c]}")
    bottom, end = top + tall * len(d.series), left + wide * len(d.x)
    return body + _text(end, bottom + 17, d.chart.x_title, "end", "name"), bottom + 24


def _column_name(name: str, x: float, y: float, wide: float) -> str:
    fits = int(wide / LETTER)
    return _text(x, y, shortened(name, fits) if fits >= 4 else "", kind="label")


def _cell(a: Area, value: float, share: float, place: str) -> str:
    """Opacity up to 0.55 keeps the number readable (4.5 : 1) on every cell, dark and light."""
    style = _fill(1 if value < 0 else 0, 0.04 + 0.51 * (share if math.isfinite(share) else 0.0))
    text = number(value)
    written = _text(a.x + a.w / 2, a.y + a.h / 2 + 4, text, kind="value")
    return _rect(a, style, f"{place}: {text}") + (written if LETTER * len(text) <= a.w else "")
