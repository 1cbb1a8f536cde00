"""What does a network say of every picture that it has not seen? One training run per fold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from recipe_core.kernel.evidence import Evidence
from recipe_core.kernel.progress import Progress, silent
from recipe_core.training.bench import Bench
from recipe_core.training.config import RunConfig
from recipe_core.training.images import Images, images_of, with_pixels
from recipe_core.training.loop import train
from recipe_core.training.task import load_task

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


class _Silent:
    """A log of a fold: five curves over one another would be no curve."""

    def scalars(self, step: int, values: Mapping[str, float], epoch: float | None = None) -> None:
        """Nothing is kept."""

    def epoch(self, epoch: int, values: Mapping[str, float], step: int | None = None) -> None:
        """Nothing is kept."""

    def event(self, kind: str, text: str, **data: Any) -> None:
        """Nothing is kept."""

    def rewind(self, step: int) -> None:
        """Nothing was kept."""

    def flush(self) -> None:
        """Nothing to write."""


def crossed(
    evidence: Evidence, rows: Indices, labels: Indices, class_names: Sequence[str],
    folds: Indices, config: RunConfig, *, workspace: Path, folder: Path,
    stop_asked: Callable[[], bool] = lambda: False, progress: Progress = silent,
) -> Floats:  # fmt: skip
    """(k, classes) float64 out-of-sample probabilities, rows sum to 1.

    rows    (k,) sample rows, labelled and readable
    labels  (k,) 0 … classes - 1
    folds   (k,) from 0: a picture's probabilities are those of a network trained on other folds
    folder  gets fold-0, fold-1, …; a fold that an earlier attempt began is gone on with

    A picture that cannot be read any more has equal probabilities. Raises as `loop.train` does.
    """
    images = images_of(evidence, rows, labels, tuple(class_names))
    images = with_pixels(images, config.image_size, workspace / "pixels", progress)
    place = np.searchsorted(rows, images.rows)
    found = np.full((len(rows), len(class_names)), 1 / len(class_names))
    for k in range(int(folds.max()) + 1):
        seen, said = _fold(images, folds[place] == k, config, workspace, folder / f"fold-{k}",
                           stop_asked, _of_fold(progress, k, int(folds.max()) + 1))  # fmt: skip
        found[np.searchsorted(rows, seen)] = said
    return found


def _fold(
    images: Images, held: npt.NDArray[np.bool_], config: RunConfig, workspace: Path, folder: Path,
    stop_asked: Callable[[], bool], progress: Progress,
) -> tuple[Indices, Floats]:  # fmt: skip
    """(m,) rows held out, (m, classes) what the network of the others says of them."""
    parted = replace(images, train=np.flatnonzero(~held), eval=np.flatnonzero(held))
    bench = Bench(load_task("", parted, config), config, parted, workspace)
    train(bench, folder, _Silent(), stop_asked=stop_asked, progress=progress, resume=True)
    with np.load(folder / "predictions.npz") as kept:
        logits = kept["logits"].astype(np.float64)
        logits -= logits.max(1, keepdims=True)
        p = np.exp(logits)
        return kept["rows"], p / p.sum(1, keepdims=True)


def _of_fold(progress: Progress, k: int, n: int) -> Progress:
    def told(activity: str, done: int, total: int) -> None:
        progress(f"network {k + 1} of {n}: {activity}", done, total)

    return told
