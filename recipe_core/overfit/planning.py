"""Which run comes first, and which ones prove what it showed?

The recipe: the nearest paper's network, Adam at 3e-4, nothing that regularizes; then the same with
other seeds, because one run is an anecdote.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recipe_core.store.results import read_evidence
from recipe_core.store.workspace import Workspace
from recipe_core.training.config import RunConfig
from recipe_core.training.images import open_images

LEAST_STEPS = 1500
"""Optimisation steps within which a net that can overfit a small set has done so."""
LEAST_EPOCHS, MOST_EPOCHS = 20, 200
GPU_SIDE, CPU_SIDE = 224, 64
OVERFIT = RunConfig(model="resnet50", per_sample=True)
"""What `recipe overfit` runs where nothing is asked for."""
NEUTRAL: dict[str, object] = {
    "weight_decay": 0.0, "dropout": 0.0, "augmentation": "none", "mixup": 0.0,
    "label_smoothing": 0.0, "patience": 0,
}  # fmt: skip
"""Fields that hold a model back, and the value at which they do not."""


@dataclass(frozen=True)
class Facts:
    """What the first configuration depends on.

    side    median of the shorter side, pixels
    device  cuda, mps or cpu
    """

    n_train: int
    n_classes: int
    side: int
    device: str


@dataclass(frozen=True)
class Proposal:
    """A configuration, and for each field that was chosen the reason."""

    config: RunConfig
    reasons: tuple[str, ...]


def facts(workspace: Path, device: str) -> Facts:
    """The facts of a workspace's data set. Raises WorkspaceError, Misuse."""
    images = open_images(workspace, RunConfig(), pixels=False)
    evidence = read_evidence(Workspace(workspace))
    sides = np.minimum(evidence.numbers("width"), evidence.numbers("height"))[images.rows]
    kind = device.partition(":")[0]
    return Facts(len(images.train), images.num_classes, int(np.nanmedian(sides)), kind)


def first_config(facts: Facts) -> Proposal:
    """The overfit baseline for these data on this machine."""
    gpu = facts.device != "cpu"
    side = max(16, min(GPU_SIDE if gpu else CPU_SIDE, facts.side) // 8 * 8)
    batch = min(64, max(8, facts.n_train // 8))
    epochs = _epochs(facts.n_train, batch)
    config = RunConfig(
        model="resnet50" if gpu else "resnet18", image_size=side, batch_size=batch, epochs=epochs,
        per_sample=True,
    )  # fmt: skip
    where = "the GPU carries it" if gpu else "without a GPU a ResNet-50 takes hours"
    return Proposal(config, (
        f"{config.model}: the safe backbone; {where}.",
        f"{side} px: the pictures' shorter side is {facts.side} px in the median"
        + ("" if gpu else ", and small pictures train at a bearable pace here") + ".",
        f"{epochs} epochs of {_per_epoch(facts.n_train, batch):,} steps: time to learn "
        f"{facts.n_train:,} samples by heart.",
        "Adam at 3e-4, constant; no augmentation, weight decay, dropout or smoothing: first "
        "overfit, then regularize.",
    ))  # fmt: skip


def _epochs(n_train: int, batch: int) -> int:
    wanted = -(-LEAST_STEPS // _per_epoch(n_train, batch))
    return int(min(MOST_EPOCHS, max(LEAST_EPOCHS, wanted)))


def _per_epoch(n_train: int, batch: int) -> int:
    return max(1, -(-n_train // batch))


def regularizers(config: RunConfig) -> tuple[str, ...]:
    """The fields of this configuration that hold the model back, as `name value`."""
    return tuple(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
        for name, neutral in NEUTRAL.items()
        if (value := getattr(config, name)) != neutral
    )


def repeats(config: RunConfig, n: int, taken: Iterable[int] = ()) -> tuple[RunConfig, ...]:
    """The same configuration under `n` seeds that none of its runs has had yet."""
    used = {*taken, config.seed} if taken else {config.seed}
    free = (seed for seed in range(len(used) + n) if seed not in used)
    return tuple(config.but(seed=next(free)) for _ in range(n))
