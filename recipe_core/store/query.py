"""Which rows does this SQL expression mean? DuckDB over the sample table, read-only and shut in."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recipe_core.kernel.errors import Misuse, UnknownName

INTERNAL = ("file", "member", "phash_turned", "thumb_offset", "thumb_length", "mtime_ns")
"""Columns that hold our own bookkeeping: not shown, not queried."""
MOST_SECONDS = 20.0
MEMORY = "1GB"
"""What one expression may take: expressions come with links, and the server answers others too."""
FOREIGN = ("TABLE_FUNCTION", "SHOW_REF", "COLUMN_DATA", "DELIM_GET", "BOUND_TABLE_REF")
"""Things to select from, in DuckDB's syntax tree, that are not the sample table."""


class SampleQuery:
    """Answers filters and sorts over one sample table; safe to use from many threads.

    DuckDB reads the Arrow table where it lies: nothing is held twice. The connection cannot read or
    write files and cannot be reconfigured; an expression reaches no table but `samples`.
    """

    def __init__(self, table: pa.Table) -> None:
        visible = [c for c in table.column_names if c not in INTERNAL]
        self.columns = tuple(visible)
        self._table = table.select(visible).append_column(
            "_row", pa.array(np.arange(table.num_rows, dtype=np.int64))
        )
        self._connection = duckdb.connect(":memory:")
        for setting in (
            f"memory_limit = '{MEMORY}'", "python_enable_replacements = false",
            "enable_external_access = false", "lock_configuration = true",
        ):  # fmt: skip
            self._connection.execute(f"set {setting}")
        self._n = table.num_rows
        self._lock = threading.Lock()

    def rows(
        self, where: str = "", sort: str = "", *, descending: bool = False, limit: int | None = None
    ) -> npt.NDArray[np.int64]:
        """(k,) int64 row numbers that satisfy `where`, in table order or sorted by a column.

        where   SQL expression over the columns; '' means all
        sort    column name; 'col' ascending, '-col' descending too
        Raises Misuse with DuckDB's words for a bad expression or one that takes longer than
        MOST_SECONDS, UnknownName for a bad column.
        """
        if sort.startswith("-"):
            sort, descending = sort[1:], True
        if sort and sort not in self.columns:
            raise UnknownName("column", sort, self.columns)
        name = '"' + sort.replace('"', '""') + '"'
        order = f"{name} {'desc' if descending else 'asc'} nulls last, " if sort else ""
        bound = f" limit {int(limit)}" if limit is not None else ""
        text = f"select _row from samples where (\n{where or 'true'}\n) order by {order}_row{bound}"
        try:
            found = self._answered(where, text)
        except duckdb.InterruptException:
            raise Misuse(f"{where!r} takes longer than {MOST_SECONDS:g} seconds.") from None
        except (duckdb.Error, UnicodeEncodeError, TypeError) as e:
            raise Misuse(f"The expression {where!r} does not work: {_first_words(e)}") from None
        if len(found) > self._n or (len(found) and not 0 <= found.min() <= found.max() < self._n):
            raise Misuse(f"{where!r} is not an expression about the rows of the sample table.")
        return found

    def _answered(self, where: str, text: str) -> npt.NDArray[np.int64]:
        with self._cursor() as cursor:
            self._refuse_other_statements(cursor, where, text)
            cursor.register("samples", self._table)
            with _at_most(MOST_SECONDS, cursor):
                answer = cursor.execute(text).fetchnumpy()
        return np.ma.filled(answer["_row"], -1).astype(np.int64)

    @contextlib.contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._lock:
            cursor = self._connection.cursor()
        try:
            yield cursor
        finally:
            cursor.close()

    def _refuse_other_statements(
        self, cursor: duckdb.DuckDBPyConnection, where: str, text: str
    ) -> None:
        statements = duckdb.extract_statements(text)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise Misuse(
                f"{where!r} is not one SQL expression over the columns of the sample table."
            )
        (tree,) = cursor.execute("select json_serialize_sql(?::varchar)", [text]).fetchall()[0]
        foreign = sorted(set(_foreign(json.loads(tree))))
        if foreign:
            raise Misuse(f"{where!r} may select from samples only, not from {foreign[0]}.")


@contextlib.contextmanager
def _at_most(seconds: float, cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Interrupts what the cursor does after so long."""
    timer = threading.Timer(seconds, cursor.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _foreign(node: Any) -> Iterator[str]:
    """What a syntax tree (json_serialize_sql) selects from beside `samples`.

    Table functions read files and settings, some take raw pointers: none is let through.
    """
    if isinstance(node, list):
        for part in node:
            yield from _foreign(part)
    elif isinstance(node, dict):
        kind = node.get("type")
        if kind == "BASE_TABLE" and str(node.get("table_name", "?")).lower() != "samples":
            yield f"the table {node.get('table_name')!r}"
        elif kind in FOREIGN:
            function = node.get("function")
            yield str(function.get("function_name") if isinstance(function, dict) else kind)
        for part in node.values():
            yield from _foreign(part)


def _first_words(e: Exception) -> str:
    said = str(e).strip().split("\n\n")[0].split("\nLINE")[0]
    return said.replace("\n", " ")  # a problem is one paragraph
