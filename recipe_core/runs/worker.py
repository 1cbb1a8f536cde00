"""How is a run carried out? `python -m recipe_core.runs.worker RUN_DIR`, in a process of its own.

Its launcher has fixed the environment before Python starts. This module imports nothing but the
standard library before it has forked, so that the guardian stays small.
"""

from __future__ import annotations

import contextlib
import faulthandler
import fcntl
import importlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from recipe_core.runs.guardian import guarded, lead_a_session

if TYPE_CHECKING:
    from recipe_core.runs.ending import Ending
    from recipe_core.runs.folder import RunFolder
    from recipe_core.runs.heartbeat import Heartbeat
    from recipe_core.runs.job import Job

RESERVE_BYTES = 64 * 1024
"""kept free so that a run can say on a full disk that the disk is full"""


def main(words: list[str]) -> int:
    """Carries out the run of a folder; its exit code is 0 where that could be done and said."""
    if len(words) != 1:
        print("usage: python -m recipe_core.runs.worker RUN_DIR", file=sys.stderr)
        return 2
    folder = Path(words[0]).resolve()
    if not (folder / "config.json").is_file():
        print(f"{folder} holds no config.json: it is no run.", file=sys.stderr)
        return 2
    lead_a_session()
    guarded(folder)
    return _work(folder)


def _work(path: Path) -> int:
    from recipe_core.runs.folder import RunFolder, read_json
    from recipe_core.runs.heartbeat import Heartbeat
    from recipe_core.runs.resources import watcher

    folder = RunFolder(path)
    with _alone(folder) as alone:
        if not alone:
            print("Another process carries out this run.", file=sys.stderr)
            return 2
        faulthandler.enable()
        config = read_json(folder.config)
        attempt = int(read_json(folder.launch).get("attempt", 1))
        heartbeat = Heartbeat(folder, attempt, watcher(str(config.get("device", ""))))
        heartbeat.start()
        _keep_a_reserve(folder)
        ended = _carried_out(folder, config, heartbeat)
        return _said(folder, heartbeat, ended)


@contextlib.contextmanager
def _alone(folder: RunFolder) -> Iterator[bool]:
    """Holds the run's folder; False where another worker does."""
    handle = os.open(folder.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    os.register_at_fork(after_in_child=lambda: os.close(handle))
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True


def _carried_out(folder: RunFolder, config: dict[str, Any], heartbeat: Heartbeat) -> Ending:
    """Waits for the device, calls the entry; how that ended."""
    from recipe_core.runs.ending import Ending, ending
    from recipe_core.runs.job import Job
    from recipe_core.runs.log import RunLog

    log = None
    try:
        _let_a_signal_cancel()
        log = RunLog(folder)
        log.event("started", f"attempt {heartbeat.beat.attempt} started", pid=os.getpid())
        asked = config.get("config") or {}
        job = Job(folder, asked, log, heartbeat, str(config.get("device") or "cpu"))
        with _device(job, config, heartbeat):
            _limit_memory(float(asked.get("memory_limit_mb") or 0), job.device)
            entry(str(config.get("entry", "")))(job)
        ended = Ending("done")
    except BaseException as e:
        _limit_memory(0, "cpu")
        ended = ending(e)
        if ended.traceback:
            print(ended.traceback, file=sys.stderr)
        if _signalled and ended.status == "failed":
            ended = Ending("stopped", "Stopped before it could save.", ended.traceback)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    return _closed(log, ended)


def _closed(log: Any, ended: Ending) -> Ending:
    """Ends the log; a run whose last numbers could not be written is not done."""
    from recipe_core.runs.ending import Ending

    if log is None:
        return ended
    try:
        log.event(ended.status, ended.message or ended.status)
        log.close()
    except Exception as e:
        if ended.status == "done":
            return Ending("failed", str(e))
    return ended


def entry(name: str) -> Callable[[Job], Any]:
    """The function that `module:function` names.

    Only modules below recipe_core: a folder that somebody sent must not name code to run. Whoever
    starts the process may allow more with RECIPE_ENTRIES (packages, separated by commas).
    """
    module, colon, function = name.partition(":")
    allowed = ["recipe_core", *os.environ.get("RECIPE_ENTRIES", "").split(",")]
    if not colon or not any(a and module.startswith(f"{a}.") for a in allowed):
        raise ValueError(f"{name!r} does not name a function of a module below recipe_core.")
    found: Callable[[Job], Any] = getattr(importlib.import_module(module), function)
    return found


_signalled: list[int] = []


def _let_a_signal_cancel() -> None:
    """SIGTERM and SIGINT end the entry as a stop does, where it does not look for one."""
    from recipe_core.kernel.errors import Cancelled

    def cancel(number: int, frame: FrameType | None) -> None:
        if not _signalled:
            _signalled.append(number)
            raise Cancelled(f"stopped by {signal.Signals(number).name}")

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, cancel)
    os.register_at_fork(after_in_child=_die_by_signals)


def _die_by_signals() -> None:
    """A forked child ends by a signal as any process does."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


@contextlib.contextmanager
def _device(job: Job, config: dict[str, Any], heartbeat: Heartbeat) -> Iterator[None]:
    """Holds the run's device, or the processor where the run was told to queue for it."""
    from recipe_core.kernel.errors import Cancelled
    from recipe_core.runs.turns import physical, turn

    name, queue = physical(job.device), config.get("queue", "auto")
    if queue == "never" or (not name and queue != "always"):
        yield
        return

    def waiting(before: tuple[str, ...]) -> None:
        heartbeat.tell(phase="queued", waiting=before)
        heartbeat.progress(f"waiting for {before[-1]}", 0, 0)
        if job.stop_asked():
            raise Cancelled("stopped while it was queued")

    with turn(name or "cpu", job.id, waiting):
        heartbeat.tell(phase="running", waiting=(), started=time.time())
        heartbeat.progress("starting", 0, 0)
        yield


def _limit_memory(megabytes: float, device: str) -> None:
    """Lets the process have this much private memory; 0: as much as there is.

    RLIMIT_DATA, not RLIMIT_AS, on Linux: address space counts every mapped library, and CUDA
    reserves more of it than the machine has memory.
    """
    import resource

    which = resource.RLIMIT_DATA if sys.platform.startswith("linux") else resource.RLIMIT_AS
    hard = resource.getrlimit(which)[1]
    wanted = int(megabytes * 2**20) if megabytes and device == "cpu" else hard
    resource.setrlimit(which, (wanted, hard))


def _keep_a_reserve(folder: RunFolder) -> None:
    with contextlib.suppress(OSError):
        (folder.path / ".reserve").write_bytes(b"\0" * RESERVE_BYTES)


def _said(folder: RunFolder, heartbeat: Heartbeat, ended: Ending) -> int:
    """Writes the outcome; 0 where that worked."""
    from recipe_core.store.workspace import write_json

    beat = heartbeat.stop()
    (folder.path / ".reserve").unlink(missing_ok=True)
    outcome = {
        "schema": 1, "attempt": beat.attempt, "status": ended.status, "message": ended.message,
        "traceback": ended.traceback, "started": beat.started, "ended": time.time(),
        "pid": beat.pid, "activity": beat.activity, "done": beat.done, "total": beat.total,
        "rate": beat.rate, "resources": dict(beat.resources),
    }  # fmt: skip
    try:
        write_json(folder.outcome, outcome)
    except OSError as e:
        print(f"{ended.status}: {ended.message}\nThis could not be written: {e}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    exit_code = main(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(exit_code)  # no waiting for threads and processes that the entry left behind
