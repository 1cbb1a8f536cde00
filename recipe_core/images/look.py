"""What does a worker do with a chunk of files? Read, decode and measure each of them once.

Decoding goes file by file; what follows is computed for all pictures of one (small) size at once.
A file's row does not depend, to the last bit, on which other files are in the chunk.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import simplejpeg
from blake3 import blake3

from recipe_core.images.columns import PASS_FIELDS
from recipe_core.images.copy_keys import carrying, key_bytes
from recipe_core.images.gamut import clipped_areas, gamut_damage, may_hold_impossible_colours
from recipe_core.images.hashes import Source, coefficients, dhash, phash_and_turned
from recipe_core.images.likeness import SIDE, squares
from recipe_core.images.opened import LOSSY, opened
from recipe_core.images.picture import Opened
from recipe_core.images.statistics import LOSSLESS_GREY, LOSSY_GREY, luma, measured
from recipe_core.images.thumbnails import planes_of

ROW_FIELDS = pa.schema([("row", pa.int64()), *PASS_FIELDS])
_NAMES, _KINDS = ROW_FIELDS.names, ROW_FIELDS.types
BYTES_LIMIT = 2_000_000_000
"""Bytes of a file above which it is not read (`bomb`): a worker's memory is bounded."""
CONTENT_BYTES = 16
"""Of BLAKE3: no two different files share so many, not even on purpose; 6 × faster than BLAKE2b."""
TOGETHER = 8
"""Pictures measured at once: their arrays stay in a core's second-level cache."""
DOUBTFUL = "doubtful"
"""Key of a row, and no column: whether its colours may tell of damage (gamut.py)."""

_COLOUR_MODES = frozenset({"RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV", "RGBa"})


def warm_up() -> None:
    """Does once what the first picture of a process would wait for, about 20 ms of imports."""
    pattern = np.arange(320 * 240 * 3, dtype=np.uint32) * 7 // 5 % 251
    data = simplejpeg.encode_jpeg(pattern.astype(np.uint8).reshape(240, 320, 3), 80)
    seen = opened(data, "jpg")
    rows = [dict(seen.facts) for _ in range(TOGETHER)]
    shown = dict(_measure(dict.fromkeys(range(TOGETHER), seen), rows))
    key_bytes(_stacked(shown))
    _table(rows)
    gamut_damage(data)


@dataclass(frozen=True)
class FileRef:
    """One file of a data set.

    row     the sample's row
    file    absolute path as os.fsencode gives it
    member  row of an embedded picture in a Parquet container, else None
    """

    row: int
    file: bytes
    member: int | None = None


@dataclass(frozen=True)
class Look:
    """What was seen in a chunk of files, in their order.

    table       `row` and PASS_FIELDS
    thumbnails  JPEG per table row, b"" where there is none
    """

    table: pa.Table
    thumbnails: list[bytes]

    def __reduce__(self) -> tuple[Callable[[bytes, list[bytes]], Look], tuple[bytes, list[bytes]]]:
        # a pickled table is a pickled column 40 times over, and takes 30 × as long
        (batch,) = self.table.combine_chunks().to_batches()
        return _received, (bytes(batch.serialize()), self.thumbnails)


def _received(batch: bytes, thumbnails: list[bytes]) -> Look:
    rows = pa.ipc.read_record_batch(pa.py_buffer(batch), ROW_FIELDS)
    return Look(pa.Table.from_batches([rows]), thumbnails)


class _TooLarge(Exception):
    """A file beyond BYTES_LIMIT."""


