"""What did a run measure? Its curves in one SQLite file, what happened to it in events.jsonl.

The training loop only appends to a list in memory; one thread writes what has gathered, twice a
second, in one transaction. WAL lets any number of readers look on meanwhile.
"""

from __future__ import annotations

import contextlib
import errno
import json
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from recipe_core.kernel.errors import WorkspaceError
from recipe_core.kernel.plain import plain
from recipe_core.runs.folder import RunFolder

SECONDS_BETWEEN_WRITES = 0.5
BUSY_SECONDS = 30.0

COLUMNS = 5
"""of a point: x (the step of a curve per step, the epoch of one per epoch), step, epoch, value and
time"""

Points = npt.NDArray[np.float64]
"""(n, COLUMNS)"""

# One row holds what gathered of one curve between two writes, as float64 (n, COLUMNS): a row a
# point costs the writer several times as much, and a loop of 1 ms steps would feel it.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS names (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, per TEXT NOT NULL, UNIQUE (name, per)
);
CREATE TABLE IF NOT EXISTS chunks (
    id INTEGER PRIMARY KEY, name INTEGER NOT NULL, last INTEGER NOT NULL, points BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS chunks_by_step ON chunks (name, last);
"""
_INSERT = "INSERT INTO chunks (name, last, points) VALUES (?, ?, ?)"
_NAN = float("nan")


class Number(Protocol):
    """What `float` takes: a number, or a 0-d array or tensor."""

    def __float__(self) -> float: ...


class RunLog:
    """The writing end; every call returns at once, from any thread.

    Values may be 0-d tensors on a device, detached and not written to again: they are read in the
    writer's thread, so that the loop need not wait for the device.
    When the disk is full the next call raises WorkspaceError; what was written stays.
    """

    def __init__(self, folder: RunFolder, every_s: float = SECONDS_BETWEEN_WRITES) -> None:
        self._folder = folder
        self._every_s = every_s
        self._rows: deque[tuple[Any, ...]] = deque()
        self._unwritten: list[tuple[Any, ...]] = []
        self._happened: deque[dict[str, Any]] = deque()
        self._step = 0
        self._names: dict[tuple[str, str], int] = {}
        self._newest: dict[str, float] = {}
        self._problem: WorkspaceError | None = None
        self._told = False
        self._writing = threading.Lock()
        self._ending = threading.Event()
        self._db = self._opened()
        self._thread = threading.Thread(target=self._write_on, name="run log", daemon=True)
        self._thread.start()

    def scalars(self, step: int, values: Mapping[str, Number], epoch: float | None = None) -> None:
        """Values at an optimisation step (counted from 0 or 1, as the loop likes)."""
        if self._problem is not None:
            self._tell()
        self._step = step
        self._rows.append(("step", step, step, epoch, dict(values), time.time()))

    def epoch(self, epoch: int, values: Mapping[str, Number], step: int | None = None) -> None:
        """Values of a whole epoch; `step`: the last one of it (default: the last one logged)."""
        if self._problem is not None:
            self._tell()
        at = self._step if step is None else step
        self._rows.append(("epoch", epoch, at, epoch, dict(values), time.time()))

    def event(self, kind: str, text: str, **data: Any) -> None:
        """Something that happened, in a sentence; `data` must be able to go into JSON."""
        happened = {"time": time.time(), "kind": kind, "text": text, "step": self._step}
        self._happened.append(happened | ({"data": plain(data)} if data else {}))

    def rewind(self, step: int) -> None:
        """Forgets what was measured after this step: a resumed run measures it again."""
        self.flush()
        with self._writing, self._db as db:
            later = db.execute("SELECT id, points FROM chunks WHERE last > ?", (step,)).fetchall()
            for key, blob in later:
                points = np.frombuffer(blob).reshape(-1, COLUMNS)
                kept = points[points[:, 1] <= step]
                last = int(kept[:, 1].max(initial=0))
                db.execute("UPDATE chunks SET last = ?, points = ? WHERE id = ?",
                           (last, kept.tobytes(), key))  # fmt: skip
            db.execute("DELETE FROM chunks WHERE points = ?", (b"",))
        self._step = step

    def flush(self) -> None:
        """Returns when everything is written; call it before a checkpoint is saved, so that after a
        `kill -9` the curves do not end before it. Raises WorkspaceError where it cannot be written.
        """
        self._write()
        if self._problem is not None:
            self._tell()

    def newest(self) -> dict[str, float]:
        """The last value written of each name."""
        return dict(self._newest)

    def close(self) -> None:
        """Writes what is left; the file needs no companion files from then on."""
        if self._ending.is_set():
            return
        self._ending.set()
        self._thread.join()
        self._write()
        with contextlib.suppress(sqlite3.Error):  # a reader is looking: it stays in WAL mode
            self._db.execute("PRAGMA busy_timeout=200")
            self._db.execute("PRAGMA journal_mode=DELETE")
        self._db.close()
        if self._problem is not None and not self._told:
            self._tell()

    # -- the writer's side ----------------------------------------------------------------------

    def _opened(self) -> sqlite3.Connection:
        try:
            db = sqlite3.connect(
                self._folder.database, timeout=BUSY_SECONDS, check_same_thread=False
            )
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=NORMAL")
            db.executescript(_SCHEMA)
        except sqlite3.Error as e:
            raise problem(self._folder.path, e) from None
        return db

    def _write_on(self) -> None:
        while not self._ending.wait(self._every_s):
            self._write()

    def _write(self) -> None:
        with self._writing:
            try:
                self._write_points()  # may have something to say about them
                self._write_events()
                self._problem = None
            except (sqlite3.Error, OSError) as e:
                self._problem = problem(self._folder.path, e)

    def _write_events(self) -> None:
        if not self._happened:
            return
        text = "".join(json.dumps(e, ensure_ascii=True) + "\n" for e in list(self._happened))
        n = text.count("\n")
        with self._folder.events.open("a", encoding="ascii") as file:
            file.write(text)
        for _ in range(n):
            self._happened.popleft()

    def _write_points(self) -> None:
        while self._rows:
            self._unwritten.append(self._rows.popleft())
        if not self._unwritten:
            return
        try:
            with self._db as db:
                db.executemany(_INSERT, self._chunks(self._unwritten))
        except sqlite3.Error:
            self._names.clear()  # those given in this transaction are gone
            raise
        self._unwritten.clear()

    def _chunks(self, rows: list[tuple[Any, ...]]) -> list[tuple[int, int, bytes]]:
        gathered: dict[tuple[str, str], list[Points]] = {}
        for (per, names), alike in groupby(rows, key=lambda row: (row[0], tuple(row[4]))):
            for name, points in zip(names, self._points(list(alike)), strict=True):
                if len(points):
                    gathered.setdefault((name, per), []).append(points)
        chunks = []
        for (name, per), parts in gathered.items():
            points = np.concatenate(parts)
            self._newest[name] = float(points[-1, 3])
            chunks.append((self._id(name, per), int(points[:, 1].max()), points.tobytes()))
        return chunks

    def _points(self, rows: list[tuple[Any, ...]]) -> list[Points]:
        """(n, COLUMNS) of each name of rows with the same names, all their values at once."""
        places = np.array([(x, step, _NAN if epoch is None else epoch, _NAN, when)
                           for _, x, step, epoch, _, when in rows])  # fmt: skip
        try:
            values = np.array([tuple(row[4].values()) for row in rows], np.float64)
        except (TypeError, ValueError, RuntimeError):
            values = np.empty(0)
        if values.shape == (len(rows), len(rows[0][4])):
            return [_with(places, column) for column in values.T]
        return [self._one_by_one(rows, places, name) for name in rows[0][4]]

    def _one_by_one(self, rows: list[tuple[Any, ...]], places: Points, name: str) -> Points:
        """The points of a name; of a value that is no number only the log of events hears."""
        numbers = {}
        for i, row in enumerate(rows):
            try:
                numbers[i] = float(row[4][name])
            except (TypeError, ValueError, RuntimeError) as e:
                self.event("problem", f"{name!r} at step {row[2]} is no number: {e}")
        return _with(places[list(numbers)], np.array(list(numbers.values())))

    def _id(self, name: str, per: str) -> int:
        key = (name, per)
        if key not in self._names:
            self._db.execute("INSERT OR IGNORE INTO names (name, per) VALUES (?, ?)", key)
            found = self._db.execute("SELECT id FROM names WHERE name = ? AND per = ?", key)
            self._names[key] = int(found.fetchone()[0])
        return self._names[key]

    def _tell(self) -> None:
        self._told = True
        raise self._problem or AssertionError("nothing to tell")


def _with(places: Points, values: Points) -> Points:
    points = places.copy()
    points[:, 3] = values
    return points


def problem(folder: Path, e: Exception) -> WorkspaceError:
    """A failed write as a sentence that says what to do."""
    full = isinstance(e, OSError) and e.errno in (errno.ENOSPC, errno.EDQUOT)
    if full or "is full" in str(e):
        return WorkspaceError(
            f"The disk of {folder} is full. What was measured and saved before is intact: free "
            "some space and resume the run."
        )
    return WorkspaceError(f"Writing to {folder} failed: {e}. What was written before is intact.")
