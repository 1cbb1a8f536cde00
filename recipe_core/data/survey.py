"""What is in the files? The one pass over a data set: measure what is new, keep what is known.

    plan      which files have no row for their (size, mtime) yet
    measure   chunks of them go to the engine; results land as shards
    merge     one table, a row per sample in the data set's order

The table does not depend on the engine, the number of workers, or how often the scan was killed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from recipe_core.execution.executor import Done, Executor, Job
from recipe_core.images.columns import PASS_FIELDS, PASS_VERSION
from recipe_core.images.look import FileRef, Look, look, lost
from recipe_core.kernel.nouns import Dataset
from recipe_core.kernel.progress import Progress, silent
from recipe_core.store.shards import ShardWriter, clear_shards, read_shards
from recipe_core.store.thumbnails import (
    PackReader,
    PackWriter,
    pack_path,
    rewritten,
    worth_rewriting,
)
from recipe_core.store.workspace import Workspace, read_table, writing

CHUNK = 64
"""Files per chunk: enough to compute in blocks, few enough that a crash costs little."""
LEAST = 16
"""Files of the last chunks."""
SECONDS_PER_FILE = 30.0
"""A 100-megapixel TIFF takes a few seconds; what takes longer than this hangs."""
NOT_NEEDED = ("pandas",)
"""See execution/without.py."""
ASK_AGAIN = ("missing", "unreadable")
"""Errors of the moment: such a file is opened again by the next scan though it has not changed."""

MEASURED = pa.schema([
    ("mtime_ns", pa.int64()), *PASS_FIELDS,
    ("thumb_offset", pa.int64()), ("thumb_length", pa.int64()),
])  # fmt: skip


@dataclass(frozen=True)
class Survey:
    """What a pass has brought.

    samples   the data set's columns, then MEASURED, one row per sample
    pack      the number of the thumbnail pack that the offsets refer to
    n_opened  files opened by this scan (0 when nothing has changed)
    n_kept    files known from earlier scans
    """

    samples: pa.Table
    pack: int
    n_opened: int
    n_kept: int


def survey(
    dataset: Dataset, workspace: Workspace, executor: Executor, progress: Progress,
    meanwhile: Callable[[], object],
) -> Survey:  # fmt: skip
    """Measures every file of the data set that is not known yet.

    meanwhile  is called when the workers have begun to read, where they do

    Raises WorkspaceError when results cannot be stored, Cancelled (or KeyboardInterrupt) when it is
    stopped; what was measured until then is kept and the next call goes on from there.
    """
    files = _files_of(dataset, progress)
    pack = _pack_number(workspace)
    known = _known_rows(workspace, dataset.root, pack)
    place = _places(files, known)
    todo = np.flatnonzero(place < 0)
    with writing(workspace):
        last = _measure(files, todo, workspace, pack, executor, progress, meanwhile)
        if len(todo):
            known = _known_rows(workspace, dataset.root, pack, last)
            place = _places(files, known, trust_all=True)
        measured = known.select(MEASURED.names).take(pa.array(place[files.of_sample]))
        samples = _joined(dataset.samples, measured)
        samples, pack = _without_leavings(samples, workspace, pack)
    return Survey(samples, pack, len(todo), len(files.keys) - len(todo))


# -- plan ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Files:
    """The distinct files (or embedded pictures) behind the samples.

    keys       (m,) binary: file name bytes, and the member where there is one
    of_sample  (n,) which of them each sample is
    sizes, mtimes  (m,) from stat, -1 where there is no such file
    """

    root: bytes
    keys: pa.Array
    names: pa.Array
    members: pa.Array
    of_sample: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    mtimes: npt.NDArray[np.int64]

    def refs(self, chosen: npt.NDArray[np.int64]) -> list[FileRef]:
        """Where the workers find these."""
        which = pa.array(chosen)
        paths = _paths(self.root, self.names.take(which))
        members = self.members.take(which).to_pylist()
        return [*map(FileRef, chosen.tolist(), paths, members)]


def _files_of(dataset: Dataset, progress: Progress) -> _Files:
    names = _file_names(dataset.samples)
    encoded = _keys(names, dataset.samples["member"]).combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = (
            encoded.chunk(0)
            if encoded.num_chunks
            else pa.array([], pa.binary()).dictionary_encode()
        )
    of_sample = encoded.indices.to_numpy().astype(np.int64)
    m = len(encoded.dictionary)
    first = np.full(m, len(of_sample), dtype=np.int64)
    np.minimum.at(first, of_sample, np.arange(len(of_sample)))
    names = names.take(pa.array(first)).combine_chunks()
    members = dataset.samples["member"].take(pa.array(first)).combine_chunks()
    root = os.fsencode(dataset.root)
    sizes, mtimes = _stat(root, names, progress)
    return _Files(root, encoded.dictionary, names, members, of_sample, sizes, mtimes)


def _file_names(samples: pa.Table) -> pa.ChunkedArray:
    """File name bytes below the root; `path` stands in where `file` is null (nouns.py)."""
    return pc.coalesce(samples["file"], pc.cast(samples["path"], pa.binary()))


def _keys(names: pa.ChunkedArray, members: pa.ChunkedArray) -> pa.ChunkedArray:
    """One binary key per file; a member's number follows a NUL, which no file name can hold."""
    number = pc.cast(pc.cast(members, pa.string()), pa.binary())
    tail = pc.binary_join_element_wise(pa.scalar(b"\0"), number, pa.scalar(b""))
    return pc.binary_join_element_wise(names, pc.coalesce(tail, pa.scalar(b"")), pa.scalar(b""))


