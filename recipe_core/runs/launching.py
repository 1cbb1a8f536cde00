"""How does a run start, go on, stop, and leave the ledger?"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import site
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from recipe_core.kernel.errors import Misuse, UnknownName
from recipe_core.kernel.plain import plain
from recipe_core.runs.folder import (
    SCHEMA,
    RunFolder,
    found,
    new_folder,
    read_json,
    runs_folder,
    trash_folder,
)
from recipe_core.runs.guardian import SECONDS_TO_FINISH, SECONDS_TO_UNWIND
from recipe_core.runs.leftovers import MARK, leftovers, sweep
from recipe_core.runs.watched import identity, machine
from recipe_core.runs.watching import Run, run
from recipe_core.store.workspace import Workspace, prepare, write_json, writing

_children: list[subprocess.Popen[bytes]] = []


def launch(
    workspace: Path,
    kind: str,
    entry: str,
    config: Mapping[str, Any],
    *,
    title: str = "",
    command: str = "",
    device: str = "",
    queue: str = "auto",
) -> str:
    """Starts a run in a process of its own; its id.

    entry    "recipe_core.<module>:<function>", called with a Job
    command  what a person would type for it
    device   default: the config's "device", else the processor
    queue    auto: wait for a GPU; always: for the processor too; never
    Raises Misuse, WorkspaceError.
    """
    place = Workspace(workspace)
    prepare(place)
    with writing(place):
        folder = new_folder(place, kind)
        asked = plain(dict(config))
        write_json(folder.config, {
            "schema": SCHEMA, "kind": kind, "entry": entry, "title": title or kind,
            "config": asked, "command": command, "created": time.time(),
            "device": device or str(asked.get("device") or "cpu"), "queue": queue,
            "environment": _fixed(device or str(asked.get("device") or "cpu")),
        })  # fmt: skip
        _start(folder, 1)
    return folder.id


def _fixed(device: str) -> dict[str, str]:
    """What of the environment decides numbers; kept, so that a resumed run computes the same."""
    from recipe_core.execution.engines import usable_cores

    given = os.environ.get("OMP_NUM_THREADS") or str(usable_cores())
    return {
        "OMP_NUM_THREADS": given,
        "PYTHONHASHSEED": "0",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # deterministic cuBLAS: its documentation, 2.1.4
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",  # the numbers that nvidia-smi shows
        **({"CUDA_VISIBLE_DEVICES": ""} if device == "cpu" else {}),
    }


def _start(folder: RunFolder, attempt: int) -> None:
    word = {"attempt": attempt, "time": time.time(), "machine": machine()}
    write_json(folder.launch, word)
    with folder.stdout.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "recipe_core.runs.worker", str(folder.path)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_environment(folder),
            start_new_session=True, close_fds=True,
        )  # fmt: skip
    _children.append(process)
    started = identity(process.pid).started
    write_json(folder.launch, {**word, "pid": process.pid, "pid_started": started})


def _environment(folder: RunFolder) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("STREAMLIT_")}
    code = Path(__file__).resolve().parent.parent.parent
    installed = (*site.getsitepackages(), site.getusersitepackages())
    if str(code) not in installed:  # a checkout: the worker must find the same code
        path = [str(code), *filter(None, [os.environ.get("PYTHONPATH")])]
        kept["PYTHONPATH"] = os.pathsep.join(path)
    fixed = read_json(folder.config).get("environment", {})
    return {**kept, **fixed, "PYTHONUNBUFFERED": "1", MARK: str(folder.path)}


def resume(workspace: Path, run_id: str) -> None:
    """Starts another process for a run that ended early, in the same folder.

    Raises Misuse where it is alive or done, UnknownName.
    """
    folder = found(workspace.resolve(), run_id)
    with writing(Workspace(workspace)), _one_at_a_time(folder):
        state = run(workspace.resolve(), run_id)
        if state.live:
            raise Misuse(f"{run_id} is {state.status} already.")
        if state.status == "done":
            raise Misuse(f"{run_id} is done: there is nothing to go on with. Start a new run.")
        sweep(folder)
        folder.stop.unlink(missing_ok=True)
        folder.exit.unlink(missing_ok=True)
        if folder.outcome.exists():
            folder.outcome.rename(folder.path / f"outcome-{state.attempt}.json")
        _start(folder, state.attempt + 1)


@contextlib.contextmanager
def _one_at_a_time(folder: RunFolder) -> Iterator[None]:
    """Two browsers: the second waits and then sees what the first did."""
    handle = os.open(folder.path / "launch.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def stop(
    workspace: Path,
    run_id: str,
    *,
    wait: bool = True,
    finish_s: float = SECONDS_TO_FINISH,
    unwind_s: float = SECONDS_TO_UNWIND,
) -> Run:
    """Asks a run to stop; it finishes its step and saves, or is made to end.

    wait      until its end is certain; else only ask. The run's guardian sends SIGTERM and SIGKILL
              when it is time, whether somebody waits or not.
    finish_s  seconds until SIGTERM; unwind_s: seconds from there to SIGKILL
    Raises UnknownName. A run that has ended stays as it is.
    """
    place = workspace.resolve()
    folder = found(place, run_id)
    state = run(place, run_id)
    if not state.live:
        return state
    with writing(Workspace(workspace)):
        patience = {"finish_s": finish_s, "unwind_s": unwind_s}
        if not folder.stop.exists() or finish_s < SECONDS_TO_FINISH:
            write_json(folder.stop, patience)
    if not wait:
        return run(place, run_id)
    deadline = time.monotonic() + finish_s + unwind_s + 2.0
    while run(place, run_id).live and time.monotonic() < deadline:
        time.sleep(0.05)
    sweep(folder)  # its guardian is dead, or children left the group
    return run(place, run_id)


def delete(workspace: Path, run_id: str) -> None:
    """Moves a run to the trash. Raises Misuse while it is alive; one in the trash stays there."""
    place = workspace.resolve()
    if (trash_folder(place) / run_id).is_dir() and not (runs_folder(place) / run_id).is_dir():
        return
    folder = found(place, run_id)
    state = run(place, run_id)
    if state.live:
        raise Misuse(f"{run_id} is {state.status}: stop it first.")
    if leftovers(folder):
        sweep(folder)
    _move(Workspace(workspace), folder.path, trash_folder(place) / run_id)


def restore(workspace: Path, run_id: str) -> None:
    """Brings a deleted run back; one that is not deleted stays. Raises UnknownName."""
    place = workspace.resolve()
    if (runs_folder(place) / run_id).is_dir():
        return
    deleted = trash_folder(place) / run_id
    if not (deleted / "config.json").is_file():
        raise UnknownName("deleted run", run_id, [p.name for p in trash_folder(place).glob("*-*")])
    _move(Workspace(workspace), deleted, runs_folder(place) / run_id)


def _move(place: Workspace, source: Path, target: Path) -> None:
    with writing(place):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            source.rename(target)
        except FileNotFoundError:
            if not target.is_dir():  # else somebody else was faster
                raise


def empty_trash(workspace: Path) -> int:
    """Deletes the deleted runs for good; how many there were."""
    deleted = list(trash_folder(workspace.resolve()).glob("*-*"))
    for path in deleted:
        shutil.rmtree(path, ignore_errors=True)
    return len(deleted)


def reap() -> None:
    """Takes note of ended processes that this one started; else they stay as zombies."""
    for child in list(_children):
        if child.poll() is not None:
            with contextlib.suppress(ValueError):
                _children.remove(child)
