"""Which rows does this SQL expression mean? DuckDB over the sample table, read-only and shut in."""

from __future__ import annotations

import threading

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recipe_core.kernel.errors import Misuse, UnknownName

INTERNAL = ("file", "member", "phash_turned", "thumb_offset", "thumb_length", "mtime_ns")
"""Columns that hold our own bookkeeping: not shown, not queried."""


class SampleQuery:
    """Answers filters and sorts over one sample table; safe to use from many threads.

    The connection cannot read or write files and cannot be reconfigured.
    """

    def __init__(self, table: pa.Table) -> None:
        visible = [c for c in table.column_names if c not in INTERNAL]
        self.columns = tuple(visible)
        numbered = table.select(visible).append_column(
            "_row", pa.array(np.arange(table.num_rows, dtype=np.int64))
        )
        self._connection = duckdb.connect(":memory:")
        self._connection.register("given", numbered)
        self._connection.execute("create table samples as select * from given")
        self._connection.unregister("given")
        self._connection.execute("set enable_external_access = false")
        self._connection.execute("set lock_configuration = true")
        self._n = table.num_rows
        self._lock = threading.Lock()

    def rows(
        self, where: str = "", sort: str = "", *, descending: bool = False, limit: int | None = None
    ) -> npt.NDArray[np.int64]:
        """(k,) int64 row numbers that satisfy `where`, in table order or sorted by a column.

        where   SQL expression over the columns; '' means all
        sort    column name; 'col' ascending, '-col' descending too
        Raises Misuse with DuckDB's words for a bad expression, UnknownName for a bad column.
        """
        if sort.startswith("-"):
            sort, descending = sort[1:], True
        if sort and sort not in self.columns:
            raise UnknownName("column", sort, self.columns)
        order = f'"{sort}" {"desc" if descending else "asc"} nulls last, ' if sort else ""
        bound = f" limit {int(limit)}" if limit is not None else ""
        text = f"select _row from samples where (\n{where or 'true'}\n) order by {order}_row{bound}"
        try:
            self._refuse_other_statements(where, text)
            with self._lock:
                cursor = self._connection.cursor()
            found = np.asarray(cursor.execute(text).fetchnumpy()["_row"], dtype=np.int64)
        except duckdb.Error as e:
            raise Misuse(f"The expression {where!r} does not work: {_first_line(e)}") from None
        if len(found) > self._n or (len(found) and not 0 <= found.min() <= found.max() < self._n):
            raise Misuse(f"{where!r} is not an expression about the rows of the sample table.")
        return found

    def _refuse_other_statements(self, where: str, text: str) -> None:
        statements = duckdb.extract_statements(text)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise Misuse(
                f"{where!r} is not one SQL expression over the columns of the sample table."
            )


def _first_line(e: Exception) -> str:
    return str(e).strip().split("\n\n")[0].split("\nLINE")[0]
