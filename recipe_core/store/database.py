"""How do several processes share one small SQLite file? WAL, whole transactions, errors in words.

Made by its first writer; a reader before that finds nothing. Every call opens its own connection,
so an object may be shared between threads.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from recipe_core.kernel.errors import Misuse, WorkspaceBusy, WorkspaceError

BUSY_SECONDS = 30.0


@dataclass(frozen=True)
class Database:
    """One file and the statements that make its tables.

    schema  statements that may run twice, each ended by ;
    holds   what is in it, for the errors ("Decisions")
    """

    path: Path
    schema: str
    holds: str

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that holds the write lock from its start: what it read stays true.

        Raises Misuse for characters that are no text, WorkspaceBusy, WorkspaceError.
        """
        with told(self.path, self.holds), closing(_patiently(self._begun)) as db:
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection | None]:
        """A connection that cannot write; None where nothing was ever written."""
        if not self.path.exists():
            yield None
            return
        with (
            told(self.path, self.holds),
            closing(_patiently(lambda: _opened_to_read(self.path))) as db,
        ):
            begun = db.execute("PRAGMA user_version").fetchone()[0] > 0
            yield db if begun else None

    def _begun(self) -> sqlite3.Connection:
        """A connection within a transaction that may write."""
        db = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            db.execute("PRAGMA synchronous = NORMAL")
            if db.execute("PRAGMA user_version").fetchone()[0] == 0:
                self._prepare(db)
            db.execute("BEGIN IMMEDIATE")
        except BaseException:
            db.close()
            raise
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        """Makes the tables. Two processes may come here at once: the second finds them made."""
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("BEGIN IMMEDIATE")
        for statement in filter(str.strip, self.schema.split(";")):
            db.execute(statement)
        db.execute("PRAGMA user_version = 1")
        db.execute("COMMIT")


@contextmanager
def told(path: Path, holds: str) -> Iterator[None]:
    """SQLite's errors as ours."""
    try:
        yield
    except UnicodeEncodeError as e:
        raise Misuse(
            f"{e.object!r} cannot be stored: it holds characters that are no text."
        ) from None
    except sqlite3.OperationalError as e:
        if "locked" in str(e) or "busy" in str(e):
            raise WorkspaceBusy(f"Another process keeps {path} locked; try again.") from None
        raise WorkspaceError(
            f"{holds} cannot be stored in or read from {path}: {e}. Can its folder be written, and "
            "is there room on the disk?"
        ) from None
    except sqlite3.DatabaseError as e:
        raise WorkspaceError(f"{path} is damaged ({e}). Move it away to start anew.") from None


def _patiently(connect: Callable[[], sqlite3.Connection]) -> sqlite3.Connection:
    """Tries again while another process holds the file, up to BUSY_SECONDS.

    SQLite's own timeout does not wait where waiting could be for ever: when two processes switch a
    new file to WAL at once, or one opens it while the last one closes it.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return connect()
        except sqlite3.OperationalError as e:
            if ("locked" not in str(e) and "busy" not in str(e)) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _opened_to_read(path: Path) -> sqlite3.Connection:
    """Read-only; on a read-only medium WAL cannot make its index, so the file is taken as fixed."""
    name = f"file:{quote(str(path.absolute()))}?mode=ro"
    db = sqlite3.connect(name, uri=True, timeout=BUSY_SECONDS)
    try:
        db.execute("SELECT 1 FROM sqlite_schema").fetchone()
    except sqlite3.OperationalError:
        db.close()
        if path.with_name(path.name + "-wal").exists():
            raise  # entries may lie in the log: a fixed view would hide them
        db = sqlite3.connect(f"{name}&immutable=1", uri=True)
    return db
