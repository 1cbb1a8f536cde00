"""Which process is that, and is it still the same one?"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Identity:
    """A process: its number alone is not enough, numbers are used again."""

    pid: int
    started: float
    """psutil's create_time, seconds since the epoch"""


def myself() -> Identity:
    """This process."""
    return Identity(os.getpid(), psutil.Process().create_time())


def alive(who: Identity) -> bool:
    """Whether exactly this process runs (a zombie does not)."""
    try:
        process = psutil.Process(who.pid)
        same = abs(process.create_time() - who.started) < 0.05
        return bool(same and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def stop(who: Identity, *, grace_s: float = 3.0) -> None:
    """Asks it to stop (SIGINT, as Ctrl-C does), then ends its tree; returns when it is gone."""
    if not alive(who):
        return
    tree = _tree(who.pid)
    with contextlib.suppress(ProcessLookupError):
        os.kill(who.pid, signal.SIGINT)
    if _gone(who, grace_s):
        return
    for process in tree:
        with contextlib.suppress(psutil.Error):
            process.kill()
    _gone(who, grace_s)


def _tree(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [*process.children(recursive=True), process]
    except psutil.Error:
        return []


def _gone(who: Identity, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while alive(who):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
