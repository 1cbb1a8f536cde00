"""How does a test wait for what another process does?"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psutil

from recipe_core import pipeline
from recipe_core.runs.watching import Run


def until(done: Callable[[], bool], seconds: float = 60) -> None:
    """Returns when it has happened; fails when it does not."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def living(pid: int) -> bool:
    """Whether the process runs; one that only waits to be reaped does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def ended(workspace: Path, run_id: str, seconds: float = 60) -> Run:
    """The run when it has ended."""
    until(lambda: not pipeline.run(workspace, run_id).live, seconds)
    return pipeline.run(workspace, run_id)


def under_way(workspace: Path, run_id: str) -> Run:
    """The run when it has done its first step."""
    until(lambda: pipeline.run(workspace, run_id).progress.done > 0)
    return pipeline.run(workspace, run_id)