def look(files: Sequence[FileRef], beat: Callable[[int], None]) -> Look:
    """The chunk's rows and thumbnails; no file makes it raise, but a decoder may crash or hang.

    beat(i) is called right before the bytes of files[i] are read and decoded; once more for those
    whose colours need a second look.
    """
    rows: list[dict[str, Any]] = []
    thumbnails: list[bytes] = []
    shown: dict[int, npt.NDArray[np.float32]] = {}
    waiting: dict[tuple[float, float], dict[int, Opened]] = {}
    for i, file in enumerate(files):
        beat(i)
        seen = _one(file)
        rows.append({"row": file.row, **seen.facts})
        thumbnails.append(seen.thumbnail)
        if seen.pixels is not None:
            alike = waiting.setdefault(seen.size, {})
            alike[i] = seen
            if len(alike) == TOGETHER:  # while they still are in the cache
                shown.update(_measure(waiting.pop(seen.size), rows))
    for alike in waiting.values():
        shown.update(_measure(alike, rows))
    for i, row in enumerate(rows):
        if row.get(DOUBTFUL):
            beat(i)
            row.update(_impossible_colours(files[i]))
    for i, key in zip(shown, key_bytes(_stacked(shown)), strict=True):
        thumbnails[i] = carrying(thumbnails[i], key)
    return Look(_table(rows), thumbnails)


