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
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from recipe_core.runs.guardian import guarded, lead_a_session

if TYPE_CHECKING:
    from recipe_core.runs.ending import Ending
    from recipe_core.runs.folder import RunFolder
    from recipe_core.runs.heartbeat import Heartbeat
    from recipe_core.runs.job import Job
    from recipe_core.runs.log import RunLog

HOOK = "largest_batch"
SECONDS_TO_TRY = 120.0
_PYTHON = (sys.executable, "-P", "-m", "recipe_core.runs.worker")
RESERVE_BYTES = 64 * 1024
"""kept free so that a run can say on a full disk that the disk is full"""


def main(words: list[str]) -> int:
    """Carries out the run of a folder; its exit code is 0 where that could be done and said."""
    if len(words) == 2 and words[0] in ("--ask", "--try"):
        return (_ask if words[0] == "--ask" else _try)(Path(words[1]))
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
    from recipe_core.runs.turns import physical

    folder = RunFolder(path)
    with _alone(folder) as alone:
        if not alone:
            print("Another process carries out this run.", file=sys.stderr)
            return 2
        faulthandler.enable()
        config = read_json(folder.config)
        attempt = int(read_json(folder.launch).get("attempt", 1))
        heartbeat = Heartbeat(folder, attempt, watcher(physical(str(config.get("device", "")))))
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
    from recipe_core.runs.log import RunLog

    log = None
    try:
        _let_a_signal_cancel()
        log = RunLog(folder)
        log.event("started", f"attempt {heartbeat.beat.attempt} started", pid=os.getpid())
        ended = _with_its_device(_job(folder, config, log, heartbeat), config, heartbeat)
    except BaseException as e:
        ended = ending(e)
    _print(ended.traceback)
    if _signalled and ended.status == "failed":
        ended = Ending("stopped", "Stopped before it could save.", ended.traceback)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    return _closed(log, ended)


def _job(folder: RunFolder, config: dict[str, Any], log: RunLog, heartbeat: Heartbeat) -> Job:
    from recipe_core.runs.job import Job

    asked = config.get("config") or {}
    return Job(folder, asked, log, heartbeat, str(config.get("device") or "cpu"))


def _with_its_device(job: Job, config: dict[str, Any], heartbeat: Heartbeat) -> Ending:
    """Calls the entry. Where memory runs out, what fits is looked for while the device is held."""
    from recipe_core.runs.ending import Ending, ending, ran_out_of_memory

    name = str(config.get("entry", ""))
    with _device(job, config, heartbeat):
        try:
            _limit_memory(job)
            entry(name)(job)
            return Ending("done")
        except BaseException as e:
            _unlimit_memory()
            if not ran_out_of_memory(e) or not has_hook(name):
                raise
            ended = ending(e)
            _print(ended.traceback)
            job.log.event("oom", ended.message)
            with contextlib.suppress(Exception):
                job.log.close()
            _look_for_what_fits(job.folder, heartbeat, ended)
    raise AssertionError("the process has become another")


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
    """Holds the run's devices, or the processor where the run was told to queue for it."""
    from recipe_core.kernel.errors import Cancelled
    from recipe_core.runs.turns import taken, turn

    queue = config.get("queue", "auto")
    names = taken(job.device, int(job.config.get("processes", 1)))
    if queue == "never" or (not names and queue != "always"):
        yield
        return

    def waiting(before: tuple[str, ...]) -> None:
        if heartbeat.beat.phase != "queued":
            job.log.event("queued", f"waiting for {', then '.join(before)}")
        heartbeat.tell(phase="queued", waiting=before)
        heartbeat.progress(f"waiting for {before[-1]}", 0, 0)
        if job.stop_asked():
            raise Cancelled("stopped while it was queued")

    with contextlib.ExitStack() as held:
        for name in names or ("cpu",):
            held.enter_context(turn(name, job.id, waiting))
        heartbeat.tell(phase="running", waiting=(), started=time.time())
        heartbeat.progress("starting", 0, 0)
        yield


def _limit_memory(job: Job) -> None:
    """Lets the process have so much private memory (a GPU's share is the entry's to set).

    RLIMIT_DATA, not RLIMIT_AS, on Linux: address space counts every mapped library, and CUDA
    reserves more of it than the machine has memory.
    """
    import resource

    megabytes = float(job.config.get("memory_limit_mb") or 0)
    if megabytes and job.device in ("cpu", "auto"):
        which = _limit()
        resource.setrlimit(which, (int(megabytes * 2**20), resource.getrlimit(which)[1]))


def _unlimit_memory() -> None:
    import resource

    hard = resource.getrlimit(_limit())[1]
    resource.setrlimit(_limit(), (hard, hard))


