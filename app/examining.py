"""How is the examination of a training pipeline started, followed and stopped from a page?

A run like any other: it goes on when the tab is closed or the server restarts.
"""

from __future__ import annotations

import platform
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from app import opened, running, words
from app.configuring import FILE, OWN, WAYS, model_choice, task_choice
from app.task_files import chosen, started_in
from app.thresholds import widget
from recipe_core import pipeline, recipe
from recipe_core.kernel.errors import RecipeError
from recipe_core.kernel.params import Value
from recipe_core.runs.watching import Run
from recipe_core.training.config import SETTINGS, RunConfig

PAGES = Path(__file__).resolve().parent.parent / "pages"
SECONDS_BETWEEN_LOOKS = 1.0
MAIN = ("model", "image_size", "batch_size", "lr", "optimizer", "init_bias")
"""Settings that stand in the form; the others fold away."""
ELSEWHERE = frozenset({"device", "seed", "task", "repeat", "base", "note", "epochs", "steps",
                       "per_sample", "evaluate_every", "checkpoint_every", "patience"})  # fmt: skip
"""Settings with a place of their own in the form, and those that an examination does not use."""
MODELS = ("resnet18", "small_cnn", "linear", "resnet34", "resnet50")
PROBLEM = "examine-problem"


def latest() -> Run | None:
    """The newest examination, whoever started it; None before the first."""
    return next((r for r in pipeline.runs(opened.workspace()) if r.kind == "sanity"), None)


# -- starting -----------------------------------------------------------------------------------


def form(before: RunConfig | None) -> None:
    """Which pipeline, on what, which checks; and the command that it becomes.

    before  what was examined last: where the form starts
    """
    start = before or RunConfig()
    with st.container(border=True, key="examine-form"):
        way = st.segmented_control(
            "Pipeline", list(WAYS), format_func=WAYS.__getitem__, key="examine-way", required=True,
            default=FILE if start.task else OWN,
        ) or OWN  # fmt: skip
        task = task_choice("examine", start.task) if way == FILE else ""
        changes = _settings(start, way)
        left, middle, right = st.columns([1, 1, 2])
        with left:
            device = _device(start.device)
        seed = int(middle.number_input("Seed", 0, 2**31 - 1, start.seed, key="examine-seed"))
        checks = right.multiselect(
            "Checks", [c.id for c in recipe.checks("skeleton")], format_func=words.spoken,
            key="examine-checks", placeholder="all of them",
        )  # fmt: skip
        config, wrong = configured({**changes, "device": device, "seed": seed}, task)
        st.caption("The same as typing")
        st.code(shlex.join(command(config, checks)), language=None, wrap_lines=True)
        wrong = wrong or st.session_state.pop(PROBLEM, "")
        if wrong:
            words.problem(wrong)
        st.button(
            "Check the pipeline", type="primary", icon=":material/play_arrow:", key="examine-go",
            disabled=(way == FILE and not task), on_click=_start, args=(config, tuple(checks)),
        )  # fmt: skip


def configured(changes: Mapping[str, Value], task: str) -> tuple[RunConfig, str]:
    """The configuration, and what is wrong with the choice ('' where nothing)."""
    try:
        path = str(chosen(started_in(), task)) if task else ""
        return RunConfig.from_json({**changes, "task": path}), ""
    except RecipeError as e:
        return RunConfig(), str(e)


def command(config: RunConfig, checks: Sequence[str]) -> list[str]:
    """The command line, as a person would type it."""
    line = ["recipe", "sanity", "-w", str(opened.workspace())]
    differing = {k: mine for k, (mine, _) in config.differences(RunConfig()).items()}
    for name in ("task", "device", "seed"):
        if name in differing:
            line += [f"--{name}", str(differing.pop(name))]
    line += [w for check in checks for w in ("--check", check)]
    return line + [w for k, v in differing.items() for w in ("--set", f"{k}={_typed(v)}")]


