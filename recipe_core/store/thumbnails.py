"""Where is the thumbnail of a row? In one pack file, at an offset that the sample table knows.

Appended by the one scan that holds the workspace's lock; bytes after the last offset that a shard
names are the leavings of a killed scan and harm nobody. When more than half is leavings, the pack
is written anew under the next number.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

LEAVINGS_ALLOWED = 64 * 2**20
"""Bytes of leavings that are not worth rewriting the pack for."""
AT_ONCE = 1024
"""Thumbnails held in memory when a pack is rewritten."""


class PackWriter:
    """Appends thumbnails to a pack."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")
        self._end = self._file.tell()

    def append(self, blobs: Sequence[bytes]) -> npt.NDArray[np.int64]:
        """Their offsets, (k,) int64; -1 for an empty one. The bytes reach the file on `flush`."""
        lengths = np.array([len(blob) for blob in blobs], np.int64)
        ends = self._end + np.cumsum(lengths)
        self._end += self._file.write(b"".join(blobs))
        return np.where(lengths > 0, ends - lengths, -1)

    def flush(self) -> None:
        """Hands everything to the operating system: call it before a shard names the offsets."""
        self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


class PackReader:
    """Reads thumbnails from a pack; safe to use from many threads."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as f:
            size = path.stat().st_size
            self._map = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) if size else None
        self._size = size

    def read(self, offset: int, length: int) -> bytes | None:
        """The bytes there; None where there is no thumbnail."""
        if self._map is None or offset < 0 or offset + length > self._size:
            return None
        return self._map[offset : offset + length]


def pack_path(folder: Path, number: int) -> Path:
    """The pack of that number."""
    return folder / f"thumbs-{number}.pack"


def worth_rewriting(path: Path, lengths: npt.NDArray[np.int64]) -> bool:
    """Whether more than half of the pack (and more than LEAVINGS_ALLOWED) is leavings."""
    size = path.stat().st_size if path.exists() else 0
    leavings = size - int(lengths.sum())
    return leavings > LEAVINGS_ALLOWED and leavings > size / 2


def rewritten(
    old: Path, new: Path, offsets: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Copies the thumbnails that are in use to a new pack, in row order; their new offsets."""
    reader = PackReader(old)
    new.unlink(missing_ok=True)
    writer = PackWriter(new)
    moved = np.empty(len(offsets), np.int64)
    try:
        for at in range(0, len(offsets), AT_ONCE):
            some = slice(at, at + AT_ONCE)
            places = zip(offsets[some].tolist(), lengths[some].tolist(), strict=True)
            moved[some] = writer.append([reader.read(o, n) or b"" for o, n in places])
    finally:
        writer.close()
    return moved
