"""What did people decide about the samples, who, when, and how is it taken back?

A log that only grows: undo and redo are entries too, so history is never lost. One entry per
sample and decision; all entries of one act share a batch, written in one transaction: whole or not
at all, whatever kills the process. SQLite in WAL mode: several processes may write at once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args

import pyarrow as pa

from recipe_core.kernel.errors import Misuse, UnknownName
from recipe_core.store.database import Database

Kind = Literal["tag", "untag", "exclude", "include", "relabel", "note"]
KINDS: tuple[str, ...] = get_args(Kind)
NEEDS_VALUE = ("tag", "untag")

DECISION_FIELDS = pa.schema([
    ("sample_id", pa.string()),
    ("excluded", pa.bool_()),
    ("reason", pa.string()),
    ("label", pa.string()),
    ("tags", pa.list_(pa.string())),
    ("note", pa.string()),
])  # fmt: skip
"""One row per sample that something is decided about.

excluded   true: leave it out; false: someone said to keep it (this outweighs any finding);
           null: nobody said
reason     why it is excluded, null otherwise
label      its new label, null where it keeps the data set's own
tags       sorted; empty where there are none
note       null where there is none
"""

EVENT_FIELDS = pa.schema([
    ("id", pa.int64()),
    ("time", pa.string()),
    ("who", pa.string()),
    ("kind", pa.string()),
    ("value", pa.string()),
    ("batch", pa.int64()),
    ("undone", pa.bool_()),
])  # fmt: skip

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time TEXT NOT NULL,
    who TEXT NOT NULL,
    kind TEXT NOT NULL,
    sample_id TEXT NOT NULL,
    value TEXT,
    batch INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS events_of_sample ON events (sample_id);
CREATE INDEX IF NOT EXISTS events_of_batch ON events (batch);
CREATE INDEX IF NOT EXISTS reversals ON events (id) WHERE kind IN ('undo', 'redo');
"""

_INSERT = "INSERT INTO events (time, who, kind, value, batch, sample_id) VALUES (?,?,?,?,?,?)"

# A batch is undone while the last entry about it is an undo (SQLite takes the bare column `kind`
# from the row that holds the maximum: sqlite.org/lang_select.html, "bare columns").
_UNDONE = """
undone AS (
    SELECT batch FROM (
        SELECT CAST(value AS INTEGER) AS batch, kind, MAX(id)
        FROM events WHERE kind IN ('undo', 'redo') GROUP BY value
    ) WHERE kind = 'undo'
)
"""
_IN_FORCE = f"""
WITH {_UNDONE}
SELECT sample_id, kind, value FROM events
WHERE kind NOT IN ('undo', 'redo') AND batch NOT IN (SELECT batch FROM undone)
ORDER BY id
"""
_LAST_IN_FORCE = f"""
WITH {_UNDONE}
SELECT MAX(batch) FROM events
WHERE kind NOT IN ('undo', 'redo') AND batch NOT IN (SELECT batch FROM undone)
"""
# Redo goes on only until something new is decided, as in an editor.
_LAST_UNDONE = f"""
WITH {_UNDONE}
SELECT CAST(value AS INTEGER) FROM events
WHERE kind = 'undo' AND CAST(value AS INTEGER) IN (SELECT batch FROM undone)
  AND id > (SELECT COALESCE(MAX(id), 0) FROM events WHERE kind NOT IN ('undo', 'redo'))
ORDER BY id DESC LIMIT 1
"""


@dataclass(frozen=True)
class Batch:
    """One act: the same decision about n samples. `value` is None too where they have several."""

    batch: int
    kind: str
    value: str | None
    n: int
    who: str
    time: str


