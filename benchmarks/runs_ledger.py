"""How long does the ledger take to read with 1,000 runs in it?

    python benchmarks/runs_ledger.py [--runs 1000] [--times 5]

Half of the runs are done, a quarter failed, the rest was killed and left no word of its end. Read
in a new process (which opens their files) and again in the same one (which only looks whether they
changed); best and worst of several. The files are in the system's cache both times.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from recipe_core import pipeline
from recipe_core.runs.folder import RunFolder
from recipe_core.runs.watched import machine
from recipe_core.store.workspace import write_json

GOAL_S = 1.0


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.read:
        print(*_read(asked.read), *_read(asked.read))
        return
    with tempfile.TemporaryDirectory() as folder:
        _fill(Path(folder), asked.runs)
        measured = [_new_process(Path(folder)) for _ in range(asked.times)]
    print(f"{asked.runs:,} runs, {asked.times} processes; goal: under {GOAL_S:.0f} s\n")
    print("| read | best, ms | worst, ms | processor, best, ms |\n|---|---|---|---|")
    for name, at in (("first in a process", 0), ("again", 2)):
        times, own = ([1000 * m[at + k] for m in measured] for k in (0, 1))
        print(f"| {name} | {min(times):.0f} | {max(times):.0f} | {min(own):.0f} |")


def _new_process(folder: Path) -> list[float]:
    done = subprocess.run(
        [sys.executable, __file__, "--read", str(folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    return [float(text) for text in done.stdout.split()]


def _read(folder: Path) -> tuple[float, float]:
    """Wall and processor seconds."""
    start, own = time.perf_counter(), time.process_time()
    found = pipeline.runs(folder)
    seconds = time.perf_counter() - start, time.process_time() - own
    assert {r.status for r in found} == {"done", "failed", "lost"}
    return seconds


def _fill(folder: Path, n: int) -> None:
    for i in range(n):
        run = RunFolder(folder / "runs" / f"train-20260101-{i // 3600:06d}-{i:04x}")
        run.path.mkdir(parents=True)
        common = {"attempt": 1, "pid": 2**22 + i, "started": 1.0 + i}
        write_json(run.config, {
            "schema": 1, "kind": "train", "entry": "a.b:c", "title": f"run {i}",
            "command": "recipe", "config": {f"field_{k}": k for k in range(40)}, "created": 1.0 + i,
            "device": "cpu",
        })  # fmt: skip
        write_json(run.launch, {**common, "time": 1.0, "machine": machine(), "pid_started": 1.0})
        write_json(run.exit, {"code": -9 if i % 4 == 3 else 0})
        if i % 4 == 3:
            continue
        write_json(run.result, {"accuracy": 0.9, "loss": 0.3})
        write_json(run.outcome, {
            **common, "schema": 1, "status": "failed" if i % 4 == 2 else "done", "message": "",
            "traceback": "", "ended": 2.0 + i, "activity": "training", "done": 9, "total": 9,
            "rate": 1.0, "resources": {}, "fits": None, "final": True,
        })  # fmt: skip


if __name__ == "__main__":
    main()
