"""What did someone mark or note about a run, to find it again? Two small files in its folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from recipe_core.kernel.errors import Misuse
from recipe_core.runs.folder import RunFolder, found
from recipe_core.runs.log import problem

if TYPE_CHECKING:
    from recipe_core.runs.watching import Run

STAR, NOTE = "star", "note.txt"
MOST_NOTED = 2000


def starred(folder: Path) -> bool:
    """Whether the run of this folder is marked."""
    return (folder / STAR).exists()


def star(workspace: Path, run_id: str, on: bool) -> None:
    """Marks a run, or takes the mark off. Raises UnknownName, WorkspaceError."""
    folder: RunFolder = found(workspace, run_id)
    mark = folder.path / STAR
    try:
        if on:
            mark.touch()
        else:
            mark.unlink(missing_ok=True)
    except OSError as e:
        raise problem(folder.path, e) from None


def noted(run: Run) -> str:
    """The newest note about a run: what was written since, else what it was started with."""
    try:
        return (run.folder / NOTE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return str(run.config.get("note") or "")


def note(workspace: Path, run_id: str, text: str) -> None:
    """Writes a note about a run in place of the one before; "" clears it.

    Raises Misuse above MOST_NOTED characters, UnknownName, WorkspaceError.
    """
    if len(text) > MOST_NOTED:
        raise Misuse(f"A note has at most {MOST_NOTED:,} characters; this one has {len(text):,}.")
    folder: RunFolder = found(workspace, run_id)
    beside = folder.path / f".{NOTE}.{os.getpid()}"
    try:
        beside.write_text(text.strip(), encoding="utf-8", errors="replace")
        beside.replace(folder.path / NOTE)
    except OSError as e:
        raise problem(folder.path, e) from None
