"""Can the model learn its training set by heart, and what does it say about the data?"""

from __future__ import annotations

import shlex
from pathlib import Path

import streamlit as st

from app import configuring, curves, opened, overfitting, running, words
from app.cards import chart, link_to_rows, question
from app.nothing import report_or_stop
from app.thresholds import widget_key
from recipe_core import pipeline
from recipe_core.kernel.errors import RecipeError
from recipe_core.kernel.nouns import Chart, Finding
from recipe_core.overfit.backbones import BACKBONES
from recipe_core.overfit.planning import Proposal, regularizers
from recipe_core.overfit.schedule import schedule
from recipe_core.reporting.wording import counted, escaped, number
from recipe_core.runs.watching import Run
from recipe_core.training.config import RunConfig

HERE = Path(__file__).resolve().parent
SECONDS_BETWEEN_LOOKS = 1.0
FIT, PREDICTIONS, SAMPLES, NETWORK = "fit", "predictions", "samples", "network"
VIEWS = {FIT: "Does it fit?", PREDICTIONS: "Predictions", SAMPLES: "Samples", NETWORK: "Network"}
MAIN = ("model", "image_size", "batch_size", "epochs", "lr", "optimizer", "schedule",
        "limit", "seed")  # fmt: skip
MODELS = [*(b.name for b in BACKBONES), "small_cnn", "linear"]
TOLD = "overfit-told"
SEEDS = 3


def main() -> None:
    """The newest run, or the one that the address names; before the first, what to try."""
    words.title("Overfit")
    report_or_stop("Whether a model can learn the training set by heart")
    wrong = st.session_state.pop(TOLD, None)
    if wrong:
        words.problem(wrong)
    found = [r for r in pipeline.runs(opened.workspace()) if r.kind == "overfit"]
    if not found:
        _introduction()
        _first()
        return
    run = _chosen(found)
    body = st.fragment(_run, run_every=SECONDS_BETWEEN_LOOKS if run.live else None)
    body(run.id, run.live)
    with st.expander("Next run: one change at a time", icon=":material/add:"):
        _form(RunConfig.from_json(run.config).but(base=run.id, note=""), run)


def _introduction() -> None:
    words.html(
        '<p class="r-lead">First a model that is large enough, without anything that holds it '
        "back: its training loss must reach the floor and its training samples must come out "
        "right. Only a model that can overfit is worth regularizing; one that cannot is too small, "
        "badly tuned, or its labels contradict its pictures. The samples that will not fit are "
        "shown.</p>"
    )


def _first() -> None:
    try:
        proposal: Proposal = pipeline.propose_overfit(opened.workspace())
    except RecipeError as e:
        words.note(e)
        return
    words.html("<ul>" + "".join(f"<li>{escaped(r)}</li>" for r in proposal.reasons) + "</ul>")
    _form(proposal.config, None)


# -- one run ------------------------------------------------------------------------------------


def _chosen(found: list[Run]) -> Run:
    by_id = {r.id: r for r in found}
    named = st.query_params.get("run", "")
    start = list(by_id).index(named) if named in by_id else 0
    chosen = st.selectbox(
        "Run", list(by_id), index=start, key="overfit-run", width=520,
        format_func=lambda i: f"{running.title(by_id[i], 60)} · {running.when(by_id[i].created)}",
    )  # fmt: skip
    if chosen != named:
        st.query_params["run"] = chosen
    return by_id[chosen]


def _run(run_id: str, was_live: bool) -> None:
    try:
        run = pipeline.run(opened.workspace(), run_id)
    except RecipeError:  # deleted in another tab
        st.query_params.clear()
        st.rerun()
    if was_live != run.live:
        st.rerun()  # it ended: no more looks
    words.html(running.headline(run))
    if run.live:
        words.html(running.bar(run.progress))
    if run.message and run.status != "done":
        (words.problem if run.status in ("failed", "oom", "lost") else words.note)(run.message)
    with st.container(horizontal=True, vertical_alignment="center"):
        if run.live:
            st.button("Stop", icon=":material/stop:", key="overfit-stop", on_click=_stop,
                      args=(run.id,))  # fmt: skip
        elif run.status == "done":
            st.button(f"Repeat to {SEEDS} seeds", icon=":material/repeat:", key="overfit-repeat",
                      on_click=_repeat, args=(run.id,),
                      help="One run is an anecdote; these differ in the seed alone.")  # fmt: skip
        st.page_link(HERE / "runs.py", label="Its log, settings and all curves",
                     icon=":material/terminal:", query_params={"run": run.id})  # fmt: skip
        st.page_link(HERE / "compare.py", label="Against other runs", icon=":material/balance:")
    _tiles(run)
    view = st.segmented_control("View", list(VIEWS), format_func=VIEWS.__getitem__, default=FIT,
                                key="overfit-view", required=True, label_visibility="collapsed",
                                bind="query-params")  # fmt: skip
    {FIT: _fit, PREDICTIONS: overfitting.predicted, SAMPLES: _samples,
     NETWORK: overfitting.looked_at}[view or FIT](run)  # fmt: skip


