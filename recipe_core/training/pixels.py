"""How is every picture decoded and resized once only? Its pixels are kept under its content.

    WORKSPACE/pixels/<size>-r<RULE>.bin    (3, size, size) uint8 of one picture after the other
    WORKSPACE/pixels/<size>-r<RULE>.keys   16 bytes for each: the content hash of its file

A picture that is in there is never decoded again, whatever is scanned, excluded or relabelled.
Both files only grow, pixels first: what a killed run left beyond the last key is cut off by the
next writer, who holds a lock.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from recipe_core.execution.executor import Executor, Job
from recipe_core.images.look import FileRef, read_bytes
from recipe_core.images.rgb import pixels as pixels_of
from recipe_core.kernel.errors import WorkspaceError
from recipe_core.kernel.progress import Progress

RULE = 1
"""Raise it when the same file would give other pixels."""
CHUNK = 32
SECONDS_PER_FILE = 30.0
KEY_BYTES = 16
MANY = 512
"""Pictures from which on worker processes pay for their start."""

Bytes = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Pixels:
    """The pixels of n pictures, in a file of the workspace.

    array  (m, 3, size, size) uint8, memory-mapped, read-only
    slots  (n,) int64 where in `array` each picture lies
    """

    array: Bytes
    slots: Indices

    def __len__(self) -> int:
        return len(self.slots)

    def take(self, indices: Indices) -> Bytes:
        """(k, 3, size, size) uint8 of these pictures, a copy."""
        return np.asarray(self.array[self.slots[indices]])


def decoded(
    files: Sequence[FileRef],
    keys: Sequence[str],
    size: int,
    folder: Path,
    executor: Executor,
    progress: Progress,
) -> tuple[Pixels, list[int]]:
    """The pixels of these files, decoding what the folder does not hold; and which have none.

    keys    content hash of each file (32 hex digits)
    folder  the workspace's `pixels`

    A picture that cannot be read any more has slot 0 and its index in the list. Raises
    WorkspaceError where the pixels cannot be stored, and whatever `progress` raises to stop.
    """
    store = _Store(folder, size)
    wanted = [bytes.fromhex(k) for k in keys]
    slots = store.slots()
    missing = [i for i, key in enumerate(wanted) if key not in slots]
    if missing:
        with _writing(folder), store.locked(progress):
            slots = store.slots()
            missing = [i for i, key in enumerate(wanted) if key not in slots]
            firsts = list({wanted[i]: i for i in reversed(missing)}.values())[::-1]
            store.append(_decode(files, firsts, size, executor), wanted, firsts, progress)
            slots = store.slots()
    place = np.array([slots.get(key, -1) for key in wanted], dtype=np.int64)
    gone = np.flatnonzero(place < 0).tolist()
    return Pixels(store.mapped(), np.maximum(place, 0)), gone


class _Store:
    """The two files of one picture size."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder, self.size = folder, size
        self.data = folder / f"{size}-r{RULE}.bin"
        self.keys = folder / f"{size}-r{RULE}.keys"
        self.record = 3 * size * size

    def _whole(self) -> int:
        """Pictures of which both the pixels and the key are there."""
        sizes = [p.stat().st_size if p.exists() else 0 for p in (self.data, self.keys)]
        return min(sizes[0] // self.record, sizes[1] // KEY_BYTES)

    def slots(self) -> dict[bytes, int]:
        n = self._whole()
        if not n:
            return {}
        raw = self.keys.read_bytes()[: n * KEY_BYTES]
        return {raw[KEY_BYTES * i : KEY_BYTES * (i + 1)]: i for i in range(n)}

    def mapped(self) -> Bytes:
        n = self._whole()
        shape = (n, 3, self.size, self.size)
        return np.memmap(self.data, np.uint8, "r", shape=shape) if n else np.zeros(shape, np.uint8)

    @contextlib.contextmanager
    def locked(self, progress: Progress) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            while not _taken(handle):
                progress("waiting for another run that decodes", 0, 0)
                time.sleep(0.2)
            yield
        finally:
            os.close(handle)

    def append(
        self, results: Generator[tuple[list[int], Bytes | None], None, None],
        keys: Sequence[bytes], wanted: Sequence[int], progress: Progress,
    ) -> None:  # fmt: skip
        n, done = self._whole(), 0
        progress("decoding pictures", 0, len(wanted))
        with (
            contextlib.closing(results),
            self.data.open("ab") as data,
            self.keys.open("ab") as names,
        ):
            data.truncate(n * self.record)
            names.truncate(n * KEY_BYTES)
            for indices, found in results:
                if found is not None:
                    data.write(found.tobytes())
                    data.flush()
                    names.write(b"".join(keys[i] for i in indices))
                    names.flush()
                done += len(indices)
                progress("decoding pictures", done, len(wanted))


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as e:
        if e.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            raise
        return False
    return True


def _decode(
    files: Sequence[FileRef], wanted: Sequence[int], size: int, executor: Executor
) -> Generator[tuple[list[int], Bytes | None], None, None]:
    """(indices, their pixels) as they come; None for the one picture that cannot be read."""
    items = [FileRef(i, files[i].file, files[i].member) for i in wanted]
    chunks = (items[k : k + CHUNK] for k in range(0, len(items), CHUNK))
    job: Job[FileRef, Bytes] = Job(partial(_pixels, size=size), SECONDS_PER_FILE, ("pandas",))
    with contextlib.closing(executor.map(job, chunks)) as outcomes:
        for outcome in outcomes:
            yield [f.row for f in outcome.items], outcome.result


def _pixels(files: Sequence[FileRef], beat: Callable[[int], None], *, size: int) -> Bytes:
    found = np.empty((len(files), 3, size, size), np.uint8)
    for i, file in enumerate(files):
        beat(i)
        found[i] = pixels_of(read_bytes(file), size)
    return found


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        full = e.errno in (errno.ENOSPC, errno.EDQUOT)
        why = "the disk is full; free some space" if full else str(e.strerror or e)
        raise WorkspaceError(f"The pixels cannot be kept in {folder}: {why}.") from e
