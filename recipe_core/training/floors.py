"""How low can a loss function go on these labels? Its own floor, not an assumed zero."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from recipe_core.training.bench import Bench
from recipe_core.training.images import stratified

FLOOR_SAMPLES = 512
"""Labels on which a floor is sought: more do not move a mean of equal terms."""


def training_floor(bench: Bench) -> float:
    """The least that the bench's loss function gives on labels in the training set's shares."""
    labels = bench.labels("train")
    some = stratified(labels, min(FLOOR_SAMPLES, len(labels)), 0)
    y = torch.from_numpy(labels[some]).to(bench.device)
    x, _, _ = bench.sample(8, "train")
    kind = output_kind(bench.logits(bench.model(), x))
    return floor_of(bench.loss_fn, y, bench.task.num_classes, kind)[0]


def floor_of(loss_fn: Any, y: Any, classes: int, kind: str) -> tuple[float, float]:
    """(lowest, uniform): the least that the loss function gives on these labels, and its value on
    equal outputs.

    Found by descent on free outputs from confident right ones; -inf where it falls without end
    (probabilities or log-probabilities are then tried within their bounds).
    """
    right = nn.functional.one_hot(y, classes).float()
    with torch.no_grad():
        uniform = float(loss_fn(as_output(torch.zeros_like(right), kind), y))
    lowest = _descended(loss_fn, right, y, "logits")
    if lowest == -np.inf and kind != "logits":
        lowest = _descended(loss_fn, right, y, kind)
    return lowest, uniform


def _descended(loss_fn: Any, right: Any, y: Any, kind: str) -> float:
    confident = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]
    with torch.no_grad():
        found = [float(loss_fn(as_output(s * right, kind), y)) for s in confident]
        far = float(loss_fn(as_output(1e4 * right, kind), y))
        further = float(loss_fn(as_output(2e4 * right, kind), y))
    if further < far - 1 and far < min(found) - 1:
        return -np.inf
    best = int(np.nanargmin(found))
    z = (confident[best] * right).requires_grad_()
    rate = torch.optim.Adam([z], lr=0.1)
    lowest = found[best]
    with torch.enable_grad():
        for _ in range(300):
            loss = loss_fn(as_output(z, kind), y)
            if not loss.requires_grad or not bool(torch.isfinite(loss)):
                break
            lowest = min(lowest, float(loss.detach()))
            rate.zero_grad()
            loss.backward()
            rate.step()
    return lowest


def output_kind(z: Any) -> str:
    """What a model puts out: "probabilities", "log_probabilities", or "logits"."""
    z = z.double()
    if not bool(torch.isfinite(z).all()):
        return "logits"
    ones = torch.ones(len(z), dtype=z.dtype, device=z.device)
    if bool((z >= 0).all()) and torch.allclose(z.sum(1), ones, atol=1e-3):
        return "probabilities"
    if bool((z <= 1e-6).all()) and torch.allclose(z.exp().sum(1), ones, atol=1e-3):
        return "log_probabilities"
    return "logits"


def as_output(z: Any, kind: str) -> Any:
    """Logits as the kind of output that the model gives."""
    if kind == "probabilities":
        return torch.softmax(z, 1)
    return torch.log_softmax(z, 1) if kind == "log_probabilities" else z
