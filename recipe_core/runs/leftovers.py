"""What is left of a run whose worker is gone, and how does it end?

Every process below a worker inherits the name of the run's folder in its environment: by that it
is found wherever it went, and nothing else is ever ended by a number that was used again.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time

import psutil

from recipe_core.runs.folder import RunFolder

MARK = "RECIPE_RUN"


def leftovers(folder: RunFolder) -> list[psutil.Process]:
    """Every process of the run that lives, zombies apart."""
    return _marked().get(str(folder.path), [])


def _marked() -> dict[str, list[psutil.Process]]:
    """This user's processes that belong to a run, by its folder."""
    found: dict[str, list[psutil.Process]] = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if mark := _mark(process):
                found.setdefault(mark, []).append(process)
    return found


def _mark(process: psutil.Process) -> str:
    if process.pid == os.getpid() or process.uids().real != os.getuid():
        return ""
    if process.status() == psutil.STATUS_ZOMBIE:
        return ""
    return str(process.environ().get(MARK, ""))


@functools.lru_cache(maxsize=1)
def _marked_lately(second: int) -> frozenset[str]:
    return frozenset(_marked())


def sweep_if_any(folder: RunFolder) -> None:
    """Sweeps where a look within the last second saw something: for readers of many runs."""
    if str(folder.path) in _marked_lately(int(time.monotonic())):
        sweep(folder)


def sweep(folder: RunFolder, seconds: float = 5.0) -> int:
    """Ends them all and waits until they are gone; how many are left after so many seconds."""
    deadline = time.monotonic() + seconds
    while left := leftovers(folder):
        if time.monotonic() > deadline:
            return len(left)
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, timeout=0.2)
    return 0
