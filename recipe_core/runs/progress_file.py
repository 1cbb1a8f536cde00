"""How far is the scan? A small file that the scan writes and that anybody may read.

The terminal's bar and the page show the same numbers because both come from here.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from recipe_core.runs.watched import myself
from recipe_core.store.workspace import replaced

SECONDS_BETWEEN_WRITES = 0.25


@dataclass(frozen=True)
class State:
    """What is known of a scan.

    status     running, done, failed, stopped (as written by the scan itself)
    rate       units per second over the current activity, 0 where unknown
    eta_s      seconds left of the current activity, None where unknown
    message    the error in a sentence, or how it ended
    """

    status: str = "running"
    activity: str = "starting"
    done: int = 0
    total: int = 0
    rate: float = 0.0
    eta_s: float | None = None
    message: str = ""
    source: str = ""
    command: str = ""
    started: float = 0.0
    updated: float = 0.0
    pid: int = 0
    pid_started: float = 0.0


@dataclass
class ProgressFile:
    """A Progress that writes `progress.json` a few times a second and tells a listener."""

    path: Path
    source: str
    command: str
    listener: Callable[[State], Any] = lambda state: None
    _state: State = field(default_factory=State)
    _since: tuple[float, int] = (0.0, 0)
    _written: float = 0.0

    def start(self) -> None:
        """Says that it runs; call it when the workspace is held."""
        who, now = myself(), time.time()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._since = (time.monotonic(), 0)
        self._state = State(
            source=self.source, command=self.command, started=now, updated=now, pid=who.pid,
            pid_started=who.started,
        )  # fmt: skip
        self._write()

    def __call__(self, activity: str, done: int, total: int) -> None:
        now = time.monotonic()
        if not self._state.started:  # the first word comes when the workspace is held
            self.start()
        if activity != self._state.activity:
            self._since = (now, done)
        seconds, units = now - self._since[0], done - self._since[1]
        rate = units / seconds if seconds > 0.2 else 0.0
        eta = (total - done) / rate if rate > 0 and total else None
        fresh = activity != self._state.activity or (total and done >= total)
        self._state = replace(
            self._state, activity=activity, done=done, total=total, rate=rate, eta_s=eta,
            updated=time.time(),
        )  # fmt: skip
        if fresh or now - self._written > SECONDS_BETWEEN_WRITES:
            self._write()

    def end(self, status: str, message: str = "") -> None:
        """Says how it ended; nothing is said of a scan that never started."""
        if self._state.started:
            self._state = replace(self._state, status=status, message=message, updated=time.time())
            self._write()

    def _write(self) -> None:
        self._written = time.monotonic()
        text = json.dumps(asdict(self._state))
        with contextlib.suppress(
            OSError
        ):  # a full disk must not stop the scan for its progress bar
            replaced(self.path, lambda p: p.write_text(text, encoding="utf-8"))
        self.listener(self._state)


def read_state(path: Path) -> State | None:
    """The last state written; None where there is none."""
    try:
        return State(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
