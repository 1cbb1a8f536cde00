"""Which workspace is open, and what do its results say?

Everything is cached by `recipe.state`, which changes whenever results change: a second session,
a rerun and a route all read the same frozen values.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import streamlit as st

from recipe_core import pipeline, recipe
from recipe_core.kernel.check import Check
from recipe_core.kernel.errors import RecipeError
from recipe_core.kernel.evidence import Evidence
from recipe_core.kernel.nouns import Finding
from recipe_core.kernel.params import Value
from recipe_core.kernel.report import Report
from recipe_core.skeleton import labelling

LOOK_UP_TO = 100_000
SECRET = secrets.token_bytes(32)
"""Keys of this process: a key from before a restart, or a guessed one, opens nothing."""


def workspace() -> Path:
    """The folder of results that this server was started for."""
    named = os.environ.get("RECIPE_WORKSPACE")
    return Path(named) if named else recipe.default_workspace()


def source() -> str:
    """The data set that the server was started for, '' where none was named."""
    return os.environ.get("RECIPE_SOURCE", "")


def has_results() -> bool:
    """Whether there is anything to show yet."""
    return recipe.exists(workspace())


def state() -> str:
    """Changes whenever the results do."""
    return recipe.state(workspace())


def evidence() -> Evidence:
    """Everything measured so far."""
    return recipe.evidence(workspace())


@lru_cache(maxsize=4)
def _changes(workspace: Path, state: str, minute: int) -> str:
    try:
        found = recipe.changed_since(workspace)
    except RecipeError as e:
        return str(e)
    counts = {"added": found.added, "removed": found.removed, "changed": found.changed}
    return ", ".join(f"{n:,} {word}" for word, n in counts.items() if n)


def changes() -> str:
    """What happened to the files since the scan ("3 added, 1 changed"); '' where nothing did.

    Looked up once a minute; not at all beyond LOOK_UP_TO samples, where it takes seconds.
    """
    if len(evidence()) > LOOK_UP_TO:
        return ""
    return _changes(workspace(), state(), int(time.time() // 60))


def report() -> Report | None:
    """What the last scan or check said."""
    return recipe.last_report(workspace())


def key(*parts: object) -> str:
    """32 hex digits that stand for `parts` in this process and cannot be guessed."""
    text = "\x1f".join(map(repr, parts)).encode()
    return hashlib.blake2b(text, key=SECRET, digest_size=16).hexdigest()


def token() -> str:
    """The key to single pictures of the results as they are now."""
    return key("pictures", str(workspace()), state())


@dataclass(frozen=True)
class Names:
    """What stands under a picture: path, label, error class, one value per row."""

    path: pa.Array
    label: pa.Array
    error: pa.Array

    def take(self, rows: object) -> list[tuple[str, str, str]]:
        """(path, label, error) for each row number, '' where there is none."""
        columns = (c.take(pa.array(rows)).to_pylist() for c in (self.path, self.label, self.error))
        return [(p or "", lab or "", e or "") for p, lab, e in zip(*columns, strict=True)]


def names() -> Names:
    """The names of the open data set, in arrays without chunks: 128 rows come in no time."""
    return _names(str(workspace()), state())


@lru_cache(maxsize=2)
def _names(_workspace: str, _state: str) -> Names:
    table = evidence().samples
    return Names(*(_whole(table, column) for column in ("path", "label", "error")))


def _whole(table: pa.Table, column: str) -> pa.Array:
    if column not in table.column_names:
        return pa.nulls(table.num_rows, pa.string())
    return pa.concat_arrays(table[column].cast(pa.string()).chunks or [pa.array([], pa.string())])


def checks() -> dict[str, Check]:
    """Every check there is, by id."""
    return {c.id: c for c in recipe.checks()}


def findings() -> dict[str, Finding]:
    """The findings of the last report by check id, {} where there is none."""
    last = report()
    return {f.check: f for f in last.findings} if last else {}


def sanity() -> pipeline.Sanity:
    """What the latest examination of a training pipeline found, under the stored thresholds."""
    return _sanity(str(workspace()), state(), pipeline_state())


@lru_cache(maxsize=2)
def _sanity(_workspace: str, _state: str, _pipeline: str) -> pipeline.Sanity:
    return pipeline.last_sanity(workspace())


def overfit() -> tuple[Finding, ...]:
    """What the newest overfit run and the ledger of runs say; skipped before there are any."""
    known = tuple((r.id, r.status) for r in pipeline.runs(workspace()))
    return _overfit(str(workspace()), state(), known)


@lru_cache(maxsize=2)
def _overfit(_workspace: str, _state: str, _known: object) -> tuple[Finding, ...]:
    return pipeline.overfit_findings(workspace())


def pipeline_state() -> str:
    """Changes whenever what is known of the training pipeline does: readings, answers of people."""
    folder = workspace() / "sanity"
    try:
        latest = folder / (folder / "latest").read_text(encoding="ascii").strip()
        files = sorted((f.name, f.stat().st_mtime_ns) for f in latest.glob("*.json"))
    except OSError:
        files = []
    return f"{hash(tuple(files))}-{labelling.answers(workspace()).state()}"


def reported(check_id: str) -> Finding | None:
    """What the last report, or the latest examination, says; None where the check never ran."""
    found = findings().get(check_id)
    if found is not None or not has_results():
        return found
    of_training = (*sanity().findings, *overfit())
    return next((f for f in of_training if f.check == check_id), None)


def judged(check_id: str, thresholds: Mapping[str, Value]) -> Finding:
    """The check's finding under these thresholds; no image is opened, no net is run."""
    check = checks().get(check_id)
    of_pipeline = check is not None and check.stage == "skeleton"
    key = pipeline_state() if of_pipeline else ""
    chosen = tuple(sorted(thresholds.items()))
    return _judged(str(workspace()), state() + key, check_id, of_pipeline, chosen)


@lru_cache(maxsize=128)
def _judged(
    _workspace: str, _state: str, check_id: str, of_pipeline: bool,
    thresholds: tuple[tuple[str, Value], ...],
) -> Finding:  # fmt: skip
    judge = pipeline.judge_sanity if of_pipeline else recipe.judge
    return judge(workspace(), check_id, dict(thresholds))


def moved(check_id: str) -> dict[str, Value]:
    """The thresholds of this check as this session's sliders have them, {} where untouched."""
    kept: dict[str, dict[str, Value]] = st.session_state.setdefault("thresholds", {})
    return kept.get(check_id, {})


def finding(check_id: str) -> Finding | None:
    """What the check says under this session's thresholds; None where it never ran."""
    last = reported(check_id)
    if check_id not in checks() or not moved(check_id):
        return last
    try:
        return judged(check_id, moved(check_id))
    except RecipeError:  # thresholds kept from before an update of the check
        return last
