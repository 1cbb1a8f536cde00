"""How is a chart drawn on paper? Small static SVG, made without a browser.

The report must be light enough for a mail, print well and run no script, so it cannot carry
plotly (4.5 MB). Colours are CSS variables of the page (--c0 … --c7, --ink, --faint, --rule,
--limit): the same picture serves dark, light and print. `title` elements give hover texts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from recipe_core.kernel.nouns import Chart
from recipe_core.reporting.drawn import Drawn, drawn, near_limits, reach, remark
from recipe_core.reporting.wording import escaped, number, shortened

WIDTH = 620
LETTER = 6.4
"""Mean width in units of a letter at 12 units; wide scripts are cut a little early."""
LABEL_LENGTH = 26
KINDS = {
    "bar": "Bar chart", "stacked_bar": "Stacked bar chart", "histogram": "Histogram",
    "line": "Line chart", "scatter": "Scatter plot", "heatmap": "Heat map",
}  # fmt: skip


def svg_figure(chart: Chart) -> str:
    """The chart as an HTML `figure`: title, legend, SVG picture, and a remark on what is left out."""
    d = drawn(chart)
    said = remark(d)
    return (
        f'<figure class="chart"><figcaption>{escaped(chart.title)}</figcaption>{_legend(d)}'
        + (
            '<p class="note">No values to draw</p>'
            if d.empty
            else f'<div class="pane">{_picture(d)}</div>'
        )
        + (f'<p class="note">{escaped(said)}</p>' if said else "")
        + "</figure>"
    )


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


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round values (1, 2 or 5 times a power of ten apart) from at or below low to at or above high."""
    rough = ((high - low) or abs(high) or 1.0) / about
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(m * size for m in (1, 2, 5, 10) if m * size >= rough * 0.999)
    first = math.floor(low / step + 1e-9)
    last = max(math.ceil(high / step - 1e-9), first + 1)
    return [round(i * step, 12) for i in range(first, last + 1)]


def _value_ticks(d: Drawn) -> list[float]:
    low, high = reach(d)
    limits = near_limits(d)
    return ticks(min(low, *limits, high), max(high, *limits, low))


def _text(x: float, y: float, text: object, anchor: str = "middle", kind: str = "tick") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escaped(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _rect(x: float, y: float, w: float, h: float, style: str, title: str) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(w, 0):.1f}" height="{max(h, 0):.1f}" {style}>'
        f"<title>{escaped(title)}</title></rect>"
    )


def _fill(i: int, opacity: float = 1.0) -> str:
    return f'fill="var(--c{i})"' + (f' fill-opacity="{opacity:.2f}"' if opacity < 1 else "")


def _label(name: str, series: str, value: float, n_series: int) -> str:
    return f"{name} · {series}: {number(value)}" if n_series > 1 else f"{name}: {number(value)}"


def _margin(texts: Sequence[str]) -> float:
    """Room at the left for the longest of these texts."""
    return 14 + LETTER * max((len(t) for t in texts), default=0)


TOP, BOTTOM, HEIGHT, RIGHT = 22, 204, 248, WIDTH - 14
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
        + _text(RIGHT, scale(t) - 4, number(t), "end", "limit-text")
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
        body += _rect(
            x,
            low,
            thick - 0.6,
            high - low,
            _fill(s),
            _label(d.names[c], name, values[c], len(d.series)),
        )
    every = math.ceil(
        LETTER * max(len(n) for n in d.names) / slot
    )  # numbers may be many: skip some
    for c in range(0, len(d.x), max(every, 1)):
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
    values = _value_ticks(d)
    scale = Scale(values[0], values[-1], left, RIGHT - 40)
    body = "".join(
        _line(scale(v), top, scale(v), bottom, "grid") + _text(scale(v), bottom + 15, number(v))
        for v in values
    )
    for c, s, offset, thick, below in _slots(d, slot - 6):
        name, row = d.series[s]
        start, end = sorted((scale(below), scale(below + row[c])))
        title = _label(d.names[c], name, row[c], len(d.series))
        body += _rect(start, top + slot * c + 3 + offset, end - start, thick - 0.6, _fill(s), title)
    for c, name in enumerate(shown):
        body += _text(left - 6, top + slot * (c + 0.5) + 4, name, "end", "label")
    if len(d.series) == 1:
        body += "".join(
            _text(scale(max(v, 0)) + 5, top + slot * (c + 0.5) + 4, number(v), "start", "value")
            for c, v in enumerate(d.series[0][1])
            if math.isfinite(v)
        )
    body += _text(RIGHT - 40, bottom + 31, d.chart.y_title, "end", "name")
    return body + _upright_limits(near_limits(d), scale, top, bottom), bottom + 36