def _limit() -> int:
    import resource

    return resource.RLIMIT_DATA if sys.platform.startswith("linux") else resource.RLIMIT_AS


def _keep_a_reserve(folder: RunFolder) -> None:
    with contextlib.suppress(OSError):
        (folder.path / ".reserve").write_bytes(b"\0" * RESERVE_BYTES)


def _said(folder: RunFolder, heartbeat: Heartbeat, ended: Ending, *, final: bool = True) -> int:
    """Writes the outcome; 0 where that worked."""
    from recipe_core.store.workspace import write_json

    beat = heartbeat.stop()
    (folder.path / ".reserve").unlink(missing_ok=True)
    outcome = {
        "schema": 1, "attempt": beat.attempt, "status": ended.status, "message": ended.message,
        "traceback": ended.traceback, "started": beat.started, "ended": time.time(),
        "pid": beat.pid, "activity": beat.activity, "done": beat.done, "total": beat.total,
        "rate": beat.rate, "resources": dict(beat.resources), "fits": None, "final": final,
    }  # fmt: skip
    try:
        write_json(folder.outcome, outcome)
    except OSError as e:
        _print(f"{ended.status}: {ended.message}\nThis could not be written: {e}")
        return 3
    return 0


def _print(text: str) -> None:
    """Into the log; on a full disk nowhere."""
    with contextlib.suppress(OSError, ValueError):
        if text:
            print(text, file=sys.stderr, flush=True)


# -- what would have fitted ---------------------------------------------------------------------


def has_hook(name: str) -> bool:
    """Whether the entry's module can say which batch fits: `largest_batch(job) -> int`."""
    return callable(getattr(sys.modules.get(name.partition(":")[0]), HOOK, None))


def _look_for_what_fits(path: Path, heartbeat: Heartbeat, ended: Ending) -> NoReturn:
    """Becomes a small process that has another one try: all the memory of this one is free then.

    The same process to the outside: its number, its start time, its place on the device stay.
    """
    from recipe_core.runs.folder import RunFolder
    from recipe_core.runs.turns import keep_over_exec

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    _said(RunFolder(path), heartbeat, ended, final=False)
    for descriptor in range(3, 4096):  # a driver may have left its own open for the next program
        with contextlib.suppress(OSError):
            os.set_inheritable(descriptor, False)
    keep_over_exec()
    os.execv(sys.executable, [*_PYTHON, "--ask", str(path)])


def _ask(path: Path) -> int:
    """Has another process try which batch fits, and adds what it says to the outcome."""
    from recipe_core.runs.folder import RunFolder, read_json
    from recipe_core.runs.heartbeat import Heartbeat
    from recipe_core.store.workspace import write_json

    folder, answer = RunFolder(path), path / "fits.json"
    outcome = read_json(folder.outcome)
    heartbeat = Heartbeat(folder, int(outcome["attempt"]), dict)
    heartbeat.progress("looking for a batch that fits", 0, 0)
    heartbeat.start()
    answer.unlink(missing_ok=True)
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run([*_PYTHON, "--try", str(path)], timeout=SECONDS_TO_TRY, check=False)
    fits = read_json(answer).get("batch")
    said = outcome["message"]
    if fits:
        now = (read_json(folder.config).get("config") or {}).get("batch_size")
        said += f" A batch of {fits} fits" + (f" (this one was {now})." if now else ".")
    elif fits == 0:
        said += " Not even a batch of 1 fits: take a smaller model or smaller images."
    heartbeat.stop()
    write_json(folder.outcome, {**outcome, "message": said, "fits": fits, "final": True})
    return 0


def _try(path: Path) -> int:
    """Asks the entry's module which batch fits; a process that may run out of memory."""
    from recipe_core.runs.folder import RunFolder, read_json
    from recipe_core.runs.heartbeat import Heartbeat
    from recipe_core.runs.log import RunLog
    from recipe_core.store.workspace import write_json

    folder = RunFolder(path)
    config = read_json(folder.config)
    attempt = int(read_json(folder.launch).get("attempt", 1))
    log = RunLog(folder)
    job = _job(folder, config, log, Heartbeat(folder, attempt, dict))
    module = entry(config["entry"]).__module__
    _limit_memory(job)
    fits = getattr(sys.modules[module], HOOK)(job)
    _unlimit_memory()
    log.close()
    if fits is not None:
        write_json(path / "fits.json", {"batch": int(fits)})
    return 0


if __name__ == "__main__":
    exit_code = main(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(exit_code)  # no waiting for threads and processes that the entry left behind
