"""Is a scan running in this workspace, how far is it, and how does one start or stop it?

A scan started from a page is the same command a person would type, as a process of its own: it
outlives the tab and the server.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recipe_core.kernel.errors import Misuse
from recipe_core.runs.progress_file import State, read_state
from recipe_core.runs.watched import Identity, alive, identity
from recipe_core.runs.watched import stop as stop_process
from recipe_core.store.workspace import Workspace, prepare, write_json, writing

LOG_TAIL = 4000
_children: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Scan:
    """A scan as the outside sees it.

    status  none (never scanned), running, done, failed, stopped, lost (it died without a word)
    """

    status: str = "none"
    activity: str = ""
    done: int = 0
    total: int = 0
    rate: float = 0.0
    eta_s: float | None = None
    command: str = ""
    started: float = 0.0
    message: str = ""
    log_tail: str = ""
    source: str = ""


def command(source: str, workspace: Path, format: str = "auto") -> list[str]:
    """The command line, as a person would type it."""
    extra = [] if format == "auto" else ["--format", format]
    return ["recipe", "scan", source, "-w", str(workspace), *extra]


def start(source: str, workspace: Path, format: str = "auto") -> None:
    """Starts a scan. Raises Misuse where one is running or the source does not exist."""
    if watch(workspace).status == "running":
        raise Misuse("A scan of this workspace is running already.")
    if not Path(source).exists():
        raise Misuse(f"There is no file or folder {source!r} on the machine that runs Recipe.")
    place = Workspace(workspace)
    prepare(place)
    with writing(place):
        _launch(place, command(source, workspace, format))


def _launch(place: Workspace, words: list[str]) -> None:
    place.scan_folder.mkdir(parents=True, exist_ok=True)
    env = {k: v for k, v in os.environ.items() if not k.startswith("STREAMLIT_")}
    with (place.scan_folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "recipe_core.cli", *words[1:]],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env,
            start_new_session=True, close_fds=True,
        )  # fmt: skip
    _children.append(process)
    launch = {"pid": process.pid, "pid_started": identity(process.pid).started, "time": time.time(),
              "command": shlex.join(words), "source": words[2]}  # fmt: skip
    write_json(place.scan_folder / "launch.json", launch)


def stop(workspace: Path) -> None:
    """Stops the running scan, as Ctrl-C would; what is measured is kept."""
    place = Workspace(workspace)
    state = _newest(place)
    if state is None:
        return
    stop_process(Identity(state.pid, state.pid_started))
    launch = _launched(place)
    if launch and launch["pid"] == state.pid:
        with writing(place):
            write_json(place.scan_folder / "launch.json", {**launch, "stopped": True})


def watch(workspace: Path) -> Scan:
    """How the workspace's last scan is doing, whoever started it."""
    for child in list(_children):
        if child.poll() is not None:
            _children.remove(child)
    place = Workspace(workspace)
    state = _newest(place)
    if state is None:
        return Scan()
    status = state.status
    if status == "running" and not alive(Identity(state.pid, state.pid_started)):
        status = "stopped" if _was_stopped(place, state) else "lost"
    tail = _log_tail(place)
    message = state.message
    if status == "lost":
        message = "The scan ended without a word. Scan again: it goes on where it was."
        if state.activity == "starting" and tail:
            status, message = "failed", tail.strip().splitlines()[-1]
    return Scan(
        status, state.activity, state.done, state.total, state.rate, state.eta_s, state.command,
        state.started, message, tail, state.source,
    )  # fmt: skip


def _newest(place: Workspace) -> State | None:
    """What the scan says, or the launch where the scan has not spoken since."""
    spoken = read_state(place.scan_folder / "progress.json")
    launch = _launched(place)
    if launch is None:
        return spoken
    if spoken is not None and (spoken.pid == launch["pid"] or spoken.started > launch["time"]):
        return spoken
    return State(
        status="stopped" if launch.get("stopped") else "running",
        source=launch["source"],
        command=launch["command"],
        started=launch["time"],
        pid=launch["pid"],
        pid_started=launch["pid_started"],
    )


def _was_stopped(place: Workspace, state: State) -> bool:
    """Whether `stop` ended it: on a busy machine it may have had no time to say so itself."""
    launch = _launched(place)
    return bool(launch and launch.get("stopped") and launch["pid"] == state.pid)


def _launched(place: Workspace) -> dict[str, Any] | None:
    try:
        text = (place.scan_folder / "launch.json").read_text(encoding="utf-8")
        launch: dict[str, Any] = json.loads(text)
        return launch
    except (OSError, ValueError):
        return None


def _log_tail(place: Workspace) -> str:
    try:
        return (place.scan_folder / "log.txt").read_bytes()[-LOG_TAIL:].decode("utf-8", "replace")
    except OSError:
        return ""
