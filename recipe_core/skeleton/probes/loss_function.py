"""What does the loss say about outputs that are made up? And the step that is taken with it?"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from recipe_core.kernel.progress import Progress
from recipe_core.kernel.readings import Reading
from recipe_core.skeleton.probes.made_up import Kind, MadeUp, kind_of, one_hot, pushed

SCALES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
SURE = 8.0
"""Logit that makes a prediction sure: probability 0.997 among ten classes."""
SINGLES = 24
STEPS = 12
PATIENCE = 32
"""Calls of train_step after which one that accumulates gradients has taken its step."""


def loss_function(bench: Any, progress: Progress) -> Reading:
    """Values and gradients of the loss on made-up outputs; what train_step does with a made-up net.

    arrays  single_z (24, 1, C), single_t (24, 1), single_values (24,): samples alone
            right, wrong (7,): every class predicted at logit SCALES, rightly, or as the next class
            pull (2, C): how much the gradient raises the label's logit above the others' mean, at
            equal logits and at half a logit for the label; raised (C,): which logit it raises most
            flat (2, C): norm of a sample's gradient, the largest of those at logits 0, 1/2 and 2
            for the label, and the one where it is surely wrong
            step_*: the same of train_step: z (12, B, C), t (12, B), values (12,), losses (12,) of
            the loss function on the same; step_pull (2, B) at equal logits, and surely wrong
    """
    kind = kind_of(bench)
    classes = bench.task.num_classes
    draw = torch.Generator().manual_seed(0)
    y = torch.arange(classes, device=bench.device)
    z = (2 * torch.randn(classes, classes, generator=draw)).to(bench.device)
    numbers = {"kind": kind, **_whole(bench, kind, z, y, draw)}
    arrays = {**_singles(bench, kind, draw), **_sure(bench, kind, y), **_gradients(bench, kind, y)}
    arrays["counts"] = np.bincount(bench.labels("train"), minlength=classes)
    progress("train_step on made-up outputs", 1, 2)
    try:
        arrays |= _steps(bench, kind, draw)
    except Exception as e:  # it may need more of its model than outputs: then it is not judged
        numbers["step_not_judged"] = f"{type(e).__name__}: {e}"[:300]
    return Reading(numbers, arrays)


def _value(bench: Any, kind: Kind, z: torch.Tensor, y: torch.Tensor) -> float:
    value = bench.loss_fn(pushed(z, kind), y)
    return float(value.detach()) if value.numel() == 1 else float("nan")


def _whole(
    bench: Any, kind: Kind, z: torch.Tensor, y: torch.Tensor, draw: torch.Generator
) -> dict[str, Any]:
    out = bench.loss_fn(pushed(z.clone().requires_grad_(), kind), y)
    order = torch.randperm(len(y), generator=draw).to(y.device)
    return {
        "shape": list(out.shape),
        "differentiable": bool(out.requires_grad),
        "once": _value(bench, kind, z, y),
        "twice": _value(bench, kind, torch.cat([z, z]), torch.cat([y, y])),
        "reordered": _value(bench, kind, z[order], y[order]),
        "shifted": _value(bench, kind, z + 3.0, y),
    }


def _singles(bench: Any, kind: Kind, draw: torch.Generator) -> dict[str, Any]:
    classes = bench.task.num_classes
    z = 2 * torch.randn(SINGLES, 1, classes, generator=draw)
    t = torch.randint(classes, (SINGLES, 1), generator=draw)
    values = [_value(bench, kind, z[i].to(bench.device), t[i].to(bench.device))
              for i in range(SINGLES)]  # fmt: skip
    return {"single_z": z.numpy().astype(np.float64), "single_t": t.numpy(),
            "single_values": np.array(values)}  # fmt: skip


def _sure(bench: Any, kind: Kind, y: torch.Tensor) -> dict[str, Any]:
    classes = bench.task.num_classes
    other = (y + 1) % classes
    return {
        "scales": np.array(SCALES),
        "right": np.array([_value(bench, kind, one_hot(y, classes, s), y) for s in SCALES]),
        "wrong": np.array([_value(bench, kind, one_hot(other, classes, s), y) for s in SCALES]),
    }


def _gradients(bench: Any, kind: Kind, y: torch.Tensor) -> dict[str, Any]:
    classes = bench.task.num_classes
    equal = _gradient(bench, kind, one_hot(y, classes, 0.0), y)
    half = _gradient(bench, kind, one_hot(y, classes, 0.5), y)
    wrong = _gradient(bench, kind, one_hot((y + 1) % classes, classes, SURE), y)
    moderate = _gradient(bench, kind, one_hot(y, classes, 2.0), y)
    start = torch.stack([g.norm(dim=1) for g in (equal, half, moderate)]).amax(0)
    steepest = torch.where((half.abs().amax(1) > 0)[:, None], half, equal)
    return {
        "pull": torch.stack([_pull(equal, y), _pull(half, y)]).numpy(),
        "raised": steepest.argmin(1).numpy(),
        "flat": torch.stack([start, wrong.norm(dim=1)]).numpy(),
    }


def class_pull(bench: Any, kind: Kind) -> torch.Tensor:
    """(C,) how strongly a sample of each class pulls at equal logits: the classes' weights."""
    y = torch.arange(bench.task.num_classes, device=bench.device)
    return _pull(_gradient(bench, kind, one_hot(y, len(y), 0.0), y), y).abs()


def _gradient(bench: Any, kind: Kind, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    z = z.clone().requires_grad_()
    value = bench.loss_fn(pushed(z, kind), y)
    if value.requires_grad:
        value.sum().backward()
    return (torch.zeros_like(z) if z.grad is None else z.grad).double().cpu()


def _pull(gradient: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """(B,) how much a step against the gradient raises the label's logit above the others' mean."""
    own = gradient.gather(1, y.cpu()[:, None])[:, 0]
    others = (gradient.sum(1) - own) / max(1, gradient.shape[1] - 1)
    return others - own


def _steps(bench: Any, kind: Kind, draw: torch.Generator) -> dict[str, Any]:
    classes = bench.task.num_classes
    x, _, _ = bench.sample(min(32, bench.config.batch_size), split="train")
    n = len(x)
    t = torch.randint(classes, (STEPS, n), generator=draw)
    z = 2 * torch.randn(STEPS, n, classes, generator=draw)
    values, losses = [], []
    for k in range(STEPS):
        target = t[k].to(bench.device)
        values.append(_stepped(bench, kind, z[k], x, target)[0])
        losses.append(_value(bench, kind, z[k].to(bench.device), target))
    y = t[0].to(bench.device)
    pulls = [
        _pull(-_stepped(bench, kind, one_hot(label, classes, s), x, y)[1], y)
        for label, s in ((y, 0.0), ((y + 1) % classes, SURE))
    ]
    return {
        "step_z": z.numpy().astype(np.float64), "step_t": t.numpy(),
        "step_values": np.array(values), "step_losses": np.array(losses),
        "step_pull": torch.stack(pulls).numpy(),
    }  # fmt: skip


def _stepped(
    bench: Any, kind: Kind, z: torch.Tensor, x: torch.Tensor, y: torch.Tensor
) -> tuple[float, torch.Tensor]:
    """The loss of the first call of train_step on a made-up net, and how its outputs moved."""
    model = MadeUp(z.to(bench.device), kind).train()
    before = model.z.detach().clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    first = 0.0
    for call in range(PATIENCE):
        loss = bench.step(model, (x, y), optimizer)
        first = float(loss) if call == 0 else first
        if not torch.equal(model.z.detach(), before):
            break
    return first, (model.z.detach() - before).double().cpu()
