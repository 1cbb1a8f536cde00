"""What did an overfit run leave in its folder, for pages and judges? Read without torch.

RUN/samples/epoch-0001.npz   rows, loss, margin, correct of every training sample
RUN/looks/<key>.npz          what the net looked at, see `looking.py`
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from recipe_core.overfit.dynamics import Dynamics, dynamics
from recipe_core.store.workspace import read_arrays

Epoch = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.bool_]]


def epoch_losses(folder: Path) -> list[float]:
    """Mean loss over the training samples of each epoch, as the samples' own files have it."""
    return [float(np.nanmean(loss)) for loss, _, _ in _epochs(folder)]


def sample_dynamics(folder: Path) -> tuple[npt.NDArray[np.int64], Dynamics] | None:
    """(rows, signals) from a run's `samples/` files; None where it kept none."""
    epochs = list(_epochs(folder))
    if not epochs:
        return None
    rows = _rows(folder)
    loss = np.stack([e[0] for e in epochs])
    margin = np.stack([e[1] for e in epochs])
    correct = np.stack([e[2] for e in epochs])
    return rows, dynamics(loss, margin, np.exp(-loss), correct)


def _epochs(folder: Path) -> Iterator[Epoch]:
    for file in sorted((folder / "samples").glob("epoch-*.npz")):
        with np.load(file, allow_pickle=False) as kept:
            yield kept["loss"], kept["margin"], kept["correct"]


def _rows(folder: Path) -> npt.NDArray[np.int64]:
    first = next((folder / "samples").glob("epoch-*.npz"))
    with np.load(first, allow_pickle=False) as kept:
        return np.asarray(kept["rows"], np.int64)


def look_file(folder: Path, rows: Sequence[int] | npt.NDArray[np.int64]) -> Path:
    """Where the look at these samples is kept."""
    text = ",".join(str(int(r)) for r in rows)
    return folder / "looks" / f"{hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}.npz"


def newest_look(folder: Path) -> dict[str, npt.NDArray[Any]] | None:
    """The last look that was taken; None where there is none."""
    files = sorted((folder / "looks").glob("*.npz"), key=lambda p: p.stat().st_mtime_ns)
    return read_arrays(files[-1]) if files else None
