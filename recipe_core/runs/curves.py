"""What do a run's curves look like, in few enough points to draw and with every spike?"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from recipe_core.runs.folder import RunFolder
from recipe_core.runs.log import COLUMNS, Points

MOST = 3000


@dataclass(frozen=True)
class Curve:
    """One measured quantity over a run.

    per     "step" or "epoch"
    steps   (n,) int64, the step at which it was measured, ascending
    epochs  (n,) float64, NaN where it was not given
    values  (n,) float64; NaN where a NaN was measured
    """

    name: str
    per: str
    steps: npt.NDArray[np.int64]
    epochs: npt.NDArray[np.float64]
    values: npt.NDArray[np.float64]
    times: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.steps)


def curves(
    folder: RunFolder,
    names: Sequence[str] | None = None,
    *,
    after: int | None = None,
    most: int = MOST,
) -> tuple[Curve, ...]:
    """The curves of a run, those per step first, by name.

    names  only these (default: all)
    after  only what was measured after this step: what a page does not have yet
    most   points per curve; of more, the lowest, the highest and the first NaN of each stretch stay
    """
    with opened(folder) as db:
        if db is None:
            return ()
        listed = db.execute("SELECT id, name, per FROM names ORDER BY per DESC, name").fetchall()
        start = -1 if after is None else after
        return tuple(
            _curve(name, per, _thinned(_points(db, key, start), most))
            for key, name, per in listed
            if names is None or name in names
        )


def _points(db: sqlite3.Connection, key: int, after: int) -> Points:
    """Those measured after a step, by x; of two with the same x the one that was logged later."""
    rows = db.execute(
        "SELECT points FROM chunks WHERE name = ? AND last > ? ORDER BY id", (key, after)
    )
    points = np.frombuffer(b"".join(row[0] for row in rows)).reshape(-1, COLUMNS)
    points = points[points[:, 1] > after]
    x = points[:, 0]
    if (np.diff(x) > 0).all():
        return points
    _, last = np.unique(x[::-1], return_index=True)
    return np.asarray(points[len(x) - 1 - last])


def _thinned(points: Points, most: int) -> Points:
    """Of each stretch the lowest, the highest and the first NaN; and both ends."""
    if len(points) <= most:
        return points
    x, value = points[:, 0].astype(np.int64), points[:, 3]
    stretches = max(1, (most - 2) // 3)
    stretch = (x - x[0]) // -(-(x[-1] - x[0] + 1) // stretches)
    known, unknown = np.flatnonzero(~np.isnan(value)), np.flatnonzero(np.isnan(value))
    order = known[np.lexsort((value[known], stretch[known]))]
    first_nan = unknown[np.unique(stretch[unknown], return_index=True)[1]]
    _, lowest = np.unique(stretch[order], return_index=True)
    highest = np.append(lowest[1:], len(order)) - 1 if len(order) else lowest
    ends = [0, len(x) - 1]
    kept = np.unique(np.concatenate([order[lowest], order[highest], first_nan, ends]))
    return np.asarray(points[kept])


def _curve(name: str, per: str, points: Points) -> Curve:
    _, step, epoch, value, when = points.T
    return Curve(name, per, step.astype(np.int64), epoch, value, when)


def events(folder: RunFolder, after: int = 0) -> list[dict[str, Any]]:
    """What happened, oldest first, without the first `after` of them.

    Each has time, kind, text, step and, where there is more to say, data.
    """
    try:
        lines = folder.events.read_bytes().split(b"\n")[:-1]  # the last may be half written
    except OSError:
        return []
    found = []
    for line in lines[after:]:
        with contextlib.suppress(ValueError):
            found.append(json.loads(line))
    return found


def last_values(folder: RunFolder) -> dict[str, float]:
    """The newest value of each name."""
    with opened(folder) as db:
        if db is None:
            return {}
        rows = db.execute("SELECT name, per, id FROM names ORDER BY per DESC, name").fetchall()
        found = {}
        for name, _, key in rows:
            last = db.execute(
                "SELECT points FROM chunks WHERE name = ? ORDER BY last DESC, id DESC LIMIT 1",
                (key,),
            ).fetchone()
            if last is not None:
                found[name] = float(np.frombuffer(last[0])[-2])
        return found


@contextlib.contextmanager
def opened(folder: RunFolder) -> Iterator[sqlite3.Connection | None]:
    """A run's database, to read only; None where it does not exist yet."""
    if not folder.database.exists():
        yield None
        return
    path = quote(str(folder.database))
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5.0)) as db:
        try:
            db.execute("SELECT 1 FROM chunks LIMIT 1")
        except sqlite3.OperationalError:  # made a moment ago: its tables come
            yield None
            return
        yield db
