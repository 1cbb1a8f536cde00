"""Which optimizer and which schedule does a configuration mean?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau

from recipe_core.training.config import RunConfig
from recipe_core.training.schedules import (
    PLATEAU_FACTOR,
    PLATEAU_PATIENCE,
    multiplier,
    total_steps,
)

NORMS = (
    nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.LocalResponseNorm,
)  # fmt: skip


def optimizer_for(model: nn.Module, config: RunConfig) -> torch.optim.Optimizer:
    """The optimizer of `config` over the parameters that may move."""
    groups = parameter_groups(model, config.weight_decay)
    on_gpu = any(p.is_cuda for group in groups for p in group["params"])
    fused: dict[str, Any] = {"fused": True} if on_gpu else {}
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, **fused)
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, lr=config.lr, betas=(config.momentum, 0.999), **fused)


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """One group; two where weights decay: norms, biases and embeddings of no matrix do not."""
    moving = [p for p in model.parameters() if p.requires_grad]
    if not weight_decay:
        return [{"params": moving, "weight_decay": 0.0}]
    exempt = {id(p) for m in model.modules() if isinstance(m, NORMS) for p in m.parameters()}
    decayed = [p for p in moving if p.ndim > 1 and id(p) not in exempt]
    others = [p for p in moving if p.ndim <= 1 or id(p) in exempt]
    groups = [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return [g for g in groups if g["params"]]


def scheduler_for(
    optimizer: torch.optim.Optimizer, config: RunConfig, steps_per_epoch: int, epochs: int
) -> LRScheduler | ReduceLROnPlateau | None:
    """The scheduler of `config`, stepped after every optimisation step (plateau: every evaluation).

    None where the rate never changes.
    """
    if config.schedule == "plateau":
        return ReduceLROnPlateau(optimizer, factor=PLATEAU_FACTOR, patience=PLATEAU_PATIENCE)
    if config.schedule == "constant" and not config.warmup_steps:
        return None
    total = total_steps(config.but(epochs=epochs), steps_per_epoch)
    return LambdaLR(optimizer, _at(config, total))


def _at(config: RunConfig, total: int) -> Callable[[int], float]:
    return lambda step: multiplier(config, step, total)
