"""How is an overfit run shown: does it fit, what does it predict, what did the samples do, what
does the net look at?"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st
from PIL import Image

from app import opened, words
from app.cards import chart, link_to_rows
from app.sample import sample_dialog
from app.strip import strip
from recipe_core.kernel.nouns import Chart, Subjects
from recipe_core.overfit import predictions as read
from recipe_core.overfit.dynamics import Dynamics
from recipe_core.overfit.kept import newest_look, sample_dynamics
from recipe_core.reporting.palette import DARK, LIGHT, Palette
from recipe_core.reporting.wording import counted, escaped, number, shortened
from recipe_core.runs.watching import Run

MOST_CLASSES = 40
"""Rows of a confusion matrix that a page holds; beyond, the most confused pairs are listed."""
MOST_POINTS = 20_000
ON_A_LINE = 12
NAMES = {"training_confidence": "mean probability of the label over the epochs",
         "training_variability": "its standard deviation over the epochs"}  # fmt: skip


def samples(rows: npt.NDArray[np.int64], details: Sequence[str], key: str) -> None:
    """A line of pictures, in this order; a click opens one."""
    if not len(rows):
        words.html('<p class="r-faint">None.</p>')
        return
    scores = np.linspace(0, 0.999, len(rows)).astype(np.float32)  # the strip sorts by them
    row = strip(Subjects(rows, scores, details), ON_A_LINE, key=key)
    if row is not None:
        sample_dialog(row)


def paint() -> Palette:
    """The colours of the page."""
    return DARK if st.context.theme.type == "dark" else LIGHT


# -- predictions --------------------------------------------------------------------------------


def predicted(run: Run) -> None:
    """Confusion, classes, calibration and the worst errors of the newest evaluation."""
    seen = stored_predictions(run)
    if seen is None:
        words.html('<p class="r-faint">No evaluation yet: the first follows the first epoch.</p>')
        return
    rows, targets, probabilities = seen
    names = class_names(run)
    words.html(f'<p class="r-faint">{counted(len(targets), "sample")} of the evaluation split, '
               "after the newest evaluation.</p>")  # fmt: skip
    matrix = read.confusion(targets, probabilities.argmax(1), len(names))
    with st.container(key="two-sides"):
        left, right = st.columns(2, gap="large")
    with left:
        _confused(run, matrix, names, seen)
    with right:
        _calibration(probabilities, targets)
    _classes(matrix, names)
    words.section("Largest losses", "Where it was most wrong, the worst first.")
    worst = read.top_losses(probabilities, targets, ON_A_LINE)
    details = [_error(names, probabilities[i], int(targets[i])) for i in worst]
    samples(rows[worst], details, f"top-{run.id}")


def stored_predictions(
    run: Run,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]] | None:
    """(rows, targets, probabilities) of the newest evaluation; None before the first."""
    file = run.folder / "predictions.npz"
    try:
        return _predictions(file, file.stat().st_mtime_ns)
    except OSError:
        return None


@lru_cache(maxsize=8)
def _predictions(file: Path, changed: int) -> Any:
    with np.load(file, allow_pickle=False) as kept:
        logits = np.asarray(kept["logits"], np.float64)
        rows, targets = np.asarray(kept["rows"]), np.asarray(kept["targets"])
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    known = rows >= 0
    return rows[known], targets[known], (shifted / shifted.sum(axis=1, keepdims=True))[known]


def class_names(run: Run) -> tuple[str, ...]:
    """The classes in the order of the run's outputs."""
    told = run.result.get("class_names")
    return tuple(told) if told else opened.evidence().dataset.class_names


def _error(names: Sequence[str], probabilities: npt.NDArray[np.float64], target: int) -> str:
    said = int(probabilities.argmax())
    return (
        f"{names[said]} {probabilities[said]:.0%}, labelled {names[target]} "
        f"{probabilities[target]:.0%}"
    )


