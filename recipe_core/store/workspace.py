"""Where do results live, and who may write them?

    WORKSPACE/
      workspace.json          schema of this folder
      lock                    held (flock) by the one scan that writes; says who
      current                 name of the results folder in force
      results/<id>/           dataset.json samples.parquet boxes.parquet tables.json findings.json
                              subjects.parquet: complete once `current` names it, never changed but
                              for the three last; samples.arrow boxes.arrow (see mapped.py)
      shards/                 finished pieces of a scan under way (see shards.py)
      thumbs-<n>.pack         thumbnails, one after the other
      tables/                 measures of the whole table, by the digest of what they read
      decisions.db            what people decided
      scan/                   progress.json, log.txt of the last scan

Every file is written under a temporary name and renamed, so a reader never sees half of one, and a
process killed at any moment leaves the earlier results in force.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import socket
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recipe_core.kernel.errors import Misuse, WorkspaceBusy, WorkspaceError
from recipe_core.kernel.evidence import is_number

SCHEMA = 1


@dataclass(frozen=True)
class Workspace:
    """A folder of results. Constructing it touches nothing."""

    path: Path

    @property
    def decisions(self) -> Path:
        """The database of people's decisions."""
        return self.path / "decisions.db"

    @property
    def scan_folder(self) -> Path:
        """Progress and log of the last scan."""
        return self.path / "scan"

    @property
    def shards(self) -> Path:
        """Pieces of a scan under way."""
        return self.path / "shards"

    @property
    def tables(self) -> Path:
        """Measures of the whole table."""
        return self.path / "tables"

    def current(self) -> Path | None:
        """The results folder in force; None before the first finished scan."""
        try:
            name = (self.path / "current").read_text(encoding="ascii").strip()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as e:
            raise WorkspaceError(f"Cannot read the workspace {self.path}: {e.strerror}.") from None
        return self.path / "results" / name

    def state(self) -> str:
        """A text that changes whenever results change; '' before the first finished scan."""
        folder = self.current()
        if folder is None:
            return ""
        try:
            return f"{folder.name}-{(folder / 'findings.json').stat().st_mtime_ns}"
        except OSError:
            return folder.name


def prepare(workspace: Workspace) -> None:
    """Makes the folder, or stops with what is wrong with it.

    Raises WorkspaceError where it cannot be written, Misuse where it is something else.
    """
    marker = workspace.path / "workspace.json"
    if workspace.path.is_file():
        raise Misuse(f"{workspace.path} is a file; name a folder for the workspace with -w.")
    if workspace.path.is_dir() and not marker.exists():
        foreign = [p.name for p in workspace.path.iterdir() if p.name not in ("lock", "scan")]
        if foreign:
            raise Misuse(
                f"{workspace.path} is no Recipe workspace and not empty (it holds {foreign[0]!r}). "
                "Name another folder with -w; Recipe never writes among other files."
            )
    with writing(workspace):
        workspace.path.mkdir(parents=True, exist_ok=True)
        if not marker.exists():
            write_json(marker, {"schema": SCHEMA})
        probe = workspace.path / f".probe-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    schema = json.loads(marker.read_text(encoding="utf-8")).get("schema")
    if schema != SCHEMA:
        raise WorkspaceError(
            f"{workspace.path} was written by another version of Recipe (schema {schema}, this one "
            f"reads {SCHEMA}). Scan into a new folder with -w."
        )


@contextlib.contextmanager
def writing(workspace: Workspace) -> Iterator[None]:
    """Turns a failed write into a sentence that says what to do."""
    try:
        yield
    except OSError as e:
        raise WorkspaceError(_write_problem(workspace, e)) from e


def _write_problem(workspace: Workspace, e: OSError) -> str:
    kept = "Earlier results are intact; scan again afterwards and it goes on where it was."
    if e.errno in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(e):
        return f"The disk of {workspace.path} is full. Free some space or use another -w. {kept}"
    if e.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{workspace.path} cannot be written ({e.strerror}). Use another -w. {kept}"
    return f"Writing to {workspace.path} failed: {e}. {kept}"