def _typed(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _start(config: RunConfig, checks: tuple[str, ...]) -> None:
    line = shlex.join(command(config, checks))
    try:
        pipeline.start_sanity(opened.workspace(), config, check_ids=checks, command=line)
    except RecipeError as e:
        st.session_state[PROBLEM] = str(e)


def _settings(start: RunConfig, way: str) -> dict[str, Value]:
    """The form's settings: the main ones, and the others folded away."""
    values: dict[str, Value] = start.to_json() | {"task": ""}
    named = {s.name: s for s in SETTINGS}
    if way == OWN:
        columns = st.columns(3)
        for i, name in enumerate(MAIN):
            with columns[i % 3]:
                values[name] = (
                    model_choice("examine", start.model, MODELS) if name == "model"
                    else widget("examine", named[name], values[name])
                )  # fmt: skip
    with st.expander("Other settings", type="compact"):
        st.caption("What the task file defines itself outweighs them." if way == FILE else
                   "The skeleton starts without augmentation, decay or dropout.")  # fmt: skip
        columns = st.columns(3)
        main = MAIN if way == OWN else ()
        others = [s for s in SETTINGS if s.name not in main and s.name not in ELSEWHERE]
        for i, s in enumerate(others):
            with columns[i % 3]:
                values[s.name] = widget("examine", s, values[s.name])
    return values


def _device(now: str) -> str:
    there = devices()
    names = {"auto": f"auto ({there[-1] if len(there) == 1 else there[0]})"}
    options = ["auto", *there] if now in ("auto", *there) else ["auto", *there, now]
    return st.selectbox("Device", options, index=options.index(now), key="examine-device",
                        format_func=lambda d: names.get(d, d))  # fmt: skip


def devices() -> list[str]:
    """What this machine has, the fastest first, found without loading torch."""
    cards = sorted(Path("/dev").glob("nvidia[0-9]*"))
    found = [f"cuda:{i}" for i in range(len(cards))] if len(cards) > 1 else ["cuda"] * len(cards)
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        found.append("mps")
    return [*found, "cpu"]


# -- following ----------------------------------------------------------------------------------


def progress(run: Run) -> None:
    """A live examination: how far, what one would type, and the way to stop it."""
    with st.container(border=True, key="examine-progress"):
        words.html(running.headline(run) + running.bar(run.progress))
        if run.message:
            words.note(run.message)
        st.code(run.command, language=None, wrap_lines=True)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button("Stop", icon=":material/stop:", key="examine-stop", on_click=_stop,
                      args=(run.id,))  # fmt: skip
            _to_run(run, "Its log and events")
        st.caption("Checks appear below as they are made. It goes on when this tab is closed.")


def _stop(run_id: str) -> None:
    try:
        pipeline.stop(opened.workspace(), run_id, wait=False)
    except RecipeError as e:
        st.session_state[PROBLEM] = str(e)


def ended(run: Run) -> None:
    """How the last examination ended, where that needs a word; the user's own lines first."""
    if run.status == "done":
        return
    words.html(running.headline(run))
    (words.note if run.status == "stopped" else words.problem)(
        run.message or f"The examination ended as {run.status}."
    )
    if run.traceback:
        st.code(run.traceback, language="python", wrap_lines=True)
    _to_run(run, "Its log and events")


def _to_run(run: Run, label: str) -> None:
    st.page_link(PAGES / "runs.py", label=label, icon=":material/monitoring:",
                 query_params={"run": run.id, "view": "log"})  # fmt: skip


def config_of(run: Run) -> RunConfig | None:
    """What was examined; None where this version cannot read it."""
    asked: Any = run.config.get("run")
    try:
        return RunConfig.from_json(asked) if isinstance(asked, Mapping) else None
    except RecipeError:
        return None


def stale(run: Run) -> str:
    """Why what was found is about something else than what lies there now; '' where it is not."""
    config = config_of(run)
    if config is None:
        return "This examination was made by another version of Recipe."
    try:
        same = pipeline.sanity_key(opened.workspace(), config) == run.config.get("key")
    except RecipeError as e:
        return str(e)
    if same:
        return ""
    what = "The task file or the data have" if config.task else "The data have"
    return f"{what} changed since these checks were made. Check again."