def _stat(root: bytes, names: pa.Array, progress: Progress) -> tuple[npt.NDArray[np.int64], ...]:
    n = len(names)
    sizes, mtimes = np.full(n, -1, dtype=np.int64), np.full(n, -1, dtype=np.int64)
    last, seen = None, (-1, -1)
    for i, path in enumerate(_paths(root, names)):
        if i % 20_000 == 0:
            progress("looking for changes", i, n)
        if path != last:
            last, seen = path, _size_and_mtime(path)
        sizes[i], mtimes[i] = seen
    return sizes, mtimes


def _paths(root: bytes, names: pa.Array) -> Iterator[bytes]:
    """Where these files are. os.path.join takes as long as a stat."""
    prefix = os.path.join(root, b"")
    return (name if name[:1] == b"/" else prefix + name for name in names.to_pylist())


def _size_and_mtime(path: bytes) -> tuple[int, int]:
    try:
        s = os.stat(path)
    except (OSError, ValueError):
        return -1, -1
    return s.st_size, s.st_mtime_ns


# -- what earlier scans know -------------------------------------------------------------------


def _known_rows(
    workspace: Workspace, root: Path, pack: int, last: pa.Table | None = None
) -> pa.Table:
    """Rows of the results in force, of finished shards and those that came last, with their `key`;
    the newest stand last."""
    stored = _from_results(workspace, root), _from_shards(workspace, root)
    pieces = [p for p in (*stored, last) if p]
    wanted = pa.schema([("key", pa.binary()), *MEASURED])
    if not pieces:
        return wanted.empty_table()
    rows = pa.concat_tables([p.select(wanted.names).cast(wanted) for p in pieces])
    end = pc.add(rows["thumb_offset"], rows["thumb_length"]).to_numpy()
    path = pack_path(workspace.path, pack)
    size = path.stat().st_size if path.exists() else 0
    return rows.filter(pa.array(end <= size)) if (end > size).any() else rows


def _from_results(workspace: Workspace, root: Path) -> pa.Table | None:
    folder = workspace.current()
    if folder is None or not (folder / "samples.parquet").exists():
        return None
    rows = read_table(folder / "samples.parquet")
    if rows.schema.metadata.get(b"recipe.pass") != _stamp(root):
        return None
    return rows.append_column("key", _keys(_file_names(rows), rows["member"]))


def _from_shards(workspace: Workspace, root: Path) -> pa.Table | None:
    return read_shards(_shard_folder(workspace, root))


def _shard_folder(workspace: Workspace, root: Path) -> Path:
    return workspace.shards / _stamp(root).decode()


def _stamp(root: Path) -> bytes:
    """Rows measured under another root or by another version of the pass are not reused."""
    digest = hashlib.blake2b(os.fsencode(root), digest_size=8).hexdigest()
    return f"pass{PASS_VERSION}-{digest}".encode()


def _pack_number(workspace: Workspace) -> int:
    numbers = [int(p.stem.split("-")[1]) for p in workspace.path.glob("thumbs-[0-9]*.pack")]
    folder = workspace.current()
    if folder is not None and (folder / "samples.parquet").exists():
        import pyarrow.parquet as pq  # a first scan has its files listed and handed out without it

        stored = pq.read_schema(folder / "samples.parquet").metadata or {}
        return int(stored.get(b"recipe.pack", b"0"))
    return max(numbers, default=0)


def _places(
    files: _Files, known: pa.Table, *, trust_all: bool = False, forgive_errors: bool = False
) -> npt.NDArray[np.int64]:
    """(m,) the row of `known` that still describes each file, -1 where it must be opened."""
    if not known.num_rows:
        return np.full(len(files.keys), -1, dtype=np.int64)
    from_end = known.num_rows - 1
    backwards = known["key"].combine_chunks()[::-1]
    found = pc.fill_null(pc.index_in(files.keys, value_set=backwards), -1)
    place = np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.int64)
    place = np.where(place >= 0, from_end - place, -1)
    if trust_all:
        return place
    same = known["mtime_ns"].to_numpy()[place] == files.mtimes
    if files.members.null_count == len(files.members):
        sizes = pc.fill_null(known["file_size"], -1).to_numpy()
        same &= sizes[place] == files.sizes
    if not forgive_errors:
        same &= ~np.isin(known["error"].to_numpy(zero_copy_only=False), ASK_AGAIN)[place]
    return np.where((place >= 0) & same, place, -1)


