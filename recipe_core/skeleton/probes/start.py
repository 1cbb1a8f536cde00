"""What does the net say before it has learned anything, and what does that cost?"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from recipe_core.kernel.progress import Progress
from recipe_core.kernel.readings import Reading
from recipe_core.skeleton.probes.common import (
    mean_loss,
    sample_losses,
    some,
    stacked,
    train_logits,
)
from recipe_core.training.floors import as_output, output_kind

SAMPLES = 512
SEEDS = 3
WILDNESS = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0, 20.0, 50.0, 100.0)
"""Standard deviations of made-up logits: the scale on which a first loss is read."""


def start(bench: Any, progress: Progress) -> Reading:
    """Losses of untrained nets on training samples, in training mode, as the first steps see them.

    numbers  losses (one per seed), uniform (the loss function on equal outputs), best (its minimum
             over constant outputs) and best_bias, bias_loss (on the last layer's bias alone),
             standard_error, wild (losses of made-up logits of WILDNESS), kind of output, n
    """
    n = min(SAMPLES, len(bench.train_set))
    x, y = stacked(bench.train_set, some(len(bench.train_set), n, bench.seed), bench)
    losses, outputs, errors, models = [], [], [], []
    batch = min(bench.config.batch_size, 64)
    for i in range(SEEDS):
        progress("untrained nets", i, SEEDS)
        model = bench.model(bench.seed + i)
        z = train_logits(bench, model, x, batch)
        kept = y[: len(z)]
        losses.append(mean_loss(bench.loss_fn, z, kept, batch))
        each = sample_losses(bench.loss_fn, z, kept)
        errors.append(float(each.std() / np.sqrt(len(each))) if each is not None else 0.0)
        outputs.append(z)
        models.append(model)
    kind = output_kind(outputs[0])
    z, y = outputs[0], y[: len(outputs[0])]
    best, best_bias = best_constant(bench, y, kind, z.shape[1])
    bias = last_bias(models[0], z.shape[1])
    return Reading({
        "n": len(y), "kind": kind, "num_classes": int(z.shape[1]), "losses": losses,
        "uniform": mean_loss(bench.loss_fn, as_output(torch.zeros_like(z), kind), y, batch),
        "best": best, "best_bias": best_bias,
        "bias": None if bias is None else bias.tolist(),
        "bias_loss": None if bias is None else mean_loss(
            bench.loss_fn, as_output(bias.to(z).expand_as(z), kind), y, batch
        ),
        "standard_error": float(np.mean(errors)),
        "wildness": list(WILDNESS), "wild": wild(bench, y, kind, z.shape[1], batch),
        "spread": float((z - z.mean(0)).double().std(1).mean()),
        "counts": torch.bincount(y, minlength=z.shape[1]).tolist(),
        "loaded": loaded(models[0], models[1]),
        "cross_entropy": is_cross_entropy(bench, z.shape[1]),
    })  # fmt: skip


def wild(bench: Any, y: Any, kind: str, classes: int, batch: int) -> list[float]:
    """The loss of made-up normal logits of each of WILDNESS, on these labels."""
    draws = torch.randn(len(y), classes, generator=torch.Generator().manual_seed(0)).to(y.device)
    return [mean_loss(bench.loss_fn, as_output(s * draws, kind), y, batch) for s in WILDNESS]


def best_constant(bench: Any, y: Any, kind: str, classes: int) -> tuple[float, list[float]]:
    """The lowest loss that one output for all samples can reach, and the logits that reach it.

    NaN where the loss has no minimum there.
    """
    shares = torch.bincount(y, minlength=classes).double().clamp(min=0.5)
    bias = (shares / shares.sum()).log().float().requires_grad_()
    rate = torch.optim.Adam([bias], lr=0.05)
    first = best = mean_loss(bench.loss_fn, as_output(bias.expand(len(y), -1), kind), y, len(y))
    kept = bias.detach().clone()
    with torch.enable_grad():
        for _ in range(200):
            loss = bench.loss_fn(as_output(bias.expand(len(y), -1), kind), y)
            if not loss.requires_grad or not bool(torch.isfinite(loss)):
                break
            if float(loss.detach()) < best:
                best, kept = float(loss.detach()), bias.detach().clone()
            rate.zero_grad()
            loss.backward()
            rate.step()
    if best < first - 2 * abs(first) - 1:
        return float("nan"), kept.tolist()
    return best, kept.tolist()


def last_bias(model: Any, classes: int) -> Any:
    """The bias of the last layer with so many outputs; None without one."""
    from torch import nn

    found = [
        m.bias for m in model.modules()
        if isinstance(m, nn.Linear | nn.Conv2d) and m.bias is not None and len(m.bias) == classes
    ]  # fmt: skip
    return found[-1].detach().float() if found else None


def loaded(one: Any, other: Any) -> float:
    """Share of the weights that two seeds have in common: those are not drawn but loaded."""
    same = total = 0
    for p, q in zip(one.parameters(), other.parameters(), strict=True):
        if p.ndim > 1:
            total += p.numel()
            same += p.numel() * int(torch.equal(p, q))
    return same / total if total else 0.0


def is_cross_entropy(bench: Any, classes: int) -> bool:
    """Whether the loss equals the cross entropy on made-up logits (no weights, no smoothing)."""
    made = torch.Generator().manual_seed(1)
    z = torch.randn(32, classes, generator=made).to(bench.device)
    y = torch.randint(classes, (32,), generator=made).to(bench.device)
    with torch.no_grad():
        got = float(bench.loss_fn(z, y))
    return bool(np.isclose(got, float(torch.nn.functional.cross_entropy(z, y)), rtol=1e-3))
