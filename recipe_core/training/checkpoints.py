"""How does a run go on exactly where it stopped? From the newest complete checkpoint.

    RUN/checkpoints/step-000000120/model.pt    what the task's save_checkpoint wrote
    RUN/checkpoints/step-000000120/state.pt    scheduler, generators, place in the epoch, the best
    RUN/checkpoints/latest                     the name of the newest complete folder
    RUN/checkpoints/best.pt                    the weights with the lowest evaluation loss

A checkpoint is written under a temporary name and renamed; `latest` is replaced after that, and
only then is the older one deleted. A process killed at any moment leaves a complete one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from recipe_core.kernel.errors import WorkspaceError
from recipe_core.store.workspace import replaced


def save(folder: Path, step: int, model: Callable[[Path], object], state: dict[str, Any]) -> None:
    """Writes a checkpoint; `model` writes the task's own part into the path it gets.

    state  values that `torch.load(weights_only=True)` reads back

    Raises WorkspaceError where it cannot be written; the earlier checkpoint is intact then.
    """
    place = folder / "checkpoints"
    try:
        place.mkdir(parents=True, exist_ok=True)
        _write(place, place / f"step-{step:09d}", model, state)
    except OSError as e:
        raise WorkspaceError(
            f"The checkpoint of step {step} cannot be written to {place}: {e.strerror or e}. Free "
            "some space and resume: the earlier checkpoint is intact."
        ) from e
    except RuntimeError as e:  # torch's writer says so when the disk is full
        if "PytorchStreamWriter" not in str(e) and "write" not in str(e):
            raise
        raise WorkspaceError(
            f"The checkpoint of step {step} cannot be written to {place}: {e}. Free some space and "
            "resume: the earlier checkpoint is intact."
        ) from e


def _write(
    place: Path, final: Path, model: Callable[[Path], object], state: dict[str, Any]
) -> None:
    temporary = place / f".{final.name}.{os.getpid()}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir()
        model(temporary / "model.pt")
        torch.save(state, temporary / "state.pt")
        for file in temporary.iterdir():
            _to_disk(file)
        shutil.rmtree(final, ignore_errors=True)  # of an attempt that died right after writing it
        temporary.rename(final)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    replaced(place / "latest", lambda p: p.write_text(final.name, encoding="ascii"))
    for old in place.glob("step-*"):
        if old != final:
            shutil.rmtree(old, ignore_errors=True)


def _to_disk(file: Path) -> None:
    handle = os.open(file, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def save_best(folder: Path, weights: dict[str, torch.Tensor]) -> None:
    """Keeps the best weights so far as a state dict. Raises WorkspaceError."""
    place = folder / "checkpoints"
    try:
        place.mkdir(parents=True, exist_ok=True)
        replaced(place / "best.pt", lambda p: torch.save(weights, p))
    except (OSError, RuntimeError) as e:
        raise WorkspaceError(f"The best weights cannot be written to {place}: {e}.") from e


def latest(folder: Path) -> Path | None:
    """The newest complete checkpoint of a run; None where there is none."""
    place = folder / "checkpoints"
    try:
        found = place / (place / "latest").read_text(encoding="ascii").strip()
    except OSError:
        return None
    return found if (found / "state.pt").exists() else None


def state_of(checkpoint: Path) -> dict[str, Any]:
    """The state that `save` was given."""
    found: dict[str, Any] = torch.load(
        checkpoint / "state.pt", map_location="cpu", weights_only=True
    )
    return found
