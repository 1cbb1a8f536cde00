"""What lies in a run's folder?

    WORKSPACE/runs/<kind>-<yyyymmdd-hhmmss>-<4 hex>/
      config.json      what was asked for; written once
      launch.json      the attempt (1, and one more with each resume) and the process started for it
      heartbeat.json   by the worker, twice a second: who it is, how far, what it uses
      outcome.json     by the worker: how the attempt ended (outcome-<n>.json: earlier attempts)
      exit.json        by the guardian: how the process ended, where it had not said so itself
      stop             exists once someone asked for a stop
      lock             held (flock) by the worker while it lives
      run.db           curves (log.py); events.jsonl, stdout.log, result.json, pictures/
    WORKSPACE/trash/runs/<id>/   a deleted run, until it is restored

Every JSON file is renamed into place. A reader believes none of them about the present: whether a
run lives is asked of the kernel.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recipe_core.kernel.errors import UnknownName
from recipe_core.store.workspace import Workspace

SCHEMA = 1
_KIND = re.compile(r"[a-z][a-z0-9_]*")
_ID = re.compile(r"[a-z][a-z0-9_]*-\d{8}-\d{6}-[0-9a-f]{4}")


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run. Constructing it touches nothing."""

    path: Path

    @property
    def id(self) -> str:
        """The run's id."""
        return self.path.name

    @property
    def workspace(self) -> Path:
        """The workspace that it belongs to."""
        return self.path.parent.parent

    @property
    def config(self) -> Path:
        """What was asked for."""
        return self.path / "config.json"

    @property
    def launch(self) -> Path:
        """The attempt and its process."""
        return self.path / "launch.json"

    @property
    def heartbeat(self) -> Path:
        """The worker's sign of life."""
        return self.path / "heartbeat.json"

    @property
    def outcome(self) -> Path:
        """How it ended."""
        return self.path / "outcome.json"

    @property
    def exit(self) -> Path:
        """How the process ended, where it did not say so itself."""
        return self.path / "exit.json"

    @property
    def stop(self) -> Path:
        """The flag that asks it to stop."""
        return self.path / "stop"

    @property
    def lock(self) -> Path:
        """Held by the worker."""
        return self.path / "lock"

    @property
    def database(self) -> Path:
        """Its curves."""
        return self.path / "run.db"

    @property
    def events(self) -> Path:
        """What happened, one JSON object a line."""
        return self.path / "events.jsonl"

    @property
    def stdout(self) -> Path:
        """What the process printed."""
        return self.path / "stdout.log"

    @property
    def result(self) -> Path:
        """What it found."""
        return self.path / "result.json"

    @property
    def pictures(self) -> Path:
        """PNG files."""
        return self.path / "pictures"


def runs_folder(workspace: Path) -> Path:
    """Where a workspace's runs live."""
    return workspace / "runs"


def trash_folder(workspace: Path) -> Path:
    """Where a workspace's deleted runs wait."""
    return workspace / "trash" / "runs"


def found(workspace: Path, run_id: str) -> RunFolder:
    """The folder of a run. Raises UnknownName."""
    folder = RunFolder(runs_folder(workspace) / run_id)
    if not _ID.fullmatch(run_id) or not folder.config.is_file():
        raise UnknownName("run", run_id, ids(workspace))
    return folder


def ids(workspace: Path, trash: bool = False) -> list[str]:
    """The ids of a workspace's runs (or of its deleted ones), newest first."""
    parent = trash_folder(workspace) if trash else runs_folder(workspace)
    try:
        names = [p.name for p in parent.iterdir() if _ID.fullmatch(p.name)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(names, key=lambda name: (name.split("-", 1)[1], name), reverse=True)


def new_folder(workspace: Workspace, kind: str) -> RunFolder:
    """Makes the folder of a new run."""
    if not _KIND.fullmatch(kind):
        raise ValueError(f"a kind of run is a lower-case word, not {kind!r}")
    parent = runs_folder(workspace.path.resolve())
    parent.mkdir(parents=True, exist_ok=True)
    while True:
        name = f"{kind}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
        try:
            (parent / name).mkdir()
        except FileExistsError:
            continue
        return RunFolder(parent / name)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of ours; {} where there is none that can be read."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