def _confused(run: Run, matrix: Any, names: Sequence[str], seen: Any) -> None:
    words.section("Confusion", "Given label down, prediction across. A click shows the pictures.")
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    pair = _heatmap(run, matrix, names) if len(names) <= MOST_CLASSES else None
    order = np.argsort(-wrong, axis=None, kind="stable")[:8]
    pairs = [divmod(int(i), len(names)) for i in order if wrong.flat[i]]
    options = [(g, p) for g, p in pairs]
    picked = st.selectbox(
        "Errors", [None, *options], key=f"pair-{run.id}",
        format_func=lambda o: "the most frequent ones" if o is None else
        f"{shortened(names[o[0]], 24)} taken for {shortened(names[o[1]], 24)}: {wrong[o]}",
    )  # fmt: skip
    chosen = picked or pair
    if chosen is None:
        return
    rows, targets, probabilities = seen
    here = np.flatnonzero((targets == chosen[0]) & (probabilities.argmax(1) == chosen[1]))
    words.html(f'<div class="r-faint">{counted(len(here), "sample")} labelled '
               f"{escaped(shortened(names[chosen[0]], 40))}, predicted "
               f"{escaped(shortened(names[chosen[1]], 40))}</div>")  # fmt: skip
    details = [f"{probabilities[i].max():.0%} sure" for i in here]
    samples(rows[here], details, f"cell-{run.id}-{chosen[0]}-{chosen[1]}")
    if len(here):
        link_to_rows(rows[here], "See them in Browse")


def _heatmap(run: Run, matrix: Any, names: Sequence[str]) -> tuple[int, int] | None:
    from plotly import graph_objects as go

    colours = paint()
    labels = [shortened(n, 22) for n in names]
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    figure = go.Figure(go.Heatmap(
        z=share, x=labels, y=labels, text=matrix if len(names) <= 20 else None,
        texttemplate="%{text}" if len(names) <= 20 else None, showscale=False, zmin=0, zmax=1,
        colorscale=[[0, colours.panel], [1, colours.series[0]]], customdata=matrix,
        hovertemplate="%{y} taken for %{x}: %{customdata}<extra></extra>", xgap=1, ygap=1,
    ))  # fmt: skip
    side = max(260, min(560, 34 * len(names)))
    figure.update_layout(
        height=side, margin={"l": 8, "r": 8, "t": 8, "b": 8}, paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)", font={"color": colours.ink, "size": 12},
        yaxis={"autorange": "reversed", "title": "label", "automargin": True},
        xaxis={"title": "prediction", "automargin": True},
        clickmode="event+select",
    )  # fmt: skip
    state: Any = st.plotly_chart(
        figure, theme=None, key=f"confusion-{run.id}", on_select="rerun", selection_mode="points",
        config={"displayModeBar": False}, alt="Confusion matrix of labels and predictions",
    )  # fmt: skip
    points = state.selection.points if state and state.selection else []
    if not points:
        return None
    return labels.index(points[0]["y"]), labels.index(points[0]["x"])


def _calibration(probabilities: Any, targets: Any) -> None:
    bins, error = read.reliability(probabilities, targets)
    words.section("Does it know how sure it is?", f"Expected calibration error {error:.1%}.")
    middles = [round((b.low + b.high) / 2, 2) for b in bins]
    chart(
        Chart(
            "line", "Accuracy at each confidence", "confidence", "share right", middles,
            {"right": [b.accuracy for b in bins], "if calibrated": [b.confidence for b in bins]},
        ),
        "reliability",
    )  # fmt: skip


def _classes(matrix: Any, names: Sequence[str]) -> None:
    words.section("Classes", "Recall and precision with their 95 % intervals (Wilson).")
    scores = read.class_scores(matrix, names)
    st.dataframe(
        {
            "Class": [shortened(s.name, 60) for s in scores],
            "Samples": [s.n for s in scores],
            "Recall": [s.recall for s in scores],
            "Recall, interval": [_interval(s.recall_interval, s.n) for s in scores],
            "Precision": [s.precision for s in scores],
            "Precision, interval": [_interval(s.precision_interval, s.n_predicted) for s in scores],
            "F1": [s.f1 for s in scores],
        },
        hide_index=True,
        column_config={
            c: st.column_config.ProgressColumn(min_value=0, max_value=1, format="percent")
            for c in ("Recall", "Precision", "F1")
        },
    )