# -- histogram, curves, heat map -----------------------------------------------------------------


def _histogram(d: Drawn) -> tuple[str, float]:
    edges = [float(e) for e in d.x]
    limits = near_limits(d)
    scale, left, body = _upright(d, ticks(0.0, max(d.values())))
    across = Scale(
        min(edges[0], *limits, edges[-1]), max(edges[-1], *limits, edges[0]), left, RIGHT
    )
    body += _bottom_axis(across)
    for s, (name, counts) in enumerate(d.series):
        body += _bins(d, s, name, counts, edges, across, scale)
    return body + _upright_limits(limits, across, TOP, BOTTOM), HEIGHT


def _bins(d: Drawn, s: int, name: str, counts: Sequence[float], edges: Sequence[float],
          across: Scale, scale: Scale) -> str:  # fmt: skip
    many = len(d.series) > 1
    style = _fill(s, 0.28 if many else 0.9) + (f' stroke="var(--c{s})"' if many else "")
    return "".join(
        _rect(
            across(a), scale(v), max(across(b) - across(a) - (0 if many else 0.8), 0.6),
            BOTTOM - scale(v), style,
            _label(f"{number(a)} to {number(b)}", name, v, len(d.series)),
        )
        for a, b, v in zip(edges, edges[1:], counts, strict=False)
        if math.isfinite(v) and v != 0
    )  # fmt: skip


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
    return (
        f'<path class="dots" stroke="var(--c{s})" d="{path}"><title>{escaped(name)}</title></path>'
    )


def _track(s: int, name: str, points: Sequence[tuple[float, float]]) -> str:
    """A line with gaps where there is no value; dots where the points are few."""
    path, pen = "", "M"
    for x, y in points:
        path += f"{pen}{x:.1f} {y:.1f}" if math.isfinite(y) else ""
        pen = "L" if math.isfinite(y) else "M"
    line = (
        f'<path class="track" stroke="var(--c{s})" d="{path}"><title>{escaped(name)}</title></path>'
    )
    return line + (_dots(s, name, points) if len(points) <= 40 else "")


def _heatmap(d: Drawn) -> tuple[str, float]:
    shown = [shortened(name, LABEL_LENGTH) for name, _ in d.series]
    left, top, tall = _margin(shown), 40, 30
    wide = min((RIGHT - left) / len(d.x), 120)
    high = max(abs(v) for v in d.values()) or 1.0
    body = _text(2, 11, d.chart.y_title, "start", "name")
    body += "".join(
        _column_name(n, left + wide * (c + 0.5), top - 8, wide) for c, n in enumerate(d.names)
    )
    for r, (name, row) in enumerate(d.series):
        y = top + tall * r
        body += _text(left - 6, y + tall / 2 + 4, shown[r], "end", "label")
        for c, v in enumerate(row):
            body += _cell(left + wide * c, y, wide, tall, v, high, f"{name} · {d.names[c]}")
    bottom = top + tall * len(d.series)
    return body + _text(
        left + wide * len(d.x), bottom + 17, d.chart.x_title, "end", "name"
    ), bottom + 24


def _column_name(name: str, x: float, y: float, wide: float) -> str:
    fits = int(wide / LETTER)
    return _text(x, y, shortened(name, fits) if fits >= 4 else "", kind="label")


def _cell(x: float, y: float, w: float, h: float, value: float, high: float, place: str) -> str:
    """Opacity up to 0.55 keeps the number readable (4.5 : 1) on every cell, dark and light."""
    share = abs(value) / high if math.isfinite(value) else 0.0
    style = _fill(1 if value < 0 else 0, 0.04 + 0.51 * share)
    text = number(value)
    fits = LETTER * len(text) <= w
    return _rect(x, y, w - 2, h - 2, style, f"{place}: {text}") + (
        _text(x + w / 2 - 1, y + h / 2 + 3, text, kind="value") if fits else ""
    )
