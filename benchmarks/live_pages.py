"""How long does a page of runs keep its reader waiting: live curves, the ledger, the changes?

    python benchmarks/live_pages.py [--times 9] [--steps 5000] [--curves 50] [--runs 1000]

Live: what the server does each second for a run with so many curves of so many steps while it is
still being written: read tiles and curves, build every chart, write them as the JSON that is sent.
Goal: under 300 ms. Ledger: so many finished runs in folders as the product writes them, with what
differs, seeds and bases: the table of runs, and what each change was worth; in a new process (no
file has been opened before) and again. Goal: under 1 s.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app import curves
from app.running import best_said
from recipe_core import pipeline
from recipe_core.overfit.ledger import fields_that_differ
from recipe_core.overfit.planning import OVERFIT
from recipe_core.reporting.palette import LIGHT
from recipe_core.runs import job as jobs
from recipe_core.runs.folder import RunFolder
from recipe_core.runs.watched import machine
from recipe_core.store.workspace import write_json
from recipe_core.training.config import RunConfig

LIVE_GOAL_MS, LEDGER_GOAL_MS = 300, 1000
LIVE_POINTS = 1000
"""As pages/runs.py draws a live run."""
LIVE_RUN = "overfit-20260101-000000-0000"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=9)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--curves", type=int, default=50)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.read:
        print(json.dumps([_pages(asked.read), _pages(asked.read)]))
        return
    print("| page | wall, ms | smallest … largest | processor, ms | goal, ms |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        _live(Path(folder), asked.steps, asked.curves, asked.times)
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder), asked.runs)
        _ledger(Path(folder), asked.runs, asked.times)


def _row(name: str, seconds: list[tuple[float, float]], goal: int) -> None:
    wall, own = ([1000 * s[k] for s in seconds] for k in (0, 1))
    print(f"| {name} | {statistics.median(wall):.0f} | {min(wall):.0f} … {max(wall):.0f} "
          f"| {statistics.median(own):.0f} | {goal} |", flush=True)  # fmt: skip


def timed(function: Callable[[], Any]) -> tuple[float, float]:
    """Wall and processor seconds of a call."""
    start, own = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - start, time.process_time() - own


# -- a run that is being written ----------------------------------------------------------------


def _live(workspace: Path, steps: int, n: int, times: int) -> None:
    with jobs.opened(workspace / "runs" / LIVE_RUN, OVERFIT.to_json()) as job:
        write_json(job.folder / "config.json", {"config": job.config})
        _measured(job, steps, n)
        sizes: list[int] = []
        seconds = [timed(lambda: sizes.append(update(workspace))) for _ in range(times)]
    _row(f"live update: {steps:,} steps, {n} curves, {sizes[-1] / 1e6:.1f} MB sent", seconds,
         LIVE_GOAL_MS)  # fmt: skip


def _measured(job: jobs.Job, steps: int, n: int) -> None:
    names = ["train/loss", "lr", "samples_per_second", "accuracy"]
    names += [f"update_ratio/layer{k}.weight" for k in range(n - len(names))]
    draw = random.Random(0)
    for step in range(1, steps + 1):
        noise = draw.random()
        job.log.scalars(step, {
            name: math.exp(-step / (500 + 20 * k)) + 0.1 * noise for k, name in enumerate(names)
        }, step / 100)  # fmt: skip
        if not step % 200:
            job.log.flush()  # in as many pieces as a run of minutes writes


def update(workspace: Path) -> int:
    """What `pages/runs.py` computes for one look at a live run; the bytes of its charts."""
    pipeline.last_values(workspace, LIVE_RUN)
    found = pipeline.curves(workspace, LIVE_RUN, most=LIVE_POINTS)
    curves.not_numbers([c for c in found if c.name.endswith("loss")])
    looks, sent = curves.Looks(smoothing=0.6), 0
    for panel in curves.panels(found):
        sent += len(json.dumps(curves.options(panel, looks, LIGHT))) + len(curves.said(panel))
    return sent


# -- many runs ----------------------------------------------------------------------------------


def _ledger(workspace: Path, n: int, times: int) -> None:
    measured = []
    for _ in range(times):
        done = subprocess.run(
            [sys.executable, __file__, "--read", str(workspace)], capture_output=True, text=True,
            check=True,
        )  # fmt: skip
        measured.append(json.loads(done.stdout))
    for at, when in ((0, "first in a process"), (1, "again")):
        for name in measured[0][at]:
            _row(f"{name}, {n:,} runs, {when}", [m[at][name] for m in measured], LEDGER_GOAL_MS)


def _pages(workspace: Path) -> dict[str, tuple[float, float]]:
    return {
        "ledger": timed(lambda: ledger(workspace)),
        "changes": timed(lambda: changes(workspace)),
    }


def ledger(workspace: Path) -> int:
    """The runs and what the table shows of each."""
    found = pipeline.runs(workspace)
    assert {r.status for r in found} == {"done"}
    return sum(len(best_said(r.result)) + len(r.title) + pipeline.starred(r) for r in found)


def changes(workspace: Path) -> int:
    """What the comparison page opens with."""
    found = pipeline.changes(workspace)
    entries = pipeline.ledger(workspace)
    fields_that_differ(entries[0], entries[-1])
    return len(found)


def fill(workspace: Path, n: int) -> None:
    """`n` finished runs: three seeds of each setting, each setting one or two changes from another.

    Half of the settings name the run that they were changed from, as the page writes them; the
    others, as typed in a terminal, name none.
    """
    draw, settings = random.Random(0), [OVERFIT]
    ids = [f"overfit-202601{1 + i // 3600:02d}-{i // 60 % 24:02d}{i % 60:02d}00-{i:04x}"
           for i in range(n)]  # fmt: skip
    for i, run_id in enumerate(ids):
        if not i % 3 and i:
            base = draw.randrange(len(settings))
            said = {"base": ids[3 * base]} if draw.random() < 0.5 else {"base": ""}
            settings.append(settings[base].but(**_change(draw), **said))
        _write(RunFolder(workspace / "runs" / run_id), settings[-1].but(seed=i % 3), i, draw)


def _change(draw: random.Random) -> dict[str, Any]:
    some: dict[str, Callable[[], Any]] = {
        "lr": lambda: round(10 ** draw.uniform(-5, -1), 6), "epochs": lambda: draw.randrange(1, 99),
        "weight_decay": lambda: round(10 ** draw.uniform(-6, -2), 7),
        "dropout": lambda: round(draw.uniform(0, 0.9), 2),
        "image_size": lambda: draw.randrange(32, 224), "batch_size": lambda: draw.randrange(8, 512),
        "model": lambda: draw.choice(["resnet18", "resnet34", "resnet50", "small_cnn"]),
    }  # fmt: skip
    return {k: some[k]() for k in draw.sample(sorted(some), draw.choice([1, 1, 1, 2]))}


def _write(run: RunFolder, config: RunConfig, i: int, draw: random.Random) -> None:
    run.path.mkdir(parents=True)
    common = {"attempt": 1, "pid": 2**22 + i, "started": 1.0 + i}
    accuracy = draw.uniform(0.5, 0.99)
    write_json(run.config, {
        "schema": 1, "kind": "overfit", "entry": "recipe_core.overfit.run:run",
        "title": f"{config.model}, {config.image_size} px, seed {config.seed}",
        "command": "recipe overfit", "config": config.to_json(), "created": 1.7e9 + i,
        "device": "cpu", "queue": "auto", "environment": {"OMP_NUM_THREADS": "2"},
    })  # fmt: skip
    write_json(run.launch, {**common, "time": 1.0, "machine": machine(), "pid_started": 1.0})
    write_json(run.exit, {"code": 0, "pid": common["pid"]})
    write_json(run.result, {
        "accuracy": accuracy, "loss": 1 - accuracy, "balanced_accuracy": accuracy - 0.01,
        "best": {"epoch": 7, "accuracy": accuracy + 0.005, "loss": 0.9 - accuracy},
        "train_accuracy": 1.0, "train_loss": 0.001, "gap": 1 - accuracy, "floor": 0.0, "steps": 900,
        "epochs": config.epochs, "data": "0123456789abcdef", "verdict": "pass",
        "class_names": [f"class {k}" for k in range(20)], "splits": ["train", "test"],
        "samples_per_second": 100.0, "train_samples": 4000, "eval_samples": 1000,
    })  # fmt: skip
    write_json(run.outcome, {
        **common, "schema": 1, "status": "done", "message": "", "traceback": "", "ended": 2.0 + i,
        "activity": "training", "done": 9, "total": 9, "rate": 1.0, "resources": {}, "fits": None,
        "final": True,
    })  # fmt: skip


if __name__ == "__main__":
    main()
