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
            _curve(db, key, name, per, start, most)
            for key, name, per in listed
            if names is None or name in names
        )


def _curve(db: sqlite3.Connection, key: int, name: str, per: str, after: int, most: int) -> Curve:
    where, given = "name = ? AND x > ?", (key, after)
    if per == "epoch":
        where = "name = ? AND step > ?"
    n, low, high = db.execute(f"SELECT COUNT(*), MIN(x), MAX(x) FROM points WHERE {where}", given
                              ).fetchone()  # fmt: skip
    if n <= most:
        rows = db.execute(f"SELECT x, step, epoch, value, time FROM points WHERE {where}", given)
        return _made(name, per, rows.fetchall())
    width = max(1, -(-(high - low + 1) // max(1, (most - 2) // 3)))
    return _made(name, per, _thinned(db, where, given, low, high, width))


def _thinned(
    db: sqlite3.Connection, where: str, given: tuple[Any, ...], low: int, high: int, width: int
) -> list[tuple[Any, ...]]:
    """Of each stretch of `width` steps the lowest, the highest and the first NaN; and both ends.

    SQLite takes the other columns from the row that holds the minimum (sqlite.org/lang_select.html,
    "bare columns").
    """
    found: dict[int, tuple[Any, ...]] = {}
    for choice, only in (
        ("MIN(value)", "value IS NOT NULL"),
        ("MAX(value)", "value IS NOT NULL"),
        ("MIN(x)", "value IS NULL"),
        ("MIN(x)", f"x IN ({low}, {high})"),
    ):
        rows = db.execute(
            f"SELECT x, step, epoch, value, time, {choice} FROM points WHERE {where} AND {only} "
            "GROUP BY (x - ?) / ?", (*given, low, width),
        )  # fmt: skip
        found.update({row[0]: row[:5] for row in rows})
    return [found[x] for x in sorted(found)]


def _made(name: str, per: str, rows: Sequence[tuple[Any, ...]]) -> Curve:
    _, steps, epochs, values, times = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    return Curve(
        name, per, np.array(steps, np.int64), np.array(epochs, np.float64),
        np.array(values, np.float64), np.array(times, np.float64),
    )  # fmt: skip


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
            last = db.execute("SELECT value FROM points WHERE name = ? ORDER BY x DESC LIMIT 1",
                              (key,)).fetchone()  # fmt: skip
            if last is not None:
                found[name] = float("nan") if last[0] is None else float(last[0])
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
            db.execute("SELECT 1 FROM points LIMIT 1")
        except sqlite3.OperationalError:  # made a moment ago: its tables come
            yield None
            return
        yield db
