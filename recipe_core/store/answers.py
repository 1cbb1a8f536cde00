"""What did people call the pictures, who, when, and how is the last answer taken back?

A log that only grows: taking back is an entry too. One labelling is a drawn list of samples that is
gone through twice; what somebody answers is stored the moment the key is pressed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from recipe_core.kernel.errors import Misuse, UnknownName
from recipe_core.store.database import Database

PASSES = (1, 2)
CANNOT_TELL = ""
"""The answer of someone who cannot tell the class."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS labellings (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time TEXT NOT NULL,
    split TEXT NOT NULL,
    seed INTEGER NOT NULL,
    image_size INTEGER NOT NULL,
    class_names TEXT NOT NULL,
    sample_ids TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS passes (
    labelling INTEGER NOT NULL,
    pass INTEGER NOT NULL,
    time TEXT NOT NULL,
    who TEXT NOT NULL,
    PRIMARY KEY (labelling, pass)
);
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    time TEXT NOT NULL,
    labelling INTEGER NOT NULL,
    pass INTEGER NOT NULL,
    sample_id TEXT NOT NULL,
    answer TEXT,
    seconds REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS entries_of_pass ON entries (labelling, pass);
"""
# SQLite takes the bare columns from the row that holds the maximum (sqlite.org/lang_select.html).
_IN_FORCE = """
SELECT sample_id, answer, seconds, MAX(id) FROM entries WHERE labelling = ? AND pass = ?
GROUP BY sample_id
"""


@dataclass(frozen=True)
class Labelling:
    """A list of samples to be called by their class, twice.

    split        it was drawn from; "" for the whole data set
    seed         of the draw and of the order in each pass
    image_size   pixels a side of what people see; 0: the picture as it is
    class_names  what can be answered, in the order of the keys
    """

    id: int
    time: str
    split: str
    seed: int
    image_size: int
    class_names: tuple[str, ...]
    sample_ids: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What somebody called a sample: a class name or CANNOT_TELL; seconds from sight to key."""

    sample_id: str
    name: str
    seconds: float


class Answers:
    """The log in one SQLite file; it is made by the first labelling."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = Database(path, _SCHEMA, "Answers")

    def begin(
        self, split: str, seed: int, image_size: int, class_names: Sequence[str],
        sample_ids: Sequence[str], now: datetime,
    ) -> int:  # fmt: skip
        """Starts a labelling; its number. Raises Misuse where there is nothing to ask."""
        if not sample_ids or len(class_names) < 2:
            raise Misuse("A labelling needs at least one sample and two classes.")
        row = (_stamp(now), split, seed, image_size, _listed(class_names), _listed(sample_ids))
        with self._file.writing() as db:
            done = db.execute(
                "INSERT INTO labellings (time, split, seed, image_size, class_names, sample_ids) "
                "VALUES (?,?,?,?,?,?)", row,
            )  # fmt: skip
            return int(done.lastrowid or 0)

    def latest(self) -> Labelling | None:
        """The labelling that was begun last; None before the first."""
        with self._file.reading() as db:
            query = "SELECT * FROM labellings ORDER BY id DESC LIMIT 1"
            row = db.execute(query).fetchone() if db else None
        return _labelling(row) if row else None

    def begin_pass(self, labelling: int, number: int, who: str, now: datetime) -> None:
        """Says who goes through the list; the first one who said so stays.

        Raises Misuse for a name that is empty or a pass that is neither 1 nor 2.
        """
        if number not in PASSES:
            raise UnknownName("pass", str(number), map(str, PASSES))
        if not who.strip():
            raise Misuse("Say who labels: a name or initials.")
        with self._file.writing() as db:
            _check_labelling(db, labelling)
            db.execute("INSERT OR IGNORE INTO passes VALUES (?,?,?,?)",
                       (labelling, number, _stamp(now), who.strip()))  # fmt: skip

    def people(self, labelling: int) -> dict[int, str]:
        """pass -> who goes through it, for the passes that were begun."""
        with self._file.reading() as db:
            query = "SELECT pass, who FROM passes WHERE labelling = ? ORDER BY pass"
            return dict(db.execute(query, (labelling,)).fetchall()) if db else {}

    def answer(
        self, labelling: int, number: int, sample_id: str, name: str | None, *,
        seconds: float, key: str, now: datetime,
    ) -> None:  # fmt: skip
        """Stores an answer; None takes back what was answered about this sample.

        key  of this entry, chosen by the sender: sent twice, it counts once
        Raises UnknownName for a class or a sample that is not asked for, Misuse for a pass that
        nobody has begun.
        """
        with self._file.writing() as db:
            asked = _check_labelling(db, labelling)
            if sample_id not in asked.sample_ids:
                raise Misuse("This sample is not on the list of this labelling.")
            if name not in (None, CANNOT_TELL, *asked.class_names):
                raise UnknownName("class", str(name), asked.class_names)
            if not db.execute("SELECT 1 FROM passes WHERE labelling = ? AND pass = ?",
                              (labelling, number)).fetchone():  # fmt: skip
                raise Misuse(f"Pass {number} has not begun.")
            db.execute(
                "INSERT OR IGNORE INTO entries "
                "(key, time, labelling, pass, sample_id, answer, seconds) VALUES (?,?,?,?,?,?,?)",
                (key, _stamp(now), labelling, number, sample_id, name, seconds),
            )  # fmt: skip

    def answered(self, labelling: int, number: int) -> tuple[Answer, ...]:
        """The answers in force in a pass, in the order in which they were given."""
        with self._file.reading() as db:
            rows = db.execute(_IN_FORCE, (labelling, number)).fetchall() if db else []
        given = sorted((row for row in rows if row[1] is not None), key=lambda row: row[3])
        return tuple(Answer(sample, name, seconds) for sample, name, seconds, _ in given)

    def state(self) -> str:
        """A text that changes with every entry."""
        with self._file.reading() as db:
            if db is None:
                return ""
            counts = (f"(SELECT COALESCE(MAX(rowid), 0) FROM {t})"
                      for t in ("labellings", "passes", "entries"))  # fmt: skip
            return "-".join(map(str, db.execute(f"SELECT {', '.join(counts)}").fetchone()))


def _check_labelling(db: sqlite3.Connection, labelling: int) -> Labelling:
    row = db.execute("SELECT * FROM labellings WHERE id = ?", (labelling,)).fetchone()
    if row is None:
        raise Misuse(f"There is no labelling {labelling}.")
    return _labelling(row)


def _labelling(row: tuple[int, str, str, int, int, str, str]) -> Labelling:
    number, time, split, seed, size, class_names, sample_ids = row
    return Labelling(
        number, time, split, seed, size, tuple(json.loads(class_names)),
        tuple(json.loads(sample_ids)),
    )  # fmt: skip


def _listed(texts: Sequence[str]) -> str:
    return json.dumps(list(texts))


def _stamp(now: datetime) -> str:
    if now.tzinfo is None:
        raise Misuse("The time of an answer needs a time zone, e.g. datetime.now(UTC).")
    return now.isoformat(timespec="milliseconds")
