"""How is a chart drawn on the screen? The one place that knows plotly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from recipe_core.kernel.nouns import Chart
from recipe_core.reporting.drawn import Drawn, drawn, near_limits, remark
from recipe_core.reporting.palette import DARK, LIGHT, Palette, rgba
from recipe_core.reporting.wording import escaped, number, shortened

if TYPE_CHECKING:  # plotly takes long to load: a scan must start without it
    from plotly.graph_objects import Figure

LABEL_LENGTH = 28
NARROWEST = 430
"""Pixels of a chart's width at 900 pixels of the page, of which names can take a row."""
ONE_ROW, NEXT_ROW = 24, 19
FONT = "Inter, system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"


def figure(chart: Chart, dark: bool = False) -> Figure:
    """The chart as a plotly figure on transparent ground, in the colours of the dark or light page.

    `customdata` of every bar holds the value of x as the data set has it (for a histogram its two
    edges), so that a click can filter; texts are escaped, for plotly reads them as HTML.
    """
    import plotly.graph_objects as go

    d, colours = drawn(chart), DARK if dark else LIGHT
    fig = go.Figure(layout=_layout(d, colours))
    if d.empty:
        return _without_data(fig, colours)
    draw = {
        "bar": _bars, "stacked_bar": _bars, "histogram": _histogram, "line": _curves,
        "scatter": _curves, "heatmap": _heatmap,
    }[chart.kind]  # fmt: skip
    draw(fig, d, colours)
    _add_limits(fig, d, colours)
    return fig


def _layout(d: Drawn, colours: Palette) -> dict[str, Any]:
    below = remark(d)
    names = _legend_height(d)
    return {
        "title": {
            "text": escaped(d.chart.title), "x": 0, "xref": "paper", "xanchor": "left",
            "y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 8},
            "font": {"size": 15, "color": colours.ink},
            "subtitle": {"text": escaped(below), "font": {"size": 12, "color": colours.faint}},
        },
        "font": {"family": FONT, "size": 12, "color": colours.ink},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "colorway": list(colours.series),
        "margin": {
            "l": 8, "r": 52 if d.chart.limits else 16, "b": 8,
            "t": 44 + 20 * bool(below) + names + 12 * bool(d.chart.limits),
        },
        "height": _height(d),
        "showlegend": names > 0,
        "legend": {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom",
                   "traceorder": "normal", "title": None},
        "hoverlabel": {"bgcolor": colours.panel, "bordercolor": colours.rule,
                       "font": {"color": colours.ink, "family": FONT}},
        "bargap": 0.25,
        "separators": ".,",
        "xaxis": _axis(d.chart.y_title if d.horizontal else d.chart.x_title, colours),
        "yaxis": _axis(d.chart.x_title if d.horizontal else d.chart.y_title, colours),
    }  # fmt: skip