def _tiles(run: Run) -> None:
    last = pipeline.last_values(opened.workspace(), run.id)
    result = run.result
    tiles = []
    for title, value, under in (
        ("Training loss", result.get("train_loss", last.get("train/loss")), "all of it, evaluated"
         if "train_loss" in result else "newest step"),
        ("Training accuracy", result.get("train_accuracy"), "all of it, evaluated"),
        ("Evaluation loss", result.get("loss", last.get("eval/loss")), _gap(run)),
        ("Evaluation accuracy", result.get("accuracy", last.get("eval/accuracy")), "newest"),
    ):  # fmt: skip
        if isinstance(value, int | float):
            shown = f"{value:.1%}" if "accuracy" in title else f"{value:.3g}"
            tiles.append(running.tile(title, shown, under))
    if run.live and "samples_per_second" in last:
        pace = f"{number(round(last['samples_per_second']))}/s"
        tiles.append(running.tile("Throughput", pace, "samples"))
    tiles += [running.tile(*t) for t in running.uses(run)] if run.live else []
    if tiles:
        words.html(f'<div class="r-tiles">{"".join(tiles)}</div>')


def _gap(run: Run) -> str:
    gap = run.result.get("gap")
    return f"{gap:.3g} above the training loss" if isinstance(gap, int | float) else "newest"


def _fit(run: Run) -> None:
    if run.status == "done" or "verdict" in run.result:
        _verdict(run)
    elif run.live:
        held = ", ".join(regularizers(RunConfig.from_json(run.config)))
        how = f"Held back by {escaped(held)}." if held else "Nothing regularizes it."
        words.html(f'<p class="r-faint">{how} The verdict follows when it ends.</p>')
    panels = curves.panels(pipeline.curves(opened.workspace(), run.id, most=1000))
    drawn = [p for p in panels if p.name in ("loss", "accuracy", "update_ratio", "lr")]
    for pair in zip(drawn[::2], [*drawn[1::2], None], strict=False):
        for column, panel in zip(st.columns(2, gap="medium"), pair, strict=True):
            if panel is not None:
                with column:
                    _panel(panel)


def _panel(panel: curves.Panel) -> None:
    words.html(f'<div class="r-chart">{escaped(panel.title)}</div>')
    st.echarts_chart(
        curves.options(panel, curves.Looks(), overfitting.paint()), height=250,
        key=f"overfit-chart-{panel.name}", alt=curves.said(panel),
    )  # fmt: skip


def _verdict(run: Run) -> None:
    finding: Finding = pipeline.judge_overfit(opened.workspace(), run.id)
    with st.container(border=True, key="overfit-verdict"):
        words.html(words.headline(finding, question(finding.check)))
        if len(finding.subjects):
            unfit = "will not" if finding.verdict == "fail" else "do not yet"
            words.html(f'<div class="r-faint">{counted(len(finding.subjects), "sample")} that '
                       f"{unfit} fit, the worst first.</div>")  # fmt: skip
            most = overfitting.ON_A_LINE
            rows = finding.subjects.rows
            overfitting.samples(rows[:most], finding.subjects.details[:most], f"unfit-{run.id}")
            link_to_rows(rows, "See them in Browse")


def _samples(run: Run) -> None:
    brushed = overfitting.sample_stories(run)
    if len(brushed) and run.status == "done":
        rows = tuple(int(r) for r in brushed[:24])
        st.button(f"What does the net look at on {counted(len(rows), 'of these', 'of these')}?",
                  icon=":material/visibility:", key="overfit-look", on_click=_look,
                  args=(run.id, rows))  # fmt: skip


def _told(act: object, *given: object) -> None:
    try:
        act(*given)  # type: ignore[operator]
    except RecipeError as e:
        st.session_state[TOLD] = str(e)


def _stop(run_id: str) -> None:
    _told(lambda: pipeline.stop(opened.workspace(), run_id, wait=False))


def _repeat(run_id: str) -> None:
    _told(lambda: pipeline.repeat_overfit(opened.workspace(), run_id, SEEDS))


def _look(run_id: str, rows: tuple[int, ...]) -> None:
    _told(lambda: pipeline.look(opened.workspace(), run_id, rows))
    st.session_state["overfit-view"] = NETWORK


# -- the next run -------------------------------------------------------------------------------


def _form(start: RunConfig, base: Run | None) -> None:
    config, wrong = configuring.form("overfit", start, MAIN, MODELS)
    about = {b.name: b for b in BACKBONES}.get(config.model)
    if about is not None and not config.task:
        words.html(f'<p class="r-faint">{escaped(about.title)}: {escaped(about.when)} '
                   f"({number(about.parameters)} weights; {escaped(about.paper)})</p>")  # fmt: skip
    _batch_that_fits(config)
    _rate_that_learns(config)
    _what_changes(config, start, base)
    _drawn(config)
    st.caption("The same as typing")
    st.code(shlex.join(pipeline.overfit_command(opened.workspace(), config)), language=None,
            wrap_lines=True)  # fmt: skip
    if wrong:
        words.problem(wrong)
    st.button("Train", type="primary", icon=":material/play_arrow:", key="overfit-go",
              on_click=_go, args=(config,), disabled=bool(wrong))  # fmt: skip


