"""Does the worker live, how far is it, what does it use? A small file says so twice a second."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from recipe_core.runs.folder import RunFolder
from recipe_core.runs.watched import machine, myself
from recipe_core.store.workspace import replaced

SECONDS_BETWEEN_BEATS = 0.5
SECONDS_BETWEEN_LOOKS = 2.0
"""between two looks at memory and utilisation"""


@dataclass(frozen=True)
class Beat:
    """What the worker says of itself.

    phase       queued (it waits for its device) or running
    group       the process group that the worker and all it started belong to
    rate        units of `done` per second over the current activity, 0 where unknown
    eta_s       seconds left of the current activity, None where unknown
    waiting     the runs before it, where it is queued
    resources   see `resources.look`
    """

    attempt: int = 1
    phase: str = "running"
    machine: str = ""
    pid: int = 0
    pid_started: float = 0.0
    group: int = 0
    started: float = 0.0
    updated: float = 0.0
    activity: str = "starting"
    done: int = 0
    total: int = 0
    rate: float = 0.0
    eta_s: float | None = None
    waiting: tuple[str, ...] = ()
    resources: Mapping[str, Any] = field(default_factory=dict)


class Heartbeat:
    """A thread that writes what it was last told; `look` measures what the run uses."""

    def __init__(
        self, folder: RunFolder, attempt: int, look: Callable[[], Mapping[str, Any]]
    ) -> None:
        who = myself()
        self._folder = folder
        self._look = look
        self._looked = 0.0
        self._told = ("starting", 0, 0)
        self._since = (time.monotonic(), 0)
        self._lock = threading.Lock()
        self._over = threading.Event()
        self.beat = Beat(
            attempt, machine=machine(), pid=who.pid, pid_started=who.started, group=os.getpgrp(),
            started=time.time(),
        )  # fmt: skip
        self._thread = threading.Thread(target=self._beat_on, name="heartbeat", daemon=True)

    def start(self) -> None:
        """The first beat is written when this returns."""
        self._write()
        self._thread.start()

    def tell(self, **changes: Any) -> None:
        """Fields of the beat that change; written with the next one."""
        with self._lock:
            self.beat = replace(self.beat, **changes)

    def progress(self, activity: str, done: int, total: int) -> None:
        """How far it is; written with the next beat. Only stores: loops call it at every step."""
        if activity != self._told[0]:
            self._since = (time.monotonic(), done)
        self._told = (activity, done, total)

    def stop(self) -> Beat:
        """Ends the thread; the last beat."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        self.tell(**self._pace())
        return self.beat

    def _beat_on(self) -> None:
        while not self._over.wait(SECONDS_BETWEEN_BEATS):
            if time.monotonic() - self._looked > SECONDS_BETWEEN_LOOKS:
                self._looked = time.monotonic()
                self.tell(resources=self._look())
            self._write()

    def _pace(self) -> dict[str, Any]:
        activity, done, total = self._told
        seconds, units = time.monotonic() - self._since[0], done - self._since[1]
        rate = units / seconds if seconds > 0.2 else 0.0
        eta = (total - done) / rate if rate > 0 and total else None
        return {"activity": activity, "done": done, "total": total, "rate": rate, "eta_s": eta}

    def _write(self) -> None:
        self.tell(updated=time.time(), **self._pace())
        text = json.dumps(asdict(self.beat))
        with contextlib.suppress(OSError):  # a full disk must not stop the run for its heartbeat
            replaced(self._folder.heartbeat, lambda p: p.write_text(text, encoding="utf-8"))


def read_beat(folder: RunFolder) -> Beat | None:
    """The last beat written; None where there is none."""
    try:
        value = json.loads(folder.heartbeat.read_bytes())
        return Beat(**{**value, "waiting": tuple(value["waiting"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
