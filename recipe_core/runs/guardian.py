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
    pressed: list[signal.Signals] = []
    asked = 0.0
    while True:
        done, status = os.waitpid(worker, os.WNOHANG)
        if done:
            return status
        patience = _patience(folder / "stop")
        if patience is not None:
            asked = asked or time.monotonic()
            _press(worker, time.monotonic() - asked, patience, pressed)
        time.sleep(_LOOK_S)


def _patience(stop: Path) -> tuple[float, float] | None:
    """Seconds from the flag to SIGTERM and to SIGKILL; None where no stop was asked for."""
    try:
        text = stop.read_text(encoding="ascii")
    except FileNotFoundError:
        return None
    except OSError:
        text = ""
    try:
        asked = json.loads(text)
        finish, unwind = float(asked["finish_s"]), float(asked["unwind_s"])
    except (ValueError, TypeError, KeyError):
        finish, unwind = SECONDS_TO_FINISH, SECONDS_TO_UNWIND
    return finish, finish + unwind


def _press(
    worker: int, seconds: float, patience: tuple[float, float], pressed: list[signal.Signals]
) -> None:
    if seconds > patience[0] and signal.SIGTERM not in pressed:
        pressed.append(signal.SIGTERM)
        os.killpg(os.getpgrp(), signal.SIGTERM)
    if seconds > patience[1] and signal.SIGKILL not in pressed:
        pressed.append(signal.SIGKILL)
        os.kill(worker, signal.SIGKILL)  # the rest of the group goes with this process


def _say(path: Path, worker: int, status: int) -> None:
    code = os.waitstatus_to_exitcode(status)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with contextlib.suppress(OSError):
        temporary.write_text(json.dumps({"pid": worker, "code": code}), encoding="ascii")
        temporary.replace(path)
