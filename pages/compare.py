"""Which change made it better, and is that more than another seed would have done?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from app import curves, opened, overfitting, running, words
from app.nothing import report_or_stop
from recipe_core import pipeline
from recipe_core.overfit.ledger import CIRCUMSTANCES, Change, Entry, settings
from recipe_core.reporting.wording import counted, escaped, number, shortened
from recipe_core.runs.curves import Curve
from recipe_core.runs.watching import Run

HERE = Path(__file__).resolve().parent
# metric -> title, whether larger is better; a bare string here would be drawn by Streamlit
METRICS: Mapping[str, tuple[str, bool]] = {
    "accuracy": ("Evaluation accuracy, last", True),
    "best_accuracy": ("Evaluation accuracy, best epoch", True),
    "balanced_accuracy": ("Balanced accuracy, last", True),
    "loss": ("Evaluation loss, last", False),
    "best_loss": ("Evaluation loss, best epoch", False),
    "train_loss": ("Training loss", False),
    "train_accuracy": ("Training accuracy", True),
    "gap": ("Gap: evaluation loss − training loss", False),
}
CREDIT = {
    "better": ("pass", "✓", "Proven better"), "worse": ("fail", "✕", "Proven worse"),
    "within noise": ("skipped", "≈", "Within seed noise"), "repeat it": ("warn", "!", "Repeat it"),
    "several changes": ("warn", "!", "Several changes"), "no change": ("skipped", "–", "No change"),
}  # fmt: skip
MOST_CURVES = 50
MOST_FIELDS = 60
MOST_CHANGES = 30
"""Drawn at once: a browser takes seconds to lay out hundreds of boxes."""


def main() -> None:
    """Every change with its credit, then any runs side by side."""
    words.title("One change at a time")
    report_or_stop("What each change to a run was worth")
    entries = pipeline.ledger(opened.workspace())
    if len(entries) < 2:
        words.html(
            '<p class="r-lead">Two finished runs make a comparison. A change counts where it is '
            "the only one, and where its effect over repeats with other seeds leaves zero out.</p>"
        )
        st.page_link(HERE / "overfit.py", label="Train", icon=":material/arrow_forward:")
        return
    _credits()
    _side_by_side(entries)


# -- what each change was worth -----------------------------------------------------------------


def _credits() -> None:
    metric = st.selectbox("By", list(METRICS), format_func=lambda m: METRICS[m][0], width=340,
                          key="metric", bind="query-params")  # fmt: skip
    _, larger = METRICS[metric]
    found = pipeline.changes(opened.workspace(), metric, larger_is_better=larger)
    if not found:
        words.html('<p class="r-faint">All runs share one setting, or none has this figure.</p>')
        return
    if len(found) > MOST_CHANGES and not st.toggle(
        f"All {len(found):,} changes, not only the newest {MOST_CHANGES}", key="changes-all"
    ):
        found = found[-MOST_CHANGES:]
    for k, change in enumerate(found):
        with st.container(border=True, key=f"change-{k}"):
            words.html(headline(change))
            if change.credit == "repeat it":
                with st.container(horizontal=True):
                    for side, runs in (("before", change.base), ("after", change.runs)):
                        st.button(f"Repeat “{side}” to 3 seeds", key=f"repeat-{k}-{side}",
                                  icon=":material/repeat:", on_click=pipeline.repeat_overfit,
                                  args=(opened.workspace(), runs[0]))  # fmt: skip
    words.html('<p class="r-faint">Intervals are at 95 % (Welch) and not corrected for how many '
               "changes are looked at.</p>")  # fmt: skip


def headline(change: Change) -> str:
    """Badge, what was changed, and what it did."""
    colour, sign, word = CREDIT[change.credit]
    interval = bar(change) if change.low == change.low else ""
    return (
        f'<div class="r-row"><span class="r-verdict r-{colour}"><span class="r-sign" '
        f'aria-hidden="true">{sign}</span>{word}</span></div>'
        f'<p class="r-saw">{escaped(change.sentence)}</p>{interval}'
    )


def bar(change: Change) -> str:
    """The effect and its interval beside zero, as a small picture."""
    reach = max(abs(change.low), abs(change.high), 1e-12) * 1.1
    at = [50 + 50 * v / reach for v in (change.low, change.high, change.effect)]
    said = f"effect {change.effect:+.3g}, interval {change.low:+.3g} to {change.high:+.3g}"
    return (
        f'<div class="r-effect" style="width:240px" role="img" aria-label="{escaped(said)}">'
        f'<u style="left:{at[0]:.1f}%;width:{at[1] - at[0]:.1f}%"></u>'
        f'<i style="left:{at[2] - 0.8:.1f}%;width:1.6%"></i></div>'
    )


# -- runs side by side --------------------------------------------------------------------------


def _side_by_side(entries: Sequence[Entry]) -> None:
    words.section("Side by side", "Curves and fields of the runs that you choose.")
    runs = {r.id: r for r in pipeline.runs(opened.workspace()) if r.kind in ("overfit", "train")}
    known = [e.id for e in reversed(entries) if e.id in runs]
    group = len(settings(entries))
    chosen = st.multiselect(
        f"Runs ({counted(len(known), 'run')} of {counted(group, 'setting')})", known,
        default=known[:2], key="compare-runs", max_selections=MOST_CURVES,
        format_func=lambda i: f"{running.title(runs[i], 50)} · {i[-4:]}",
    )  # fmt: skip
    if not chosen:
        return
    named = [runs[i] for i in chosen]
    _fields(named)
    _curves(named)


def differing(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """field -> its value in each run, for the fields in which the runs differ."""
    names = sorted({name for r in runs for name in r.config})
    found = {n: [r.config.get(n) for r in runs] for n in names}
    return {n: v for n, v in found.items() if len({str(x) for x in v}) > 1}


def _fields(runs: Sequence[Run]) -> None:
    differ = differing(runs)
    if not differ:
        words.html('<p class="r-faint">They differ in no field.</p>')
        return
    ordered = sorted(differ, key=lambda n: (n in CIRCUMSTANCES, n))[:MOST_FIELDS]
    columns = {"Field": [n.replace("_", " ") for n in ordered]}
    for r in runs:
        columns[f"{shortened(running.title(r), 28)} · {r.id[-4:]}"] = [
            shortened(number(r.config.get(n)), 60) for n in ordered
        ]
    st.dataframe(columns, hide_index=True)


def _curves(runs: Sequence[Run]) -> None:
    each = 3000 // max(1, len(runs))
    read = {r.id: pipeline.curves(opened.workspace(), r.id, most=max(50, each)) for r in runs}
    names = sorted({c.name for found in read.values() for c in found if c.per == "epoch"})
    if not names:
        return
    start = names.index("eval/loss") if "eval/loss" in names else 0
    name = st.selectbox("Curve", names, index=start, key="compare-curve", width=340)
    lines: dict[str, Curve] = {}
    for r in runs:
        for c in read[r.id]:
            if c.name == name and c.per == "epoch" and len(c):
                lines[f"{shortened(running.title(r), 40)} · {r.id[-4:]}"] = c
    panel = curves.Panel(name, lines)
    st.echarts_chart(
        curves.options(panel, curves.Looks(), overfitting.paint(), most=MOST_CURVES), height=360,
        key="compare-chart", alt=curves.said(panel),
    )  # fmt: skip


main()
