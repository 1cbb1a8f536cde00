"""Do gradients of earlier batches live on in a step? Read at the moment the optimizer uses them."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import nn

from recipe_core.kernel.errors import MissingInput
from recipe_core.kernel.progress import Progress
from recipe_core.kernel.readings import Reading
from recipe_core.skeleton.probes.common import affordable_batch
from recipe_core.training.seeds import seed_everything

WINDOWS = "ABBABBBB"
"""Which of two batches each step takes: B after A, and B after B, with the rate at zero."""
PATIENCE = 64
KEPT = 2_000
"""Gradient entries kept of each parameter."""


def gradient_reset(bench: Any, progress: Progress) -> Reading:
    """Two batches in turn, learning rate zero: equal batches must give equal gradients.

    Of the parameters that the optimizer holds: others may pile up what they like, no step uses it.

    numbers  every: calls of train_step per optimizer step (0: it never steps); names of parameters
    arrays   carried (P,): how much of the step before is in a step's gradient of each parameter,
             0 to 1; norms (8,): of the whole gradient at each step of WINDOWS
    """
    size = affordable_batch(bench)
    model = bench.model()
    optimizer = bench.optimizer(model)
    for group in optimizer.param_groups:
        group["lr"] = group["lr"] * 0
    batches = list(islice(bench.train_batches(batch_size=size), 2))
    if len(batches) < 2 or len(batches[0][0]) != len(batches[1][0]):
        raise MissingInput("there are not two training batches of the same size to compare")
    by_letter = dict(zip("AB", batches, strict=True))
    taken: list[list[torch.Tensor]] = []
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    names = [n for n, p in model.named_parameters() if p.requires_grad and id(p) in held]
    if not names:
        raise MissingInput("the optimizer holds none of the parameters that the model trains")
    handle = optimizer.register_step_pre_hook(lambda *_: taken.append(_gradients(model, names)))
    model.train()
    try:
        every = _every(bench, model, optimizer, batches[0], taken)
        if every:
            taken.clear()
            for i, letter in enumerate(WINDOWS):
                progress("steps", i, len(WINDOWS))
                _window(bench, model, optimizer, by_letter[letter], every)
    finally:
        handle.remove()
    numbers = {"every": every, "steps": len(taken), "windows": WINDOWS, "names": names}
    if len(taken) != len(WINDOWS):
        return Reading(numbers)
    return Reading(numbers, {"carried": _carried(taken), "norms": _norms(taken)})


def _every(
    bench: Any, model: nn.Module, optimizer: torch.optim.Optimizer, batch: Any,
    taken: list[list[torch.Tensor]],
) -> int:  # fmt: skip
    """Calls of train_step from one step of the optimizer to the next; 0 where it takes none."""
    at = []
    for call in range(PATIENCE):
        before = len(taken)
        bench.step(model, batch, optimizer)
        if len(taken) > before:
            at.append(call)
        if len(at) == 2:
            return at[1] - at[0]
    return 0


def _window(
    bench: Any, model: nn.Module, optimizer: torch.optim.Optimizer, batch: Any, every: int
) -> None:
    for k in range(every):
        seed_everything(bench.seed + k)  # the same dropout and mixing in every window
        bench.step(model, batch, optimizer)


def _gradients(model: nn.Module, names: list[str]) -> list[torch.Tensor]:
    """Of each parameter the same few entries of its gradient, or zeros."""
    own = dict(model.named_parameters())
    found = []
    for name in names:
        p = own[name]
        g = torch.zeros(1, device=p.device) if p.grad is None else p.grad.detach().flatten()
        stride = max(1, len(g) // KEPT)
        found.append(g[::stride].double().cpu())
    return found


def _carried(taken: list[list[torch.Tensor]]) -> np.ndarray[Any, Any]:
    """c of g(t) = g(batch) + c g(t - 1): B after B less B after A is c times B after A less A."""
    found = []
    for k in range(len(taken[0])):
        above, below = 0.0, 0.0
        for start in (0, 3):
            g1, g2, g3 = (taken[start + i][k] for i in range(3))
            if not len(g1) == len(g2) == len(g3):
                continue
            above += float((g3 - g2) @ (g2 - g1))
            below += float((g2 - g1) @ (g2 - g1))
        found.append(above / below if below > 0 else 0.0)
    return np.array(found)


def _norms(taken: list[list[torch.Tensor]]) -> np.ndarray[Any, Any]:
    return np.array([float(sum(float(g @ g) for g in step) ** 0.5) for step in taken])
