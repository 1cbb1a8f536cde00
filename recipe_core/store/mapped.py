"""How is a large table there at once? As a second copy that is mapped into memory, not unpacked.

Parquet is small and the table of record; to unpack a million samples takes seconds and 600 MB. The
copy is the same table as an Arrow file: it opens in milliseconds, of its columns only those that
somebody asks for are ever read, and the system may drop them again. It bears the mark of the
Parquet file that it was made from; the copy of another one, or a damaged copy, is left aside.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pyarrow as pa

from recipe_core.store.workspace import read_table, replaced, write_table

MARK = b"recipe.copy_of"
ROWS = 2**20
"""Rows that lie together: texts of up to 2 KB each fit into one array of 2 GB."""
TAIL = 2**16
"""Bytes at a Parquet file's end that tell it from others: sizes, places and extremes of columns."""


def write_both(path: Path, table: pa.Table) -> None:
    """Writes the Parquet file, then the copy beside it, each in one step."""
    write_table(path, table)
    marked = table.replace_schema_metadata({**(table.schema.metadata or {}), MARK: _mark(path)})
    replaced(_copy(path), lambda p: _write(p, marked))


def read_either(path: Path) -> pa.Table:
    """The table of a Parquet file of ours, mapped where its copy is there.

    Raises WorkspaceError where there is no copy and the file is damaged.
    """
    try:
        return _mapped(path)
    except (OSError, KeyError, pa.ArrowException):
        return read_table(path)


def _write(path: Path, table: pa.Table) -> None:
    whole = table.unify_dictionaries()  # the format has one dictionary a column
    with pa.OSFile(str(path), "wb") as f, pa.ipc.new_file(f, whole.schema) as out:
        for start in range(0, len(whole), ROWS):
            out.write_table(whole.slice(start, ROWS).combine_chunks())


def _mapped(path: Path) -> pa.Table:
    """Raises OSError or ArrowException where it cannot be opened, KeyError for another's copy."""
    table = pa.ipc.open_file(pa.memory_map(str(_copy(path)))).read_all()
    metadata = dict(table.schema.metadata or {})
    if metadata.pop(MARK) != _mark(path):
        raise KeyError(path)
    return table.replace_schema_metadata(metadata or None)


def _copy(path: Path) -> Path:
    return path.with_suffix(".arrow")


def _mark(path: Path) -> bytes:
    """32 hex digits of the file's size and end."""
    with path.open("rb") as f:
        size = f.seek(0, os.SEEK_END)
        f.seek(max(0, size - TAIL))
        digest = hashlib.blake2b(f.read(), digest_size=16)
    digest.update(str(size).encode())
    return digest.hexdigest().encode()
