"""The second desk: what can one ask of a training pipeline? The command line, the app and Python
all call these.

from recipe_core import pipeline
run_id = pipeline.launch("w", "train", "recipe_core.training.loop:train", config)
for run in pipeline.runs("w"):
    print(run.id, run.status, run.progress)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recipe_core import recipe

if TYPE_CHECKING:
    from recipe_core.runs.curves import Curve
    from recipe_core.runs.folder import RunFolder
    from recipe_core.runs.watching import Run


# -- runs ---------------------------------------------------------------------------------------


def launch(
    workspace: Path | str | None,
    kind: str,
    entry: str,
    config: Mapping[str, Any],
    title: str = "",
    command: str = "",
    device: str = "",
    *,
    queue: str = "auto",
) -> str:
    """Starts a run in a process of its own; its id. See runs.launching.launch."""
    from recipe_core.runs import launching

    return launching.launch(
        _place(workspace), kind, entry, config, title=title, command=command, device=device,
        queue=queue,
    )  # fmt: skip


def runs(workspace: Path | str | None = None, *, trash: bool = False) -> tuple[Run, ...]:
    """Every run (or every deleted one), newest first; those that ended are read once a process."""
    from recipe_core.runs import launching, watching

    launching.reap()
    return watching.runs(_place(workspace), trash)


def run(workspace: Path | str | None, run_id: str) -> Run:
    """One run as it is now. Raises UnknownName."""
    from recipe_core.runs import launching, watching

    launching.reap()
    return watching.run(_place(workspace), run_id)


def stop(workspace: Path | str | None, run_id: str, *, wait: bool = True, now: bool = False) -> Run:
    """Asks a run to stop: it finishes its step and saves, within 10 s; else it is made to end.

    wait  until it has ended (a page only asks); now: it may not finish its step
    """
    from recipe_core.runs import launching

    patience = {"finish_s": 0.0, "unwind_s": 1.0} if now else {}
    return launching.stop(_place(workspace), run_id, wait=wait, **patience)


def follow(
    workspace: Path | str | None,
    run_id: str,
    listener: Callable[[Run], object] = lambda run: None,
    *,
    every_s: float = 0.25,
) -> Run:
    """Waits for a run's end and tells the listener how it is doing; Ctrl-C stops the run.

    Raises Cancelled where it was stopped, by whomever.
    """
    from recipe_core.kernel.errors import Cancelled

    try:
        while (state := run(workspace, run_id)).live:
            listener(state)
            time.sleep(every_s)
    except KeyboardInterrupt:
        state = stop(workspace, run_id)
    listener(state)
    if state.status == "stopped":
        raise Cancelled(f"{run_id} was stopped; it can be resumed.")
    return state


def resume(workspace: Path | str | None, run_id: str) -> None:
    """Goes on with a run that ended early. Raises Misuse where it is alive or done."""
    from recipe_core.runs import launching

    launching.resume(_place(workspace), run_id)


def delete(workspace: Path | str | None, run_id: str) -> None:
    """Moves a run to the trash, from where `restore` brings it back. Raises Misuse if alive."""
    from recipe_core.runs import launching

    launching.delete(_place(workspace), run_id)


def restore(workspace: Path | str | None, run_id: str) -> None:
    """Brings a deleted run back."""
    from recipe_core.runs import launching

    launching.restore(_place(workspace), run_id)


def empty_trash(workspace: Path | str | None = None) -> int:
    """Deletes the deleted runs for good; how many there were."""
    from recipe_core.runs import launching

    return launching.empty_trash(_place(workspace))


# -- what a run shows -----------------------------------------------------------------------------


def curves(
    workspace: Path | str | None,
    run_id: str,
    names: Sequence[str] | None = None,
    *,
    after: int | None = None,
    most: int = 3000,
) -> tuple[Curve, ...]:
    """A run's curves, thinned so that spikes stay. See runs.curves.curves."""
    from recipe_core.runs.curves import curves as read

    return read(_folder(workspace, run_id), names, after=after, most=most)


def last_values(workspace: Path | str | None, run_id: str) -> dict[str, float]:
    """The newest value of each curve."""
    from recipe_core.runs.curves import last_values as read

    return read(_folder(workspace, run_id))


def log_tail(workspace: Path | str | None, run_id: str, most: int = 8000) -> str:
    """The last lines that the process printed."""
    from recipe_core.runs.watching import log_tail as read

    return read(_folder(workspace, run_id), most)


def events(workspace: Path | str | None, run_id: str, after: int = 0) -> list[dict[str, Any]]:
    """What happened to a run, oldest first, without the first `after` events."""
    from recipe_core.runs.curves import events as read

    return read(_folder(workspace, run_id), after)


def _folder(workspace: Path | str | None, run_id: str) -> RunFolder:
    from recipe_core.runs.folder import found

    return found(_place(workspace), run_id)


def _place(workspace: Path | str | None) -> Path:
    return (Path(workspace) if workspace is not None else recipe.default_workspace()).resolve()
