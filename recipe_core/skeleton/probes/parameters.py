"""On which tensors does the loss depend, which does the optimizer move, which does nobody know?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook

from recipe_core.kernel.progress import Progress
from recipe_core.kernel.readings import Reading

BATCHES = 3


def parameters(bench: Any, progress: Progress) -> Reading:
    """One forward and backward pass on a few batches, and the optimizer's list.

    numbers  names of all parameters and, in the same order, gradient (largest absolute value over
             the batches; None where the tensor is not part of the loss's graph), optimized,
             requires_grad, frozen, used (its module was called), bias, kind of the module;
             strangers: tensors in the graph that are no parameters of the model;
             foreign: tensors of the optimizer that the model does not have;
             hidden: kinds of the layers with weights that the model calls but does not own;
             unmatched: prefixes of `frozen` that no parameter has
    """
    progress("gradients", 0, BATCHES)
    model = bench.model()
    optimizer = bench.optimizer(model)
    mine = {id(p): n for n, p in model.named_parameters(remove_duplicate=False)}
    called: dict[int, nn.Module] = {}
    gradients: dict[str, float] = {}
    strangers: dict[int, str] = {}
    batches = bench.epochs(bench.seed)
    model.train()
    for i in range(BATCHES):
        progress("gradients", i, BATCHES)
        x, y, *_ = next(batches)
        model.zero_grad(set_to_none=True)
        with _noting(called), bench.place.autocast():
            loss = bench.loss_fn(model(x), y)
        for leaf in leaves(loss):
            if id(leaf) not in mine and leaf is not x:
                strangers[id(leaf)] = f"tensor of shape {tuple(leaf.shape)}"
        if loss.requires_grad:
            loss.backward()
        for name, p in model.named_parameters():
            if p.grad is not None:
                most = float(p.grad.detach().abs().max()) if p.numel() else 0.0
                gradients[name] = max(gradients.get(name, 0.0), most)
    optimized = {id(p) for group in optimizer.param_groups for p in group["params"]}
    owned = {id(m) for m in model.modules()}
    owner = {id(p): (n, m) for n, m in model.named_modules() for p in m.parameters(recurse=False)}
    frozen = tuple(bench.task.frozen or ())
    named = list(model.named_parameters())
    return Reading({
        "names": [n for n, _ in named],
        "gradient": [gradients.get(n) for n, _ in named],
        "optimized": [id(p) in optimized for _, p in named],
        "requires_grad": [bool(p.requires_grad) for _, p in named],
        "frozen": [any(n.startswith(f) for f in frozen) for n, _ in named],
        "used": [id(owner[id(p)][1]) in called if id(p) in owner else True for _, p in named],
        "bias": [p.ndim == 1 and n.endswith("bias") for n, p in named],
        "kind": [type(owner[id(p)][1]).__name__ if id(p) in owner else "" for _, p in named],
        "sizes": [p.numel() for _, p in named],
        "strangers": sorted(strangers.values()),
        "foreign": [str(tuple(p.shape)) for g in optimizer.param_groups for p in g["params"]
                    if id(p) not in mine],
        "hidden": sorted(
            type(m).__name__ for k, m in called.items()
            if k not in owned and any(id(p) not in mine for p in m.parameters(recurse=False))
        ),
        "unmatched": [f for f in frozen if not any(n.startswith(f) for n, _ in named)],
        "declared_frozen": list(frozen),
        "finite": bool(torch.isfinite(loss.detach()).all()),
    })  # fmt: skip


class _noting:
    """Notes every module that is called inside."""

    def __init__(self, called: dict[int, nn.Module]) -> None:
        self._called = called

    def __enter__(self) -> None:
        def note(module: nn.Module, inputs: Any) -> None:
            self._called[id(module)] = module

        self._handle = register_module_forward_pre_hook(note)

    def __exit__(self, *error: object) -> None:
        self._handle.remove()


def leaves(loss: torch.Tensor) -> Iterator[torch.Tensor]:
    """The tensors that a loss's gradients would be accumulated in."""
    seen, waiting = set(), [loss.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            yield node.variable
        waiting += [following for following, _ in node.next_functions]