class Decisions:
    """The log in one SQLite file; it is made by the first decision.

    Every call opens its own connection, so an object may be shared between threads.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = Database(path, _SCHEMA, "Decisions")

    def record(
        self, kind: Kind, sample_ids: Sequence[str], value: str | None, who: str, now: datetime
    ) -> int:
        """Writes one decision about these samples; the number of its batch.

        value   the tag, the new label (None: the data set's own again), the note (None: none),
                the reason of an exclusion
        now     with a time zone
        Raises UnknownName, Misuse (nothing written), WorkspaceError.
        """
        return self.record_each(kind, sample_ids, [value] * len(sample_ids), who, now)

    def record_each(
        self, kind: Kind, sample_ids: Sequence[str], values: Sequence[str | None], who: str,
        now: datetime,
    ) -> int:  # fmt: skip
        """`record` of one act that has a value of its own for each sample."""
        for value in dict.fromkeys(values) or [None]:
            _check(kind, sample_ids, value)
        if len(values) != len(sample_ids):
            raise Misuse(f"{len(sample_ids)} samples cannot have {len(values)} values.")
        stamp = _stamp(now)
        with self._file.writing() as db:
            batch = _next_batch(db)
            db.executemany(
                _INSERT,
                (
                    (stamp, who, kind, value, batch, sample_id)
                    for sample_id, value in zip(sample_ids, values, strict=True)
                ),
            )
        return batch

    def undo(self, who: str, now: datetime) -> Batch | None:
        """Takes back the last act in force, whoever did it; None where there is none."""
        return self._reverse("undo", _LAST_IN_FORCE, who, now)

    def redo(self, who: str, now: datetime) -> Batch | None:
        """Brings back what was undone last; None if nothing was or something new came since."""
        return self._reverse("redo", _LAST_UNDONE, who, now)

    def reversible(self) -> tuple[bool, bool]:
        """Whether there is something to undo, and something to redo."""
        with self._file.reading() as db:
            if not db:
                return False, False
            undo, redo = (_target(db, which) for which in (_LAST_IN_FORCE, _LAST_UNDONE))
        return undo is not None, redo is not None

    def current(self) -> pa.Table:
        """DECISION_FIELDS of every sample with a decision in force, by sample_id."""
        with self._file.reading() as db:
            states: dict[str, dict[str, Any]] = {}
            for sample_id, kind, value in db.execute(_IN_FORCE) if db else ():
                _apply(states.setdefault(sample_id, {}), kind, value)
        rows = [_row(sample_id, state) for sample_id, state in sorted(states.items())]
        return pa.Table.from_pylist([r for r in rows if r], schema=DECISION_FIELDS)

    def history(self, sample_id: str) -> pa.Table:
        """EVENT_FIELDS of everything ever decided about a sample, oldest first."""
        query = f"""WITH {_UNDONE} SELECT id, time, who, kind, value, batch,
            batch IN (SELECT batch FROM undone) AS undone
            FROM events WHERE sample_id = ? AND kind NOT IN ('undo', 'redo') ORDER BY id"""
        with self._file.reading() as db:
            rows = db.execute(query, (sample_id,)).fetchall() if db else []
        columns = list(zip(*rows, strict=True)) or [()] * len(EVENT_FIELDS)
        columns[-1] = tuple(bool(v) for v in columns[-1])
        return pa.table([pa.array(c, f.type) for c, f in zip(columns, EVENT_FIELDS, strict=True)],
                        schema=EVENT_FIELDS)  # fmt: skip

    def state(self) -> int:
        """The number of the last entry: it changes whenever anything is decided or taken back."""
        with self._file.reading() as db:
            return (
                int(db.execute("SELECT COALESCE(MAX(id), 0) FROM events").fetchone()[0])
                if db
                else 0
            )

    def _reverse(self, kind: str, which: str, who: str, now: datetime) -> Batch | None:
        with self._file.writing() as db:
            target = _target(db, which)
            if target is None:
                return None
            db.execute(_INSERT, (_stamp(now), who, kind, str(target), _next_batch(db), ""))
            return _batch(db, target)


def _check(kind: str, sample_ids: Sequence[str], value: str | None) -> None:
    if kind not in KINDS:
        raise UnknownName("kind of decision", kind, KINDS)
    if isinstance(sample_ids, str) or not len(sample_ids):
        raise Misuse("A decision needs a list of at least one sample id.")
    if not all(isinstance(s, str) and s for s in sample_ids):
        raise Misuse("Sample ids are texts that are not empty.")
    if kind in NEEDS_VALUE and not value:
        raise Misuse(f"{kind} needs the tag as its value.")
    if kind == "relabel" and value == "":
        raise Misuse("relabel needs a class name, or None for the data set's own label.")


def _stamp(now: datetime) -> str:
    if now.tzinfo is None:
        raise Misuse("The time of a decision needs a time zone, e.g. datetime.now(UTC).")
    return now.isoformat(timespec="milliseconds")


def _next_batch(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT COALESCE(MAX(batch), 0) + 1 FROM events").fetchone()[0])


def _target(db: sqlite3.Connection, which: str) -> int | None:
    """The batch that would be undone or redone."""
    row = db.execute(which).fetchone()
    return None if row is None or row[0] is None else int(row[0])


def _batch(db: sqlite3.Connection, batch: int) -> Batch:
    query = """SELECT kind, MIN(value), COUNT(*), who, time, COUNT(DISTINCT value)
        FROM events WHERE batch = ?"""
    kind, value, n, who, time, different = db.execute(query, (batch,)).fetchone()
    return Batch(batch, kind, value if different == 1 else None, n, who, time)


def _apply(state: dict[str, Any], kind: str, value: str | None) -> None:
    """One decision on top of what was decided about a sample before."""
    if kind in ("exclude", "include"):
        state["excluded"] = kind == "exclude"
        state["reason"] = value if kind == "exclude" else None
    elif kind == "tag":
        state["tags"] = state.get("tags", frozenset()) | {value}
    elif kind == "untag":
        state["tags"] = state.get("tags", frozenset()) - {value}
    else:
        state["label" if kind == "relabel" else "note"] = value or None


def _row(sample_id: str, state: dict[str, Any]) -> dict[str, Any] | None:
    """The row of DECISION_FIELDS; None where all decisions have cancelled out."""
    row = {
        "excluded": state.get("excluded"), "reason": state.get("reason"),
        "label": state.get("label"), "tags": sorted(state.get("tags", ())),
        "note": state.get("note"),
    }  # fmt: skip
    decided = any(v is not None and v != [] for v in row.values())
    return {"sample_id": sample_id, **row} if decided else None