@contextlib.contextmanager
def locked(workspace: Workspace, *, command: str, wait_s: float = 0.0) -> Iterator[None]:
    """Holds the workspace for one scan.

    Waits up to `wait_s` seconds for another holder. Raises WorkspaceBusy naming who holds it. The
    lock goes with the process, also by kill -9.
    """
    with writing(workspace):
        handle = os.open(workspace.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _take(handle, workspace, wait_s)
        holder = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": time.time(),
            "command": command,
        }
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(holder).encode(), 0)
        yield
    finally:
        os.close(handle)


def _take(handle: int, workspace: Workspace, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as e:
            if e.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise WorkspaceError(f"Cannot lock {workspace.path}: {e.strerror}.") from None
            if time.monotonic() >= deadline:
                raise WorkspaceBusy(_busy(handle, workspace)) from None
            time.sleep(0.1)


def _busy(handle: int, workspace: Workspace) -> str:
    try:
        holder = json.loads(os.pread(handle, 10_000, 0))
        since = time.strftime("%H:%M:%S", time.localtime(holder["since"]))
        who = f"process {holder['pid']} on {holder['host']} since {since} ({holder['command']})"
    except (ValueError, KeyError):
        who = "another process"
    return (
        f"{workspace.path} is being written by {who}. Wait for it (--wait), stop it, or scan into "
        "another folder with -w."
    )


def replaced(path: Path, write: Callable[[Path], Any]) -> None:
    """Calls `write` with a temporary name beside `path`, then renames it to `path`."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Mapping[str, Any] | list[Any]) -> None:
    """Writes a JSON file in one step."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False)  # indented it takes 5 × as long
    replaced(path, lambda p: p.write_text(text, encoding="ascii"))


def write_table(path: Path, table: pa.Table) -> None:
    """Writes a Parquet file in one step (zstd)."""
    import pyarrow.parquet as pq  # files are listed before anything is read or stored

    # a dictionary of numbers that are all different takes longer to make than to store, and room
    repeated = [f.name for f in table.schema if not is_number(f.type)]
    replaced(path, lambda p: pq.write_table(table, p, compression="zstd", use_dictionary=repeated))


def read_table(path: Path, columns: list[str] | None = None) -> pa.Table:
    """Reads a Parquet file of ours. Raises WorkspaceError where it is damaged."""
    import pyarrow.parquet as pq

    try:
        # pq.read_table would load Arrow's data sets first: 0.4 s of imports
        return pq.ParquetFile(path).read(columns)
    except (OSError, pa.ArrowException) as e:
        raise WorkspaceError(f"{path} cannot be read ({e}). Scan the data set again.") from None


def write_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Writes an .npz file in one step; arrays of objects are refused."""

    def write(temporary: Path) -> None:
        with temporary.open("wb") as f:  # given a name, NumPy would put .npz behind it
            np.savez_compressed(f, allow_pickle=False, **arrays)

    replaced(path, write)


def read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Reads an .npz file of ours. Raises WorkspaceError where it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return dict(stored)
    except (OSError, ValueError, zipfile.BadZipFile) as e:
        raise WorkspaceError(f"{path} cannot be read ({e}). Run it again.") from None


def commit(workspace: Workspace, fill: Callable[[Path], None]) -> Path:
    """A new results folder, filled by `fill`, put in force in one step; the old one is deleted."""
    with writing(workspace):
        results = workspace.path / "results"
        results.mkdir(exist_ok=True)
        name = f"{time.time_ns():x}"
        folder = results / name
        folder.mkdir()
        try:
            fill(folder)
            replaced(workspace.path / "current", lambda p: p.write_text(name, encoding="ascii"))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        for old in results.iterdir():
            if old.name != name:
                shutil.rmtree(old, ignore_errors=True)
    return folder