def _interval(bounds: tuple[float, float], n: int) -> str:
    return f"{bounds[0]:.0%} to {bounds[1]:.0%}" if n else "–"


# -- what training said about each sample -------------------------------------------------------


def dynamics_of(run: Run) -> tuple[npt.NDArray[np.int64], Dynamics] | None:
    """(rows, signals) so far; None where the run keeps none. Read again when an epoch is added."""
    files = len(list((run.folder / "samples").glob("epoch-*.npz")))
    return _dynamics(run.folder, files) if files else None


@lru_cache(maxsize=4)
def _dynamics(folder: Path, epochs: int) -> tuple[npt.NDArray[np.int64], Dynamics] | None:
    return sample_dynamics(folder)


def sample_stories(run: Run) -> npt.NDArray[np.int64]:
    """The data map, the hardest and the easiest; the rows that were brushed."""
    found = dynamics_of(run)
    if found is None:
        words.html('<p class="r-faint">This run keeps no numbers of single samples '
                   "(per_sample is off), or has not ended its first epoch.</p>")  # fmt: skip
        return np.empty(0, np.int64)
    rows, signals = found
    chosen = _map(run, rows, signals)
    if len(chosen):
        words.html(f'<div class="r-faint">{counted(len(chosen), "sample")} chosen.</div>')
        samples(rows[chosen][:ON_A_LINE], _stories(signals, chosen[:ON_A_LINE]), f"map-{run.id}")
        link_to_rows(rows[chosen], "See them in Browse")
    hardest = np.argsort(-np.nan_to_num(signals.loss), kind="stable")[:ON_A_LINE]
    words.section("Hardest now", "The largest loss in the newest epoch. Wrong labels gather here.")
    samples(rows[hardest], _stories(signals, hardest), f"hard-{run.id}")
    easiest = np.argsort(np.nan_to_num(signals.loss, nan=np.inf), kind="stable")[:ON_A_LINE]
    words.section("Easiest now", "Learned at once, and never forgotten.")
    samples(rows[easiest], _stories(signals, easiest), f"easy-{run.id}")
    return rows[chosen]


def _stories(signals: Dynamics, places: npt.NDArray[np.int64]) -> list[str]:
    return [
        f"loss {number(float(signals.loss[i]))}, forgotten {int(signals.forgetting[i])} times, "
        + (f"learned in epoch {int(signals.first_learned_epoch[i]) + 1}"
           if signals.first_learned_epoch[i] >= 0 else "never learned")
        for i in places
    ]  # fmt: skip


def _map(run: Run, rows: Any, signals: Dynamics) -> npt.NDArray[np.int64]:
    """The data map; positions of the points that were brushed."""
    from plotly import graph_objects as go

    words.section(
        "Data map", "Each training sample: how sure of its label the net was on average, and how "
        "much that changed. Low and steady: wrongly labelled or very hard. Drag to choose.",
    )  # fmt: skip
    drawn = _some(len(rows))
    colours = paint()
    figure = go.Figure(go.Scattergl(
        x=signals.variability[drawn], y=signals.confidence[drawn], mode="markers",
        marker={"size": 5, "opacity": 0.65, "color": signals.forgetting[drawn],
                "colorscale": [[0, colours.series[0]], [1, colours.verdict["fail"]]],
                "colorbar": {"title": "forgotten", "thickness": 10, "len": 0.8}},
        customdata=drawn, hovertemplate="confidence %{y:.2f}, variability %{x:.2f}<extra></extra>",
    ))  # fmt: skip
    figure.update_layout(
        height=400, margin={"l": 64, "r": 8, "t": 8, "b": 56}, paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)", font={"color": colours.ink, "size": 12}, dragmode="select",
        xaxis={"title": NAMES["training_variability"], "gridcolor": colours.rule,
               "zerolinecolor": colours.rule},
        yaxis={"title": NAMES["training_confidence"], "gridcolor": colours.rule,
               "zerolinecolor": colours.rule, "range": [-0.02, 1.02]},
    )  # fmt: skip
    state: Any = st.plotly_chart(
        figure, theme=None, key=f"data-map-{run.id}", on_select="rerun",
        selection_mode=("box", "lasso"), config={"displaylogo": False},
        alt="Mean and spread of the label's probability for each training sample",
    )  # fmt: skip
    points = state.selection.points if state and state.selection else []
    places = [p["point_index"] for p in points]
    return np.asarray(drawn[places], np.int64) if places else np.empty(0, np.int64)


