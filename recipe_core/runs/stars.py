"""Which runs did someone mark to find them again? An empty file in the run's folder says so."""

from __future__ import annotations

from pathlib import Path

from recipe_core.runs.folder import RunFolder, found
from recipe_core.runs.log import problem

FILE = "star"


def starred(folder: Path) -> bool:
    """Whether the run of this folder is marked."""
    return (folder / FILE).exists()


def star(workspace: Path, run_id: str, on: bool) -> None:
    """Marks a run, or takes the mark off. Raises UnknownName, WorkspaceError."""
    folder: RunFolder = found(workspace, run_id)
    mark = folder.path / FILE
    try:
        if on:
            mark.touch()
        else:
            mark.unlink(missing_ok=True)
    except OSError as e:
        raise problem(folder.path, e) from None