def _batch_that_fits(config: RunConfig) -> None:
    """The largest batch for this model and size, found in processes that may die of it."""
    found = pipeline.probed_batch(opened.workspace(), config)
    with st.container(horizontal=True, vertical_alignment="center", key="overfit-batch"):
        st.button("Which batch fits?", icon=":material/memory:", key="overfit-probe",
                  disabled=found is not None and found.live, on_click=_probe, args=(config,),
                  help="Tries ever smaller batches, each in a process of its own.")  # fmt: skip
        if found is None:
            return
        if found.live:
            st.fragment(_probing, run_every=SECONDS_BETWEEN_LOOKS)(found.id)
        elif found.status == "done":
            size = found.result.get("batch_size")
            words.html('<span class="r-faint">' + (
                f"A batch of {number(size)} fits (up to {number(found.result['tried_up_to'])} "
                "tried)." if size else "Not even a batch of one fits."
            ) + "</span>")  # fmt: skip
        else:
            words.problem(found.message or f"The search ended as {found.status}.")


def _rate_that_learns(config: RunConfig) -> None:
    """A range test on copies of the net, before anything is trained; one click takes its rate."""
    found = pipeline.probed_rates(opened.workspace(), config)
    with st.container(horizontal=True, vertical_alignment="center", key="overfit-rates"):
        st.button("Which learning rate?", icon=":material/speed:", key="overfit-range",
                  disabled=found is not None and found.live, on_click=_probe_rates, args=(config,),
                  help="The same few steps on copies of the net at a hundredth to a thousand times "
                  "this rate; nothing of it stays in the run.")  # fmt: skip
        if found is None:
            return
        if found.live:
            st.fragment(_probing, run_every=SECONDS_BETWEEN_LOOKS)(found.id)
        elif found.status != "done":
            words.problem(found.message or f"The test ended as {found.status}.")
        else:
            _fastest(found, config)
    if found.status == "done":
        with st.expander("The range test", type="compact"):
            finding = pipeline.rate_finding(found)
            words.html(words.headline(finding, question(finding.check)))
            for i, drawn in enumerate(finding.charts):
                chart(drawn, f"overfit-range-{i}")


def _fastest(found: Run, config: RunConfig) -> None:
    rate = found.result.get("fastest")
    if not isinstance(rate, int | float):
        words.html('<span class="r-faint">No rate that was tried lowers the loss.</span>')
        return
    which = ": the one that is set" if rate == config.lr else ""
    words.html(f'<span class="r-faint">At {rate:g} the loss falls fastest{which}.</span>')
    if rate != config.lr:
        st.button(f"Take {rate:g}", key="overfit-take", on_click=_take, args=(float(rate),))


def _take(rate: float) -> None:
    st.session_state[widget_key("overfit", "lr")] = rate


def _probe_rates(config: RunConfig) -> None:
    _told(lambda: pipeline.probe_rates(opened.workspace(), config))


def _probing(run_id: str) -> None:
    run = pipeline.run(opened.workspace(), run_id)
    if not run.live:
        st.rerun()
    words.html(f'<span class="r-faint">{escaped(run.progress.activity or "starting")} …</span>')


def _probe(config: RunConfig) -> None:
    _told(lambda: pipeline.probe_batch(opened.workspace(), config))


def _what_changes(config: RunConfig, start: RunConfig, base: Run | None) -> None:
    if base is None:
        held = regularizers(config)
        words.html('<p class="r-faint">' + (
            f"Held back by {escaped(', '.join(held))}: first overfit, then regularize."
            if held else "Regularization is off: no augmentation, decay, dropout or smoothing."
        ) + "</p>")  # fmt: skip
        return
    changed = {k: v for k, v in start.differences(config).items() if k not in ("note", "base")}
    said = ", ".join(f"{k} {a} → {b}" for k, (a, b) in changed.items())
    real = [k for k in changed if k not in ("seed", "repeat", "device", "workers")]
    if len(real) > 1:
        words.problem(f"{len(real)} changes at once ({said}): it may run, and gets no credit.")
    elif changed:
        words.note(f"Changed against {running.title(base, 60)}: {said}.")
    else:
        words.html('<p class="r-faint">Nothing is changed yet.</p>')


def _drawn(config: RunConfig) -> None:
    """The learning rate over this data set's own steps, and what is odd about it."""
    n = configuring.training_samples()
    if not n:
        return
    plan = schedule(config, min(n, config.limit) if config.limit else n)
    for warning in plan.warnings:
        words.problem(warning)
    if config.schedule != "constant" or config.warmup_steps:
        chart(Chart("line", "Learning rate over the steps of this run", "step", "learning rate",
                    plan.steps.tolist(), {"learning rate": plan.rates.tolist()}),
              "overfit-schedule")  # fmt: skip


def _go(config: RunConfig) -> None:
    def act() -> None:
        st.query_params["run"] = pipeline.start_overfit(opened.workspace(), config)
        st.session_state.pop("overfit-run", None)

    _told(act)


main()