@dataclass(frozen=True)
class Changes:
    """How the files differ from what the stored results were made from."""

    added: int
    removed: int
    changed: int

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def changes(now: Dataset, stored: pa.Table) -> Changes:
    """Compares names, sizes and times with a stored sample table; opens no picture."""
    files = _files_of(now, silent)
    known = stored.append_column("key", _keys(_file_names(stored), stored["member"]))
    there = _places(files, known, trust_all=True) >= 0
    same = _places(files, known, forgive_errors=True) >= 0
    kept = pc.is_in(known["key"].combine_chunks().unique(), value_set=files.keys)
    removed = len(kept) - (pc.sum(kept).as_py() or 0)
    return Changes(int((~there).sum()), removed, int((there & ~same).sum()))


# -- measure -----------------------------------------------------------------------------------


def _measure(
    files: _Files, todo: npt.NDArray[np.int64], workspace: Workspace, pack: int,
    executor: Executor, progress: Progress, meanwhile: Callable[[], object],
) -> pa.Table | None:  # fmt: skip
    """Has the files looked at, as shards; what came last, of which no shard is made any more."""
    if not len(todo):
        return None
    writer = PackWriter(pack_path(workspace.path, pack))
    shards = ShardWriter(_shard_folder(workspace, Path(os.fsdecode(files.root))), writer)
    total, done = len(files.keys), len(files.keys) - len(todo)
    progress("reading images", done, total)
    job: Job[FileRef, Look] = Job(look, SECONDS_PER_FILE, without=NOT_NEEDED)
    try:
        with contextlib.closing(executor.map(job, _chunks(files, todo))) as outcomes:
            meanwhile()
            for result in map(_result, outcomes):
                shards.add(_with_keys(result.table, files), result.thumbnails)
                done += result.table.num_rows
                progress("reading images", done, total)
    except BaseException:
        shards.land()
        raise
    finally:
        writer.close()
    return shards.waiting()


def _result(outcome: Done[FileRef, Look]) -> Look:
    if outcome.result is not None:
        return outcome.result
    error = "timeout" if outcome.failure == "timeout" else "crashed"
    return lost(outcome.items[0], error, outcome.detail)


def _chunks(files: _Files, todo: npt.NDArray[np.int64]) -> Iterator[Sequence[FileRef]]:
    """CHUNK files each; towards the end fewer, so that no worker waits long for the last one."""
    at = 0
    while at < len(todo):
        size = min(CHUNK, max(LEAST, (len(todo) - at) // 8))
        yield files.refs(todo[at : at + size])
        at += size


def _with_keys(table: pa.Table, files: _Files) -> pa.Table:
    rows = table["row"].to_numpy()
    return (
        table.drop_columns(["row"])
        .append_column("key", files.keys.take(pa.array(rows)))
        .append_column("mtime_ns", pa.array(files.mtimes[rows]))
    )


# -- merge -------------------------------------------------------------------------------------


def _joined(samples: pa.Table, measured: pa.Table) -> pa.Table:
    for name in measured.column_names:
        samples = samples.append_column(measured.schema.field(name), measured[name])
    return samples


def _without_leavings(samples: pa.Table, workspace: Workspace, pack: int) -> tuple[pa.Table, int]:
    """The table and its pack's number; the pack is written anew where it is mostly leavings."""
    offsets = samples["thumb_offset"].to_numpy()
    lengths = samples["thumb_length"].to_numpy()
    old = pack_path(workspace.path, pack)
    if not worth_rewriting(old, lengths):
        return samples, pack
    moved = rewritten(old, pack_path(workspace.path, pack + 1), offsets, lengths)
    i = samples.column_names.index("thumb_offset")
    return samples.set_column(i, "thumb_offset", pa.array(moved)), pack + 1


def stamped(result: Survey, root: Path) -> pa.Table:
    """The sample table with what the next scan needs to know it by."""
    metadata = {b"recipe.pass": _stamp(root), b"recipe.pack": str(result.pack).encode()}
    return result.samples.replace_schema_metadata(metadata)


def forget_leavings(workspace: Workspace, pack: int) -> None:
    """Drops shards and old packs; called when the results that replace them are in force."""
    clear_shards(workspace.shards)
    for path in workspace.path.glob("thumbs-[0-9]*.pack"):
        if path != pack_path(workspace.path, pack):
            path.unlink(missing_ok=True)


def thumbnails_of(workspace: Workspace, samples: pa.Table) -> PackReader | None:
    """The thumbnails of a stored sample table."""
    path = pack_path(workspace.path, int((samples.schema.metadata or {}).get(b"recipe.pack", b"0")))
    return PackReader(path) if path.exists() else None
