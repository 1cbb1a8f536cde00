"""How is a training run configured on a page? Widgets made from the fields of RunConfig."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import streamlit as st

from app import opened, words
from app.task_files import chosen, started_in, task_files
from app.thresholds import widget
from recipe_core import pipeline
from recipe_core.kernel.errors import RecipeError
from recipe_core.kernel.params import Value
from recipe_core.reporting.wording import shortened
from recipe_core.training.config import SETTINGS, RunConfig

OWN, FILE = "own", "file"
WAYS = {OWN: "Recipe's own", FILE: "My task file"}
HIDDEN = frozenset({"task", "base", "repeat"})


def form(
    prefix: str, start: RunConfig, main: Sequence[str], models: Sequence[str]
) -> tuple[RunConfig, str]:
    """The configuration that the widgets say, and what is wrong with it ('' where nothing).

    prefix  of the widgets' keys
    main    fields that stand in the form; the others fold away
    """
    way = st.segmented_control(
        "Pipeline", list(WAYS), format_func=WAYS.__getitem__, key=f"{prefix}-way", required=True,
        default=FILE if start.task else OWN,
    ) or OWN  # fmt: skip
    task = task_choice(prefix, start.task) if way == FILE else ""
    named = {s.name: s for s in SETTINGS}
    values: dict[str, Value] = {}
    shown = [n for n in main if not (way == FILE and n == "model")]
    columns = st.columns(3)
    for i, name in enumerate(shown):
        with columns[i % 3]:
            now = getattr(start, name)
            values[name] = (
                model_choice(prefix, now, models) if name == "model"
                else widget(prefix, named[name], now)
            )  # fmt: skip
    with st.expander("Other settings", type="compact"):
        columns = st.columns(3)
        others = [s for s in SETTINGS if s.name not in (*main, *HIDDEN)]
        for i, s in enumerate(others):
            with columns[i % 3]:
                values[s.name] = widget(prefix, s, getattr(start, s.name))
    try:
        path = str(chosen(started_in(), task)) if task else ""
        return start.but(**values, task=path), "" if way == OWN or task else "Choose a task file."
    except RecipeError as e:
        return start, str(e)


def model_choice(prefix: str, now: str, models: Sequence[str]) -> str:
    """A network: one of `models`, or any name of torchvision's registry."""
    names = [now, *(m for m in models if m != now)]
    return st.selectbox("Model", names, key=f"{prefix}-model", accept_new_options=True,
                        help="Or any name that torchvision's registry knows.") or now  # fmt: skip


def task_choice(prefix: str, before: str) -> str:
    """A task file below the folder that the app was started in; '' where none is chosen."""
    files = _files(str(started_in()))
    kept = before.removeprefix(f"{started_in().resolve()}{os.sep}")
    name = st.selectbox(
        "Task file", files, index=files.index(kept) if kept in files else None,
        key=f"{prefix}-task", placeholder="Choose one" if files else "There is none",
        help="Python files below the folder in which the app was started that define a part of a "
        "training pipeline. Such a file runs with your own rights.",
    )  # fmt: skip
    if not files:
        words.note(
            f"There is no task file below {shortened(started_in(), 120)}. One defines, say, "
            "build_model(num_classes); whatever it leaves out is Recipe's own. The command line "
            "takes files from anywhere with --task FILE.py"
        )
    return name or ""


@st.cache_data(ttl=10, show_spinner=False)
def _files(root: str) -> list[str]:
    return task_files(Path(root))


def training_samples() -> int:
    """How many samples a run trains on; 0 where it could not train."""
    return _training_samples(str(opened.workspace()), opened.state())


@lru_cache(maxsize=4)
def _training_samples(workspace: str, _state: str) -> int:
    try:
        return pipeline.training_samples(workspace)
    except RecipeError:
        return 0
