"""How does a run look in MLflow? Its settings as parameters, its epochs as metrics.

The one file that knows the package `mlflow` (mlflow-skinny is enough). Written is MLflow's file
store: it needs no server and no database driver. MLflow 3 calls that store "in maintenance mode"
and asks for a variable; `mlflow migrate-filestore` makes a database of it.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from recipe_core.kernel.errors import Misuse
from recipe_core.runs.curves import Curve, curves, last_values
from recipe_core.runs.folder import RunFolder, read_json

EXPERIMENT = "recipe"
AT_ONCE = 900  # log_batch takes 1,000 metrics and 100 parameters: its documentation
LONGEST = 500
STATUS = {"done": "FINISHED", "failed": "FAILED", "oom": "FAILED", "lost": "FAILED",
          "stopped": "KILLED"}  # fmt: skip


def write(folder: RunFolder, dest: Path) -> Path:
    """Writes the run into the file store `dest`; an earlier export of it is deleted there.

    Raises Misuse where MLflow refuses.
    """
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    dest.mkdir(parents=True, exist_ok=True)
    try:
        _write(MlflowClient(tracking_uri=dest.as_uri()), folder)
    except MlflowException as e:
        raise Misuse(f"MLflow did not take the run: {e}") from None
    return dest


def _write(client: MlflowClient, folder: RunFolder) -> None:
    asked, outcome = read_json(folder.config), read_json(folder.outcome)
    known = client.get_experiment_by_name(EXPERIMENT)
    experiment = known.experiment_id if known else client.create_experiment(EXPERIMENT)
    for old in client.search_runs([experiment], f"tags.`recipe.run` = '{folder.id}'"):
        client.delete_run(old.info.run_id)
    started = _ms(outcome.get("started") or asked["created"])
    made = client.create_run(
        experiment, start_time=started, run_name=folder.id, tags={"recipe.run": folder.id}
    )
    run = made.info.run_id
    params = [Param(k, _text(v)) for k, v in asked["config"].items()]
    tags = [RunTag("title", asked["title"]), RunTag("command", asked["command"])]
    client.log_batch(run, params=params[:100], tags=tags)
    metrics = _metrics(folder, started)
    for start in range(0, len(metrics), AT_ONCE):
        client.log_batch(run, metrics=metrics[start : start + AT_ONCE])
    status = STATUS.get(outcome.get("status", ""), "RUNNING")
    client.set_terminated(run, status, _ms(outcome["ended"]) if outcome else None)


def _metrics(folder: RunFolder, started: int) -> list[Metric]:
    found = [m for c in curves(folder) if c.per == "epoch" for m in _points(c)]
    named = {m.key for m in found}
    last = [Metric(_key(name), value, started, 0) for name, value in last_values(folder).items()]
    return found + [m for m in last if m.key not in named]


def _points(curve: Curve) -> list[Metric]:
    rows = zip(curve.epochs.tolist(), curve.values.tolist(), curve.times.tolist(), strict=True)
    return [
        Metric(_key(curve.name), value, _ms(when), 0 if math.isnan(epoch) else int(epoch))
        for epoch, value, when in rows
    ]


def _key(name: str) -> str:
    """MLflow allows letters, digits, _ - . / and spaces."""
    return "".join(c if c.isalnum() or c in "_-./ " else "_" for c in name)


def _text(value: Any) -> str:
    return str(value)[:LONGEST]


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