def _stacked(shown: dict[int, npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    return np.stack([*shown.values()]) if shown else np.empty((0, SIDE, SIDE), np.float32)


def lost(file: FileRef, error: str, detail: str) -> Look:
    """The one row of a file whose decoder crashed or hung: `error` is "crashed" or "timeout"."""
    row = {"row": file.row, "extension": extension_of(file), "error": error, "error_detail": detail}
    try:
        row["file_size"] = (
            Path(os.fsdecode(file.file)).stat().st_size if file.member is None else None
        )
    except OSError:
        row["file_size"] = None
    return Look(_table([row | {"warning": ""}]), [b""])


def _one(file: FileRef) -> Opened:
    extension = extension_of(file)
    try:
        data = read_bytes(file)
    except Exception as e:
        return Opened(
            {"extension": extension, "error": _unread(e), "error_detail": str(e), "warning": ""}
        )
    seen = opened(data, extension)
    seen.facts.update(
        content_hash=blake3(data).hexdigest(length=CONTENT_BYTES),
        file_size=len(data),
        extension=extension,
    )
    return seen


def _unread(error: Exception) -> str:
    if isinstance(error, _TooLarge):
        return "bomb"
    gone = (FileNotFoundError, NotADirectoryError, IndexError)
    return "missing" if isinstance(error, gone) else "unreadable"


def extension_of(file: FileRef) -> str:
    """Lower case, without the dot; of the name inside the container where there is one."""
    name = file.file
    if file.member is not None:
        try:
            name = os.fsencode(_member(file.file, file.member)["path"] or "")
        except Exception:
            name = b""
    return os.path.splitext(name)[1][1:].lower().decode("utf-8", "replace")  # noqa: PTH122


def read_bytes(file: FileRef) -> bytes:
    """The bytes of a file, or of the picture embedded in a container.

    Raises OSError where it cannot be read, IndexError for a member that is not there.
    """
    if file.member is None:
        return _contents(file.file)
    cell = _member(file.file, file.member)
    if cell["bytes"] is not None:
        return bytes(cell["bytes"])
    if not cell["path"]:
        raise FileNotFoundError(f"row {file.member} of the container holds no picture")
    return _contents(os.path.join(os.path.dirname(file.file), os.fsencode(cell["path"])))  # noqa: PTH120


def _contents(path: bytes) -> bytes:
    # a named pipe in a data set must not block the worker
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        state = os.fstat(number)
        if not stat.S_ISREG(state.st_mode):
            raise OSError("this is not a regular file")
        if state.st_size > BYTES_LIMIT:
            raise _TooLarge(
                f"{state.st_size / 1e9:.1f} GB are more than the limit of {BYTES_LIMIT / 1e9:.1f}"
            )
        return _all_of(number, state.st_size)
    finally:
        os.close(number)


def _all_of(number: int, size: int) -> bytes:
    first = os.read(number, size + 1)
    if len(first) == size:
        return first
    parts = [first]
    while parts[-1] and sum(map(len, parts)) <= BYTES_LIMIT:
        parts.append(os.read(number, 1 << 24))
    return b"".join(parts)


def _member(path: bytes, row: int) -> dict[str, Any]:
    """{"bytes", "path"} of a row of a Parquet file with pictures (Hugging Face's Image)."""
    state = Path(os.fsdecode(path)).stat()
    starts = _starts(path, state.st_mtime_ns, state.st_size)
    if not 0 <= row < starts[-1]:
        raise IndexError(f"the container has {starts[-1]} rows, none with the number {row}")
    group = int(np.searchsorted(starts, row, side="right")) - 1
    cell = _group(path, state.st_mtime_ns, state.st_size, group)[row - int(starts[group])].as_py()
    if isinstance(cell, dict):
        return {"bytes": cell.get("bytes"), "path": cell.get("path")}
    return {"bytes": cell, "path": None}


@lru_cache(maxsize=16)
def _starts(path: bytes, changed: int, size: int) -> npt.NDArray[np.int64]:
    """First row of every row group, and the number of rows at the end."""
    import pyarrow.parquet as pq  # most data sets are plain files: a worker starts without it

    with pq.ParquetFile(os.fsdecode(path)) as container:
        counts = [container.metadata.row_group(k).num_rows for k in range(container.num_row_groups)]
    return np.cumsum([0, *counts])


@lru_cache(maxsize=1)
def _group(path: bytes, changed: int, size: int, group: int) -> pa.Array:
    import pyarrow.parquet as pq

    with pq.ParquetFile(os.fsdecode(path)) as container:
        name = _picture_column(container.schema_arrow)
        table = container.read_row_group(group, columns=[name], use_threads=False)
    return table[name].combine_chunks() if table[name].num_chunks > 1 else table[name].chunk(0)


def _picture_column(schema: pa.Schema) -> str:
    """The column `image`, else the first with a `bytes` field, else the first of bytes."""
    if "image" in schema.names:
        return "image"
    for f in schema:
        if pa.types.is_struct(f.type) and f.type.get_field_index("bytes") >= 0:
            return str(f.name)
    for f in schema:
        if pa.types.is_binary(f.type) or pa.types.is_large_binary(f.type):
            return str(f.name)
    raise FileNotFoundError("the container has no column with pictures")


def _measure(
    alike: dict[int, Opened], rows: list[dict[str, Any]]
) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """Writes statistics and hashes of pictures of one size into their rows; their squares."""
    pixels = [s.pixels for s in alike.values() if s.pixels is not None]
    fine = [s.fine for s in alike.values() if s.fine is not None]
    planes = planes_of(pixels)
    y = luma(planes)
    numbers = measured(planes, y)
    same = all(f is p for f, p in zip(fine, pixels, strict=True))
    grey = (y if same else luma(planes_of(fine))).astype(np.float32)
    source = Source(grey, *next(iter(alike.values())).size)
    perceptual = phash_and_turned(coefficients(source)).tolist()
    differences = dhash(source).tolist()
    spread = numbers.pop("chroma_spread")
    columns = {name: values.tolist() for name, values in numbers.items()}
    clipped = clipped_areas(planes).tolist()
    for k, i in enumerate(alike):
        rows[i].update({name: values[k] for name, values in columns.items()})
        first, *turned = perceptual[k]
        rows[i].update(phash=first, phash_turned=turned, dhash=differences[k])
        rows[i]["grey_in_rgb"] = _grey(rows[i], float(spread[k]))
        rows[i][DOUBTFUL] = clipped[k] and may_hold_impossible_colours(rows[i])
    return zip(alike, squares(grey), strict=True)


def _impossible_colours(file: FileRef) -> dict[str, Any]:
    try:  # seldom: the bytes, which may be many megabytes, are read again rather than kept
        return gamut_damage(read_bytes(file))
    except Exception:  # gone or changed meanwhile
        return {}


def _grey(row: dict[str, Any], spread: float) -> bool:
    tolerance = LOSSY_GREY if row.get("format") in LOSSY else LOSSLESS_GREY
    return row.get("mode") in _COLOUR_MODES and spread <= tolerance


def _table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    columns = [[row.get(name) for row in rows] for name in _NAMES]
    arrays = [
        pa.array(values, kind, from_pandas=True)
        for values, kind in zip(columns, _KINDS, strict=True)
    ]
    return pa.table(arrays, ROW_FIELDS)
