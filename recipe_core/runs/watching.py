"""How is a run doing, whoever started it and whatever became of it?

Nothing that was written is believed about the present: a run is alive if the process that carries
it out is (its number and its start time), and its own last word counts only about its end.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from recipe_core.runs.folder import RunFolder, found, ids, read_json, trash_folder
from recipe_core.runs.heartbeat import Beat, read_beat
from recipe_core.runs.leftovers import sweep_if_any
from recipe_core.runs.watched import Identity, alive, machine

Status = Literal["queued", "running", "done", "failed", "oom", "stopped", "lost"]
Mark = tuple[tuple[int, int], tuple[int, int]]
"""modification time and inode of outcome.json and launch.json"""
LIVE: tuple[str, ...] = ("queued", "running")

SILENT_SECONDS = 15.0
"""without a beat: a run on another machine, which cannot be asked, counts as lost"""
STARTING_SECONDS = 20.0
"""between the launcher's two words about a process; longer, and the launcher died between them"""
CRASHES = {-11: "SIGSEGV", -6: "SIGABRT", -7: "SIGBUS", -8: "SIGFPE", -4: "SIGILL", -10: "SIGBUS"}


@dataclass(frozen=True)
class Doing:
    """How far a run is: units of one activity."""

    activity: str = ""
    done: int = 0
    total: int = 0
    rate: float = 0.0
    """units per second, 0 where unknown"""
    eta_s: float | None = None
    """seconds left of this activity, None where unknown"""


@dataclass(frozen=True)
class Run:
    """A run as the outside sees it.

    created, started, ended   seconds since the epoch; 0 where it has not come to that
    silent_s    seconds since its last sign of life, of a run that is alive
    waiting     the runs before it, of a run that is queued
    traceback   of a run that failed: the user's own lines first
    resources   see `resources.watcher`; the last look at them
    fits        of a run that ran out of memory: a batch size that fits, where one was found
    """

    id: str
    kind: str
    title: str
    status: Status
    folder: Path
    config: Mapping[str, Any] = field(default_factory=dict)
    entry: str = ""
    command: str = ""
    created: float = 0.0
    started: float = 0.0
    ended: float = 0.0
    attempt: int = 1
    pid: int = 0
    device: str = ""
    progress: Doing = Doing()
    message: str = ""
    traceback: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)
    waiting: tuple[str, ...] = ()
    silent_s: float = 0.0
    resources: Mapping[str, Any] = field(default_factory=dict)
    fits: int | None = None

    @property
    def live(self) -> bool:
        """Whether its process lives (queued or running)."""
        return self.status in LIVE


_ended: dict[Path, tuple[Mark, Run]] = {}
"""runs that have ended, by folder, with how their files looked then: never opened again"""


def runs(workspace: Path, trash: bool = False) -> tuple[Run, ...]:
    """Every run of a workspace (or every deleted one), newest first."""
    if trash:
        folders = [RunFolder(trash_folder(workspace) / i) for i in ids(workspace, trash=True)]
    else:
        folders = [RunFolder(workspace / "runs" / i) for i in ids(workspace)]
    return tuple(r for f in folders if (r := read(f)) is not None)


def run(workspace: Path, run_id: str) -> Run:
    """One run. Raises UnknownName."""
    read_one = read(found(workspace, run_id))
    if read_one is None:  # deleted between two looks
        return run(workspace, run_id)
    return read_one


def read(folder: RunFolder) -> Run | None:
    """The run of a folder; None where there is none. The files of one that ended are read once."""
    mark = (_seen(folder.outcome), _seen(folder.launch))
    kept = _ended.get(folder.path)
    if kept is not None and kept[0] == mark:
        return kept[1]
    asked = read_json(folder.config)
    if not asked:
        return None
    fresh, certain = _read(folder, asked)
    if certain:
        _ended[folder.path] = (mark, fresh)
    return fresh


def _seen(path: Path) -> tuple[int, int]:
    try:
        seen = path.stat()
    except OSError:
        return 0, 0
    return seen.st_mtime_ns, seen.st_ino


def _read(folder: RunFolder, asked: Mapping[str, Any]) -> tuple[Run, bool]:
    """The run, and whether only a new attempt can change it."""
    outcome = read_json(folder.outcome)
    if outcome.get("final"):
        return _over(folder, asked, outcome), True
    launch, beat = read_json(folder.launch), read_beat(folder)
    if beat is not None and beat.attempt != launch.get("attempt", 1):
        beat = None  # of an earlier attempt
    if _lives(launch, beat):
        return _live(folder, asked, launch, beat), False
    later = read_json(folder.outcome)  # it may have ended between the two looks
    if later:
        return _over(folder, asked, later), bool(later["final"])
    return _silent(folder, asked, launch, beat), _is_here(launch, beat)


def _is_here(launch: Mapping[str, Any], beat: Beat | None) -> bool:
    """Whether the run's process is, or was, one of this machine."""
    where = beat.machine if beat else str(launch.get("machine", ""))
    return where.partition(" ")[0] == machine().partition(" ")[0]


