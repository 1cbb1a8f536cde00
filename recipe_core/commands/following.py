"""How does a command follow the run that it started, and say why it ended badly?"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from recipe_core.kernel.errors import Misuse, RecipeError

if TYPE_CHECKING:
    from recipe_core.runs.watching import Run


def followed(place: Path, run_id: str) -> Run:
    """The run once it is done. Ctrl-C stops it.

    Raises Cancelled where it was stopped, Misuse for what could not be asked, RecipeError.
    """
    from recipe_core import pipeline

    ended = pipeline.follow(place, run_id, _listener())
    if ended.status == "done":
        return ended
    last = ended.traceback.strip().rpartition("\n")[2]
    if last.startswith("recipe_core.") or not ended.traceback:
        raise Misuse(ended.message)
    raise RecipeError(f"{ended.id} ended as {ended.status}: {ended.message}\n{ended.traceback}")


def _listener() -> Callable[[Run], None]:
    """Says each activity once; on a terminal it draws one line."""
    said: list[str] = []

    def listen(state: Run) -> None:
        doing = state.progress
        if sys.stderr.isatty():
            line = f"{state.status}: {doing.activity} {doing.done:,}/{doing.total:,}"
            sys.stderr.write(f"\r\x1b[K{line if state.live else ''}")
            sys.stderr.flush()
        elif state.live and doing.activity and doing.activity not in said:
            said.append(doing.activity)
            print(f"{doing.activity} …", file=sys.stderr)

    return listen
