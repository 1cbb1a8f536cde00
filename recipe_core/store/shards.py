"""Which files have been measured already? Finished shards of a scan under way.

A shard is a Parquet file with `file`, `member`, `mtime_ns`, the pass's columns and where the
thumbnails lie. It is complete once it has its name. A scan that was killed leaves shards; the next
one reads them and goes on with the files that no shard has.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from recipe_core.store.thumbnails import PackWriter
from recipe_core.store.workspace import read_table, write_table

ROWS_PER_SHARD = 4096
SECONDS_PER_SHARD = 2.0
"""A kill costs at most this much work, and a million files make a few hundred shards."""


class ShardWriter:
    """Collects results of chunks and lands them as shards."""

    def __init__(self, folder: Path, pack: PackWriter) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._pack = pack
        self._waiting: list[pa.Table] = []
        self._rows = 0
        self._since = time.monotonic()
        self._next = 1 + max((int(p.stem) for p in folder.glob("[0-9]*.parquet")), default=-1)

    def add(self, table: pa.Table, thumbnails: Sequence[bytes]) -> None:
        """A chunk's rows and their thumbnails; lands a shard when enough has come together."""
        table = table.append_column("thumb_offset", pa.array(self._pack.append(thumbnails)))
        lengths = pa.array([len(t) for t in thumbnails], pa.int64())
        self._waiting.append(table.append_column("thumb_length", lengths))
        self._rows += table.num_rows
        old = time.monotonic() - self._since > SECONDS_PER_SHARD
        if self._rows >= ROWS_PER_SHARD or old:
            self.land()

    def land(self) -> None:
        """Writes what is waiting as one shard."""
        rows = self.waiting()
        if rows is not None:
            self._pack.flush()
            write_table(self._folder / f"{self._next:08d}.parquet", rows)
            self._next += 1
        self._waiting, self._rows, self._since = [], 0, time.monotonic()

    def waiting(self) -> pa.Table | None:
        """The rows that no shard has yet; None where there are none."""
        return pa.concat_tables(self._waiting) if self._waiting else None


def read_shards(folder: Path) -> pa.Table | None:
    """All rows of the finished shards, in the order they landed; None where there are none."""
    paths = sorted(folder.glob("[0-9]*.parquet"))
    return pa.concat_tables([read_table(p) for p in paths]) if paths else None


def clear_shards(folder: Path) -> None:
    """Forgets them: their rows are in the results now."""
    shutil.rmtree(folder, ignore_errors=True)
