"""Who ends what a worker leaves behind, and who hears how it died?

The worker's first act is to fork. The parent stays the small process that it is then: it leads the
session, waits for the worker, sees that a stop that was asked for happens, and when the worker is
gone, however it went, ends everything that is left of its group: loader processes, whatever the
user's code started. So a `kill -9` leaves no orphan, on Linux as on macOS, whether somebody looks
or not.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from pathlib import Path
from typing import NoReturn

SECONDS_TO_FINISH = 10.0
"""from the flag to SIGTERM: the step and a checkpoint"""
SECONDS_TO_UNWIND = 5.0
"""from SIGTERM to SIGKILL"""
_LOOK_S = 0.1
_OURS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def lead_a_session() -> None:
    """Makes this process the leader of a session (or at least of a group) of its own."""
    with contextlib.suppress(PermissionError):  # it leads a group: started from a shell by hand
        os.setsid()


def guarded(folder: Path) -> None:
    """Forks; returns in the child, which is the worker. The parent guards it and never returns."""
    for number in _OURS:
        signal.signal(number, signal.SIG_IGN)
    worker = os.fork()
    if worker == 0:
        for number in _OURS:
            signal.signal(number, signal.SIG_DFL)
        return
    _guard(worker, folder)


def _guard(worker: int, folder: Path) -> NoReturn:
    status = _awaited(worker, folder)
    _say(folder / "exit.json", worker, status)
    os.killpg(os.getpgrp(), signal.SIGKILL)  # this process too
    os._exit(1)


def _awaited(worker: int, folder: Path) -> int:
    """The worker's exit status; presses on when a stop was asked for long enough ago."""
    stop, deadline, sent = folder / "stop", None, signal.SIGTERM
    while True:
        done, status = os.waitpid(worker, os.WNOHANG)
        if done:
            return status
        if deadline is None and stop.exists():
            deadline = time.monotonic() + SECONDS_TO_FINISH
        if deadline is not None and time.monotonic() > deadline:
            _press(worker, sent)
            deadline, sent = time.monotonic() + SECONDS_TO_UNWIND, signal.SIGKILL
        time.sleep(_LOOK_S)


def _press(worker: int, number: signal.Signals) -> None:
    if number == signal.SIGKILL:
        os.kill(worker, number)  # the rest of the group goes with this process
    else:
        os.killpg(os.getpgrp(), number)


def _say(path: Path, worker: int, status: int) -> None:
    code = os.waitstatus_to_exitcode(status)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with contextlib.suppress(OSError):
        temporary.write_text(json.dumps({"pid": worker, "code": code}), encoding="ascii")
        temporary.replace(path)
