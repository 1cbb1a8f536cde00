"""How does a command follow the run that it started, and say why it ended badly?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from recipe_core.commands import printed
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
    tell = printed.teller()

    def listen(state: Run) -> None:
        doing = state.progress
        if not state.live:
            printed.clear()
        elif state.status == "running":
            tell(doing.activity, doing.done, doing.total, doing.rate, doing.eta_s)
        else:
            tell(f"{state.status}: {doing.activity}" if doing.activity else state.status, 0, 0)

    return listen