def _some(n: int) -> npt.NDArray[np.int64]:
    """At most MOST_POINTS of n places, always the same ones."""
    if n <= MOST_POINTS:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, MOST_POINTS, replace=False))


# -- what the net looks at ----------------------------------------------------------------------


def looked_at(run: Run) -> None:
    """First filters, feature maps of one sample, and the pixels that matter on several."""
    seen = newest_look(run.folder)
    if seen is None:
        words.html('<p class="r-faint">The net is looked at when the run has ended.</p>')
        return
    names = class_names(run)
    words.section(
        "What decides",
        "The picture as the net gets it, and beside it how much each pixel moves the logit of the "
        "label (gradient, averaged over noise).",
    )
    words.html(f'<div class="r-shots r-pairs">{"".join(_saliencies(seen, names))}</div>')
    filters = seen["filters"]
    if len(filters):
        words.section("First filters", "Blobs and edges are learned; noise means too little "
                      "training, or too much decay.")  # fmt: skip
        words.html(f'<div class="r-sheets">{_shot(_tiled(list(filters), 16, 6), "First filters")}'
                   "</div>")  # fmt: skip
    words.section("Feature maps", "Of the first picture above, from early layers to late ones.")
    shots = [
        _shot(_sheet(seen[f"maps_{i}"]), str(name))
        for i, name in enumerate(seen["layers"].tolist())
    ]
    words.html(f'<div class="r-sheets">{"".join(shots)}</div>')


def _saliencies(seen: dict[str, Any], names: Sequence[str]) -> list[str]:
    found = []
    for k, picture in enumerate(seen["inputs"]):
        heat = _heat(seen["saliency"][k])
        both = np.concatenate([picture, heat], axis=1)
        said = _error(names, seen["probabilities"][k].astype(np.float64), int(seen["targets"][k]))
        found.append(_shot(both, said))
    return found


def _heat(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """(h, w) as (h, w, 3): black, red, yellow, white, from its 5th to its 99.5th percentile."""
    low, high = np.percentile(values, [5, 99.5])
    t = np.clip((values - low) / max(float(high - low), 1e-12), 0, 1)[..., None] ** 1.5 * 3
    return np.asarray(np.clip(t - np.array([0.0, 1.0, 2.0]), 0, 1) * 255, np.uint8)


def _sheet(maps: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """The maps side by side, each about 64 px wide."""
    return _tiled([_grey(m) for m in maps], 8, max(1, 64 // maps.shape[2]))


def _grey(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    low, high = float(values.min()), float(values.max())
    share = (values - low) / (high - low) if high > low else np.zeros_like(values)
    return np.repeat((share * 255).astype(np.uint8)[..., None], 3, axis=2)


def _tiled(tiles: list[npt.NDArray[np.uint8]], across: int, grow: int) -> npt.NDArray[np.uint8]:
    """The tiles in rows of `across`, each pixel `grow` wide, one pixel apart."""
    h, w = tiles[0].shape[:2]
    across = min(across, len(tiles))
    down = -(-len(tiles) // across)
    sheet = np.full((down * (h + 1) - 1, across * (w + 1) - 1, 3), 128, np.uint8)
    for i, tile in enumerate(tiles):
        y, x = divmod(i, across)
        sheet[y * (h + 1) : y * (h + 1) + h, x * (w + 1) : x * (w + 1) + w] = tile
    return sheet.repeat(grow, axis=0).repeat(grow, axis=1)


def _shot(pixels: npt.NDArray[np.uint8], caption: str) -> str:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    data = base64.b64encode(out.getvalue()).decode("ascii")
    said = escaped(shortened(caption, 120))
    return (
        f'<figure><img src="data:image/png;base64,{data}" alt="{said}">'
        f"<figcaption>{said}</figcaption></figure>"
    )