def _lives(launch: Mapping[str, Any], beat: Beat | None) -> bool:
    if not _is_here(launch, beat):
        last = beat.updated if beat else float(launch.get("time", 0))
        return time.time() - last < SILENT_SECONDS
    if (beat.machine if beat else launch["machine"]) != machine():
        return False  # the machine was started anew since
    if beat is not None and alive(Identity(beat.pid, beat.pid_started)):
        return True
    if not launch.get("pid"):
        return beat is None and time.time() - float(launch["time"]) < STARTING_SECONDS
    # the guardian: the worker has not begun, or is dead and how it died will be known in a moment
    return alive(Identity(launch["pid"], launch["pid_started"]))


def _live(
    folder: RunFolder, asked: Mapping[str, Any], launch: Mapping[str, Any], beat: Beat | None
) -> Run:
    if beat is None:
        return _made(folder, asked, "running", attempt=launch.get("attempt", 1),
                     progress=Doing("starting"))  # fmt: skip
    silent = max(0.0, time.time() - beat.updated)
    said = f"No sign of life for {silent:.0f} s." if silent > SILENT_SECONDS else ""
    if beat.phase == "queued":
        said = f"Waiting for {', then '.join(beat.waiting)}."
    elif folder.stop.exists():
        said = "Stopping: it finishes the step that it is at."
    return _made(
        folder, asked, "queued" if beat.phase == "queued" else "running", attempt=beat.attempt,
        pid=beat.pid, started=beat.started, progress=_doing(beat), message=said,
        waiting=beat.waiting, silent_s=silent, resources=beat.resources,
    )  # fmt: skip


def _doing(beat: Beat) -> Doing:
    return Doing(beat.activity, beat.done, beat.total, beat.rate, beat.eta_s)


def _over(folder: RunFolder, asked: Mapping[str, Any], outcome: Mapping[str, Any]) -> Run:
    return _made(
        folder, asked, outcome["status"], attempt=outcome["attempt"], pid=outcome["pid"],
        started=outcome["started"], ended=outcome["ended"], message=outcome["message"],
        traceback=outcome["traceback"], resources=outcome["resources"],
        progress=Doing(outcome["activity"], outcome["done"], outcome["total"], outcome["rate"]),
        fits=outcome["fits"],
    )  # fmt: skip


def _silent(
    folder: RunFolder, asked: Mapping[str, Any], launch: Mapping[str, Any], beat: Beat | None
) -> Run:
    """A run whose process is gone and which did not say how it ended."""
    sweep_if_any(folder)
    status, message = _cause(folder, beat)
    return _made(
        folder, asked, status, attempt=launch.get("attempt", 1), pid=beat.pid if beat else 0,
        started=beat.started if beat else 0.0, message=message,
        ended=beat.updated if beat else launch.get("time", 0.0),
        progress=_doing(beat) if beat else Doing(), resources=beat.resources if beat else {},
    )  # fmt: skip


def _cause(folder: RunFolder, beat: Beat | None) -> tuple[Status, str]:
    code = read_json(folder.exit).get("code")
    if folder.stop.exists():
        return "stopped", "Stopped; it did not come to saving what it had."
    if beat is None and code is None:
        said = _last_line(folder) or "It left no word in its log."
        return "failed", f"The process ended before it had begun. {said}"
    if code in CRASHES:
        return "failed", f"The process crashed ({CRASHES[code]}); the log holds where."
    if code is not None and code >= 0:
        said = _last_line(folder)
        return "failed", f"The process ended (exit code {code}) before the run did. {said}".strip()
    full = _disk_is_full(folder)
    killed = "killed (SIGKILL)" if code == -9 else "ended without a word"
    return "lost", f"The process was {killed}.{full}{_memory(beat)} Resume it to go on."


def _last_line(folder: RunFolder) -> str:
    lines = log_tail(folder).strip().splitlines()
    return lines[-1] if lines else ""


def _disk_is_full(folder: RunFolder) -> str:
    free = shutil.disk_usage(folder.path).free
    return "" if free > 2**20 else f" The disk of {folder.path} is full: free some space."


def _memory(beat: Beat | None) -> str:
    uses = beat.resources if beat else {}
    used, whole = uses.get("machine_used_mb", 0.0), uses.get("machine_mb", 0.0)
    if not whole or used < 0.9 * whole:
        return ""
    return (
        f" Shortly before, {used / 1024:.1f} of the machine's {whole / 1024:.1f} GiB of memory "
        "were in use: the system may have ended it."
    )


def log_tail(folder: RunFolder, most: int = 8000) -> str:
    """The last `most` bytes of what the process printed, from the start of a line on."""
    try:
        with folder.stdout.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - most))
            tail = file.read()
    except OSError:
        return ""
    if size > most:
        tail = tail.partition(b"\n")[2] or tail
    # of a bar that a program draws over itself, the last state counts
    lines = tail.decode("utf-8", "replace").split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)


def _made(folder: RunFolder, asked: Mapping[str, Any], status: Status, **known: Any) -> Run:
    return Run(
        id=folder.id, kind=asked["kind"], title=asked["title"], status=status, folder=folder.path,
        config=asked["config"], entry=asked["entry"], command=asked["command"],
        created=asked["created"], device=asked["device"], result=read_json(folder.result), **known,
    )  # fmt: skip
