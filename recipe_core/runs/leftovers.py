"""What is left of a run whose worker is gone, and how does it end?

Every process below a worker inherits the name of the run's folder in its environment: by that it
is found wherever it went, and nothing else is ever ended by a number that was used again.
"""

from __future__ import annotations

import contextlib
import os
import time

import psutil

from recipe_core.runs.folder import RunFolder

MARK = "RECIPE_RUN"


def leftovers(folder: RunFolder) -> list[psutil.Process]:
    """Every process of the run that lives, zombies apart."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and _belongs(process, folder):
                found.append(process)
    return found


def _belongs(process: psutil.Process, folder: RunFolder) -> bool:
    if process.uids().real != os.getuid() or process.status() == psutil.STATUS_ZOMBIE:
        return False
    return process.environ().get(MARK) == str(folder.path)


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
