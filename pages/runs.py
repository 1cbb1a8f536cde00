"""Which runs are there, and how is one of them doing right now?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from app import curves, opened, predictions, run_groups, running, words
from app.nothing import report_or_stop
from recipe_core import pipeline
from recipe_core.kernel.errors import RecipeError, UnknownName
from recipe_core.reporting.palette import DARK, LIGHT, Palette
from recipe_core.reporting.wording import counted, escaped, in_markdown, number, shortened, visible
from recipe_core.runs.marks import MOST_NOTED
from recipe_core.runs.watching import Run

SECONDS_BETWEEN_LOOKS = 1.0  # a run's log is at most 0.6 s behind: together less than 2 s
LIVE_POINTS, MOST_POINTS = 1000, 3000
MOST_EVENTS = 200
DELETED, TOLD, TABLE = "runs-deleted", "runs-told", "runs-table"
CURVES, SAID, LOG, SETTINGS = "curves", "predictions", "log", "settings"
VIEWS = {CURVES: "Curves", SAID: "Predictions", LOG: "Log", SETTINGS: "Settings"}
STATUSES = {"All": (), "Live": ("queued", "running"), "Done": ("done",),
            "Ended badly": ("failed", "oom", "lost", "stopped")}  # fmt: skip


def main() -> None:
    """One run where the address names it, else all of them."""
    run_id = st.query_params.get("run", "")
    if not run_id:
        _ledger()
        return
    try:
        run = pipeline.run(opened.workspace(), run_id)
    except UnknownName:
        words.title("Runs")
        words.problem(f"There is no run {shortened(run_id, 60)!r} in this workspace.")
        _back()
        return
    _one(run)


def _back() -> None:
    st.button("All runs", icon=":material/arrow_back:", key="run-back", type="tertiary",
              on_click=_leave)  # fmt: skip


def _leave() -> None:
    st.query_params.clear()


# -- all of them --------------------------------------------------------------------------------


def _ledger() -> None:
    words.title("Runs")
    report_or_stop("The runs on this data set")
    _announce()
    found = pipeline.runs(opened.workspace())
    if not found:
        words.html(
            '<p class="r-lead">Every training process appears here: sanity checks of the skeleton, '
            "overfit runs, label noise. Each is a process of its own, goes on when the tab or the "
            "server is closed, and can be stopped and resumed.</p>"
        )
        st.page_link(Path(__file__).with_name("skeleton.py"), icon=":material/arrow_forward:",
                     label="Start with the skeleton's checks")  # fmt: skip
        _trash()
        return
    live = any(r.live for r in found)
    st.fragment(_table, run_every=2 * SECONDS_BETWEEN_LOOKS if live else None)(live)
    _trash()


def _announce() -> None:
    """What was just done, and how to take it back."""
    gone = st.session_state.get(DELETED)
    if gone:
        with st.container(horizontal=True, vertical_alignment="center", key="runs-undo"):
            words.note(f"{counted(len(gone), 'run')} deleted.")
            st.button("Undo", icon=":material/undo:", key="runs-restore", on_click=_restore,
                      args=(tuple(gone),))  # fmt: skip
    wrong = st.session_state.pop(TOLD, None)
    if wrong:
        words.problem(wrong)


def _table(was_live: bool) -> None:
    found = pipeline.runs(opened.workspace())
    if was_live and not any(r.live for r in found):
        st.rerun()  # nothing moves any more: no more looks
    with st.container(horizontal=True, vertical_alignment="bottom", key="runs-filter"):
        status = st.segmented_control("Show", list(STATUSES), default="All", key="runs-status",
                                      required=True) or "All"  # fmt: skip
        kinds = sorted({r.kind for r in found})
        kind = st.selectbox("Kind", ["", *kinds], key="runs-kind", width=150,
                            format_func=lambda k: k or "all kinds")  # fmt: skip
        text = st.text_input("Title, id or note contains", key="runs-text", type="search",
                             width=220, max_chars=200)  # fmt: skip
        by = st.selectbox("Together", list(run_groups.WAYS), key="runs-by", width=190,
                          format_func=run_groups.WAYS.__getitem__) or run_groups.APART  # fmt: skip
        only_starred = st.toggle("Starred", key="runs-starred")
    shown = [r for r in found if wanted(r, STATUSES[status], kind, text or "", only_starred)]
    if not shown:
        words.html('<p class="r-faint">No run fits.</p>')
        return
    if by != run_groups.APART:
        shown = _grouped(shown, by)
    rows = _drawn(shown)
    _actions([shown[i] for i in rows if i < len(shown)])


def wanted(run: Run, statuses: Sequence[str], kind: str, text: str, only_starred: bool) -> bool:
    """Whether the ledger shows this run."""
    sought = text.strip().lower()
    return (
        (not statuses or run.status in statuses) and kind in ("", run.kind)
        and (not sought or sought in f"{run.title} {run.id} {pipeline.noted(run)}".lower())
        and (not only_starred or pipeline.starred(run))
    )  # fmt: skip


def _grouped(shown: Sequence[Run], by: str) -> list[Run]:
    """Runs that belong together on one line; the runs of the lines that are chosen, else all."""
    groups = run_groups.groups(shown, by)
    event: Any = st.dataframe(
        run_groups.table(groups), hide_index=True, key=f"runs-groups-{by}", on_select="rerun",
        selection_mode="multi-row", row_height=36,
        column_config={
            "Runs": st.column_config.NumberColumn(width=70),
            "Group": st.column_config.TextColumn(width=330),
            "Newest": st.column_config.DatetimeColumn(format="D MMM, HH:mm", width=110),
        },
    )  # fmt: skip
    rows = [i for i in event.selection.get("rows") or [] if i < len(groups)]
    words.html(
        '<p class="r-faint">' + (
            f"The {counted(sum(len(groups[i].runs) for i in rows), 'run')} of what is chosen above:"
            if rows else "Choose lines above to see their runs only."
        ) + "</p>"
    )  # fmt: skip
    return [r for i in rows for r in groups[i].runs] or list(shown)


def _drawn(shown: Sequence[Run]) -> list[int]:
    """The table; the rows that are chosen. A click into one opens it."""
    version = st.session_state.setdefault(f"{TABLE}-version", 0)
    event: Any = st.dataframe(
        table(shown), hide_index=True, key=f"{TABLE}-{version}", on_select="rerun",
        selection_mode=["multi-row", "single-cell"], row_height=36,
        column_config={
            "★": st.column_config.TextColumn(width=36, help="Starred"),
            "Status": st.column_config.TextColumn(width=125),
            "Title": st.column_config.TextColumn(width=220),
            "Result": st.column_config.TextColumn(width=130),
            "Progress": st.column_config.ProgressColumn(min_value=0, max_value=1, format="percent",
                                                        width=90),
            "Seconds": st.column_config.NumberColumn("Took", format="%.0f s", width=90),
            "Started": st.column_config.DatetimeColumn(format="D MMM, HH:mm", width=110),
            "Kind": st.column_config.TextColumn(width=80),
            "Device": st.column_config.TextColumn(width=80),
            "Note": st.column_config.TextColumn(width=160),
        },
    )  # fmt: skip
    cells = event.selection.get("cells") or []
    if cells and 0 <= cells[0][0] < len(shown):
        st.session_state[f"{TABLE}-version"] = version + 1  # or it would open again on the way back
        st.query_params["run"] = shown[cells[0][0]].id
        st.rerun()
    return list(event.selection.get("rows") or [])


def table(shown: Sequence[Run]) -> pd.DataFrame:
    """One line per run, in the order given."""
    return pd.DataFrame({
        "★": ["★" if pipeline.starred(r) else "" for r in shown],
        "Status": [running.word(r.status) for r in shown],
        "Title": [running.title(r, 120) for r in shown],
        "Result": [running.best_said(r.result) for r in shown],
        "Note": [shortened(pipeline.noted(r), 200) for r in shown],
        "Progress": [1.0 if r.status == "done" else
                     r.progress.done / r.progress.total if r.progress.total else None
                     for r in shown],
        "Seconds": [running.took(r) for r in shown],
        "Started": run_groups.local([r.created for r in shown]),
        "Kind": [r.kind for r in shown],
        "Device": [r.device or "cpu" for r in shown],
    })  # fmt: skip


def _actions(chosen: Sequence[Run]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="runs-actions"):
        hint = f"{counted(len(chosen), 'run')} chosen" if chosen else (
            "Click a line to open it; the boxes choose several.")  # fmt: skip
        words.html(f'<span class="r-faint">{hint}</span>')
        on = not chosen or not all(pipeline.starred(r) for r in chosen)
        st.button("Star" if on else "Take the star off", icon=":material/star:", key="runs-star",
                  disabled=not chosen, on_click=_star,
                  args=([r.id for r in chosen], on))  # fmt: skip
        alive = any(r.live for r in chosen)
        st.button("Delete", icon=":material/delete:", key="runs-delete", on_click=_delete,
                  disabled=not chosen or alive, args=([r.id for r in chosen],),
                  help="Stop it first." if alive else "It can be brought back.")  # fmt: skip


def _star(ids: Sequence[str], on: bool) -> None:
    for run_id in ids:
        _told(lambda i=run_id: pipeline.star(opened.workspace(), i, on))


def _delete(ids: Sequence[str]) -> None:
    done = [i for i in ids if _told(lambda i=i: pipeline.delete(opened.workspace(), i))]
    st.session_state[DELETED] = done
    st.session_state[f"{TABLE}-version"] = st.session_state.get(f"{TABLE}-version", 0) + 1
    st.query_params.clear()


def _restore(ids: Sequence[str]) -> None:
    for run_id in ids:
        _told(lambda i=run_id: pipeline.restore(opened.workspace(), i))
    st.session_state.pop(DELETED, None)


def _told(act: Any) -> bool:
    """Do it; the page says why it could not be done when it is drawn next."""
    try:
        act()
    except RecipeError as e:
        st.session_state[TOLD] = str(e)
        return False
    return True


def _trash() -> None:
    gone = pipeline.runs(opened.workspace(), trash=True)
    if not gone:
        return
    with st.expander(f"Deleted ({len(gone)})", icon=":material/delete:"):
        for run in gone[:50]:
            with st.container(horizontal=True, vertical_alignment="center"):
                words.html(f'{running.badge(run.status)} {escaped(running.title(run))} '
                           f'<span class="r-faint r-mono">{escaped(run.id)}</span>')  # fmt: skip
                st.button("Restore", key=f"restore-{run.id}", icon=":material/undo:",
                          on_click=_restore, args=((run.id,),))  # fmt: skip
        st.button("Delete these for good", key="runs-empty", on_click=_empty,
                  help="Frees their disk space. This cannot be taken back.")  # fmt: skip


def _empty() -> None:
    _told(lambda: pipeline.empty_trash(opened.workspace()))
    st.session_state.pop(DELETED, None)


# -- one of them --------------------------------------------------------------------------------


def _one(run: Run) -> None:
    _back()
    words.title(running.title(run))
    _announce()
    view = _view(run)
    body = st.fragment(_body, run_every=SECONDS_BETWEEN_LOOKS if run.live else None)
    body(run.id, view, run.live)


def _view(run: Run) -> str:
    """Which part of it is looked at; in the address, so that a link shows the same."""
    named = st.query_params.get("view", "")
    st.session_state["run-view"] = named if named in VIEWS else CURVES
    return str(st.session_state["run-view"])


def _body(run_id: str, view: str, was_live: bool) -> None:
    try:
        run = pipeline.run(opened.workspace(), run_id)
    except UnknownName:  # deleted in another tab
        st.rerun()
    if was_live != run.live:
        st.rerun()  # it ended or was resumed: the timer goes or comes
    words.html(running.headline(run))
    if run.live or run.progress.total:
        words.html(running.bar(run.progress))
    if run.message:
        (words.problem if run.status in ("failed", "oom", "lost") else words.note)(run.message)
    _failure(run)
    _buttons(run)
    if run.command:
        st.code(run.command, language=None, wrap_lines=True)
    st.text_area("Note", pipeline.noted(run), key=f"run-note-{run.id}", max_chars=MOST_NOTED,
                 height=68, placeholder="What is this run for, and what came of it?",
                 on_change=_note, args=(run.id,))  # fmt: skip
    _tiles(run)
    if run.kind == "sanity":
        st.page_link(Path(__file__).with_name("skeleton.py"), icon=":material/arrow_forward:",
                     label="What its checks found")  # fmt: skip
    st.segmented_control("View", list(VIEWS), format_func=VIEWS.__getitem__, key="run-view",
                         required=True, on_change=_look, label_visibility="collapsed")  # fmt: skip
    {CURVES: _curves, SAID: _predictions, LOG: _log, SETTINGS: _settings}[_chosen(view)](run)


def _chosen(view: str) -> str:
    now = st.session_state.get("run-view")
    return now if now in VIEWS else view


def _look() -> None:
    st.query_params["view"] = st.session_state["run-view"]


def _failure(run: Run) -> None:
    if run.traceback:
        st.code(run.traceback, language="python", wrap_lines=True)
    size = run.config.get("batch_size")
    if run.status != "oom" or not isinstance(size, int) or size < 2:
        return
    fits = run.fits
    half = size // 2
    batch = fits if fits and fits < size else half
    words.note(
        f"A batch of {fits:,} fits (tried in a process of its own)." if fits
        else f"What batch fits was not found out; half of {size:,} is worth a try."
    )  # fmt: skip
    st.button(f"Start again with a batch of {batch:,}", key="run-smaller", type="primary",
              icon=":material/play_arrow:", on_click=_again, args=(run.id, batch))  # fmt: skip


def _again(run_id: str, batch: int) -> None:
    """Launch it anew with another batch size, as a run of its own."""

    def act() -> None:
        run = pipeline.run(opened.workspace(), run_id)
        config = {**run.config, "batch_size": batch, "base": run.id}
        fresh = pipeline.launch(
            opened.workspace(), run.kind, run.entry, config, run.title,
            running.with_setting(run.command, "batch_size", batch), run.device,
        )  # fmt: skip
        st.query_params["run"] = fresh

    _told(act)


def _buttons(run: Run) -> None:
    with st.container(horizontal=True, key="run-buttons"):
        if run.live:
            st.button("Stop", icon=":material/stop:", key="run-stop", on_click=_stop,
                      args=(run.id,), help="It finishes the step it is at and saves.")  # fmt: skip
        elif run.status != "done":
            st.button(
                "Resume", icon=":material/play_arrow:", key="run-resume", on_click=_resume,
                args=(run.id,), help="Goes on from its last checkpoint.",
                type="primary" if run.status in ("lost", "stopped") else "secondary",
            )  # fmt: skip
        on = not pipeline.starred(run)
        st.button("Star" if on else "Take the star off", icon=":material/star:", key="run-star",
                  on_click=_star, args=([run.id], on))  # fmt: skip
        if not run.live:
            st.button("Delete", icon=":material/delete:", key="run-delete", on_click=_delete,
                      args=([run.id],), help="It can be brought back.")  # fmt: skip


def _note(run_id: str) -> None:
    text = st.session_state.get(f"run-note-{run_id}") or ""
    _told(lambda: pipeline.note(opened.workspace(), run_id, text))


def _stop(run_id: str) -> None:
    _told(lambda: pipeline.stop(opened.workspace(), run_id, wait=False))


def _resume(run_id: str) -> None:
    _told(lambda: pipeline.resume(opened.workspace(), run_id))


def _tiles(run: Run) -> None:
    last = pipeline.last_values(opened.workspace(), run.id)
    found = []
    for name in ("train/loss", "loss", "eval/loss", "eval/accuracy", "accuracy"):
        if name in last:
            value = f"{last[name]:.1%}" if name.endswith("accuracy") else number(last[name])
            side, _, quantity = name.rpartition("/")
            found.append((f"{quantity.capitalize()}{f', {side}' if side else ''}", value, "newest"))
    shown = running.best(run.result)
    if shown:
        epoch = (run.result.get("best") or {}).get("epoch")
        found.append((f"Best {shown[0]}", running.best_said(run.result).partition(" ")[2],
                      f"epoch {epoch}" if epoch else ""))  # fmt: skip
    if "samples_per_second" in last:
        found.append(("Throughput", f"{number(round(last['samples_per_second']))}/s", "samples"))
    found += running.uses(run)
    if found:
        words.html(f'<div class="r-tiles">{"".join(running.tile(*t) for t in found)}</div>')


# -- its views ----------------------------------------------------------------------------------


def _paint() -> Palette:
    return DARK if st.context.theme.type == "dark" else LIGHT


def _curves(run: Run) -> None:
    most = LIVE_POINTS if run.live else MOST_POINTS
    found = pipeline.curves(opened.workspace(), run.id, most=most)
    drawn = curves.panels(found)
    if not drawn:
        words.html('<p class="r-faint">No curve yet.</p>' if run.live
                   else '<p class="r-faint">This run measured no curve.</p>')  # fmt: skip
        return
    with st.container(horizontal=True, vertical_alignment="center", key="run-looks"):
        log = st.toggle("Logarithmic loss", key="run-log")
        smoothing = st.slider("Smoothing", 0.0, 0.99, 0.0, 0.01, key="run-smoothing", width=200)
        by = st.segmented_control("Over", ["step", "time"], default="step", key="run-x",
                                  required=True) or "step"  # fmt: skip
    bad = curves.not_numbers([c for c in found if c.name.endswith("loss")])
    if bad:
        words.problem(bad)
    looks = curves.Looks(float(smoothing), bool(log), by)
    with st.container(key="run-charts"):
        for pair in zip(drawn[::2], [*drawn[1::2], None], strict=False):
            for column, panel in zip(st.columns(2, gap="medium"), pair, strict=True):
                if panel is not None:
                    with column:
                        _panel(panel, looks)


def _panel(panel: curves.Panel, looks: curves.Looks) -> None:
    hidden = len(panel.lines) - len(curves.chosen(panel))
    more = f' <span class="r-faint">{hidden} more lines not drawn</span>' if hidden else ""
    words.html(f'<div class="r-chart">{escaped(panel.title)}{more}</div>')
    st.echarts_chart(
        curves.options(panel, looks, _paint()), height=curves.HEIGHT, key=f"run-chart-{panel.name}",
        alt=curves.said(panel),
    )  # fmt: skip


def _predictions(run: Run) -> None:
    seen = predictions.read(run.folder) if opened.has_results() else None
    if seen is None:
        st.caption("Nothing is known of predictions yet: a training run looks at one fixed batch "
                   "of the evaluation set about four times an epoch.")  # fmt: skip
        _pictures(run)
        return
    names = run.result.get("class_names") or opened.evidence().dataset.class_names
    looks = list(range(len(seen)))
    look = looks[-1]
    if len(looks) > 1:
        chosen = st.select_slider("After step", [*looks[:-1], -1], value=-1, key="run-look",
                                  format_func=lambda i: f"{int(seen.steps[i]):,}")  # fmt: skip
        look = look if chosen == -1 else int(chosen)
    words.html(
        f'<p class="r-saw">{seen.right()[look]:.0%} of {len(seen.rows)} right; '
        f"{seen.jitter()[look]:.0%} of the answers changed since the look before (dashed).</p>"
        + predictions.grid(seen, look, [str(n) for n in names])
    )
    _pictures(run)


def _pictures(run: Run) -> None:
    """The newest of each series of pictures that the run drew."""
    newest: dict[str, Path] = {}
    for file in sorted((run.folder / "pictures").glob("*.png")):
        newest[file.name.split(".")[0]] = file
    for name, file in list(newest.items())[:12]:
        try:
            st.image(file.read_bytes(), caption=in_markdown(shortened(name.replace("_", " "), 80)))
        except OSError:
            continue


def _log(run: Run) -> None:
    happened = pipeline.events(opened.workspace(), run.id)
    if happened:
        words.section("What happened")
        words.html(events(happened[-MOST_EVENTS:]))
    words.section("Log", "The last lines that the process printed.")
    tail = pipeline.log_tail(opened.workspace(), run.id)
    if tail.strip():
        st.code(visible_lines(tail), language=None, wrap_lines=True, height=420)
    else:
        st.caption("Nothing printed.")


def visible_lines(text: str) -> str:
    """The text with what cannot be seen made visible, its lines kept."""
    return "\n".join(visible(line.replace("\t", "    ")) for line in text.split("\n"))


def events(happened: Sequence[dict[str, Any]]) -> str:
    """Time, step and sentence of each, the newest first."""
    lines = "".join(
        f"<li><time>{running.when(float(e.get('time', 0)))}</time>"
        f"<i>{'step ' + number(e['step']) if e.get('step') else ''}</i>"
        f"<span>{escaped(shortened(e.get('text', ''), 600))}</span></li>"
        for e in reversed(happened)
    )
    return f'<ol class="r-events">{lines}</ol>'


def _settings(run: Run) -> None:
    changed = _changed(run)
    if changed:
        words.section("Changed from the defaults")
        words.html(words.table(changed))
    words.section("Everything it was started with")
    everything = {name: "–" if value == "" else value for name, value in run.config.items()}
    words.html(words.table(everything | {"folder": str(run.folder), "process": str(run.pid)}))


def _changed(run: Run) -> dict[str, Any]:
    """Settings of a training run that are not the default's; {} where it is none."""
    from recipe_core.training.config import RunConfig

    try:
        config = RunConfig.from_json(run.config)
    except RecipeError:
        return {}
    return {name: mine for name, (mine, _) in config.differences(RunConfig()).items()}


main()
