"""Which filters did someone give a name? One SQLite file, so that two tabs do not lose any."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from recipe_core.kernel.errors import Misuse
from recipe_core.store.database import told

BUSY_SECONDS = 30.0
LONGEST_NAME = 200

_SCHEMA = """CREATE TABLE IF NOT EXISTS views
    (name TEXT PRIMARY KEY, filter TEXT NOT NULL, sort TEXT NOT NULL) WITHOUT ROWID"""


class Views:
    """Named pairs of texts (a filter, an order); the file is made by the first one saved.

    Every call opens its own connection, so an object may be shared between threads.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def all(self) -> dict[str, tuple[str, str]]:
        """name -> (filter, order), by name. Raises WorkspaceError, WorkspaceBusy."""
        if not self.path.exists():
            return {}
        with self._connected() as db:
            found = db.execute("SELECT name, filter, sort FROM views ORDER BY name").fetchall()
        return {name: (chosen, order) for name, chosen, order in found}

    def save(self, name: str, chosen: str, order: str) -> None:
        """Keeps it under the name, in place of an earlier one. Raises Misuse, WorkspaceError."""
        name = name.strip()
        if not name or len(name) > LONGEST_NAME:
            raise Misuse(f"A view needs a name of 1 to {LONGEST_NAME} characters.")
        with self._connected() as db:
            db.execute("INSERT OR REPLACE INTO views VALUES (?, ?, ?)", (name, chosen, order))

    def forget(self, name: str) -> bool:
        """Deletes it; whether there was one."""
        if not self.path.exists():
            return False
        with self._connected() as db:
            return db.execute("DELETE FROM views WHERE name = ?", (name.strip(),)).rowcount > 0

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        with (
            told(self.path, "Views"),
            closing(sqlite3.connect(self.path, timeout=BUSY_SECONDS)) as db,
            db,
        ):
            db.execute(_SCHEMA)
            yield db