def _legend_height(d: Drawn) -> int:
    """Pixels of the rows of names above a narrow chart; each name takes as much as the longest."""
    if len(d.series) < 2 or d.chart.kind == "heatmap":
        return 0
    widest = 45 + 7 * max(len(name) for name, _ in d.series)
    rows = math.ceil(len(d.series) / max(1, NARROWEST // widest))
    return ONE_ROW + NEXT_ROW * (rows - 1)


def _height(d: Drawn) -> int:
    return _plot_height(d) + max(_legend_height(d) - ONE_ROW, 0)


def _plot_height(d: Drawn) -> int:
    if d.chart.kind == "heatmap":
        return 130 + 30 * max(len(d.series), 2)
    if d.horizontal:
        thick = 22 if d.chart.kind == "stacked_bar" else 10 + 12 * max(len(d.series), 1)
        return 130 + thick * len(d.x)
    return 320


def _axis(title: str, colours: Palette) -> dict[str, Any]:
    return {
        "title": {"text": escaped(title), "font": {"size": 12, "color": colours.faint}},
        "gridcolor": colours.rule, "gridwidth": 1, "linecolor": colours.rule, "zeroline": False,
        "tickfont": {"size": 11, "color": colours.faint}, "automargin": True,
        "separatethousands": True,
    }  # fmt: skip


def _without_data(fig: Figure, colours: Palette) -> Figure:
    fig.add_annotation(text="No values to draw", showarrow=False, xref="paper", yref="paper",
                       x=0.5, y=0.5, font={"color": colours.faint})  # fmt: skip
    return fig.update_xaxes(visible=False).update_yaxes(visible=False)


def _bars(fig: Figure, d: Drawn, colours: Palette) -> None:
    """Bars at 0 … k-1 with the names as tick texts: a name can then never be read as a number."""
    positions = list(range(len(d.x)))
    for i, (name, values) in enumerate(d.series):
        along, across = (values, positions) if d.horizontal else (positions, values)
        fig.add_bar(
            x=along, y=across, orientation="h" if d.horizontal else "v", name=escaped(name),
            customdata=list(d.x), marker={"color": colours.series[i], "line": {"width": 0}},
            hovertext=_hover(d.names, name, values, len(d.series)), hoverinfo="text",
        )  # fmt: skip
    fig.update_layout(barmode="stack" if d.chart.kind == "stacked_bar" else "group")
    ticks = {"tickmode": "array", "tickvals": positions, "ticktext": _ticks(d.names)}
    if d.horizontal:
        fig.update_yaxes(**ticks, showgrid=False, autorange="reversed")
    else:
        fig.update_xaxes(**ticks, showgrid=False)


def _ticks(names: Sequence[str]) -> list[str]:
    return [escaped(shortened(n, LABEL_LENGTH)) for n in names]


def _hover(names: Sequence[str], series: str, values: Sequence[float], n_series: int) -> list[str]:
    of = f" · {escaped(series)}" if n_series > 1 else ""
    return [f"{escaped(n)}{of}<br><b>{number(v)}</b>" for n, v in zip(names, values, strict=False)]


def _histogram(fig: Figure, d: Drawn, colours: Palette) -> None:
    edges = [float(e) for e in d.x]
    pairs = list(pairwise(edges))
    spans = [f"{number(a)} to {number(b)}" for a, b in pairs]
    alone = len(d.series) == 1
    for i, (name, counts) in enumerate(d.series):
        fig.add_bar(
            x=edges[:-1], y=counts, width=[b - a for a, b in pairs], offset=0, name=escaped(name),
            customdata=pairs, hoverinfo="text",
            hovertext=_hover(spans, name, counts, len(d.series)),
            marker={"color": rgba(colours.series[i], 0.85 if alone else 0.3),
                    "line": {"width": 0 if alone else 1.2, "color": colours.series[i]}},
        )  # fmt: skip
    fig.update_layout(barmode="overlay", bargap=0)
    fig.update_xaxes(showgrid=False)


def _curves(fig: Figure, d: Drawn, colours: Palette) -> None:
    import plotly.graph_objects as go

    dots = d.chart.kind == "scatter"
    kind = go.Scattergl if dots else go.Scatter
    texts = any(isinstance(v, str) for v in d.x)
    positions = list(range(len(d.x))) if texts else list(d.x)
    for i, (name, values) in enumerate(d.series):
        fig.add_trace(kind(
            x=positions, y=values, name=escaped(name), customdata=list(d.x),
            mode="markers" if dots else "lines+markers" if len(d.x) <= 40 else "lines",
            line={"color": colours.series[i], "width": 2},
            marker={"color": rgba(colours.series[i], 0.7 if dots else 1), "size": 5},
            hovertext=_hover(d.names, name, values, len(d.series)), hoverinfo="text",
        ))  # fmt: skip
    if texts:
        fig.update_xaxes(tickmode="array", tickvals=list(range(len(d.x))), ticktext=_ticks(d.names))


def _heatmap(fig: Figure, d: Drawn, colours: Palette) -> None:
    strongest, weakest = rgba(colours.series[0], 0.55), rgba(colours.series[0], 0.04)
    below_zero = min(d.values()) < 0
    scale = [[0, weakest], [1, strongest]]
    if below_zero:
        scale = [[0, rgba(colours.series[1], 0.55)], [0.5, weakest], [1, strongest]]
    high = max(abs(v) for v in d.values()) or 1.0
    values = [[None if math.isnan(v) else v for v in row] for _, row in d.series]
    fig.add_heatmap(
        x=list(range(len(d.x))), y=list(range(len(d.series))), z=values, colorscale=scale,
        zmin=-high if below_zero else 0, zmax=high, showscale=False, xgap=2, ygap=2,
        text=[[number(v) for v in row] for _, row in d.series], texttemplate="%{text}",
        textfont={"color": colours.ink, "size": 12 if len(d.x) <= 12 else 9},
        customdata=[list(d.x) for _ in d.series], hoverinfo="text",
        hovertext=[_hover(d.names, name, row, 2) for name, row in d.series],
    )  # fmt: skip
    fig.update_xaxes(tickmode="array", tickvals=list(range(len(d.x))), ticktext=_ticks(d.names),
                     showgrid=False)  # fmt: skip
    fig.update_yaxes(tickmode="array", tickvals=list(range(len(d.series))), showgrid=False,
                     ticktext=_ticks([n for n, _ in d.series]), autorange="reversed")  # fmt: skip


def _add_limits(fig: Figure, d: Drawn, colours: Palette) -> None:
    """Dashed lines, their value outside the plotting area, where no bar hides it."""
    upright = d.horizontal or d.chart.kind == "histogram"
    beside: dict[str, Any] = {"font": {"color": colours.limit, "size": 11}}
    if upright:
        beside |= {"y": 1, "yanchor": "bottom", "xanchor": "center"}
    else:
        beside |= {"x": 1, "xanchor": "left", "yanchor": "middle"}
    for limit in near_limits(d):
        add, at = (fig.add_vline, {"x": limit}) if upright else (fig.add_hline, {"y": limit})
        add(
            **at, line={"color": colours.limit, "width": 1.5, "dash": "dash"},
            annotation={"text": number(limit), **beside},
        )  # fmt: skip
