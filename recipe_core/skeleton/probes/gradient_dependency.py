"""On which inputs of the batch does each output depend? All pairs, in both modes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from recipe_core.kernel.progress import Progress
from recipe_core.kernel.readings import Reading
from recipe_core.skeleton.probes.seen import warmed
from recipe_core.training.seeds import seed_everything

BATCH = 12
FEW = 4
Matrix = npt.NDArray[np.float64]


def gradient_dependency(bench: Any, progress: Progress) -> Reading:
    """Matrices (B, B): row i, column j: what output i gets from input j.

    arrays   evaluation, training: max |d(projected output i) / d(input j)|; no_norms: in training
             with the layers that normalise over the batch in evaluation mode;
             moved: max |change of output i| when input j is replaced, in evaluation mode
    numbers  evaluation_layers, training_layers: [[name, class], …] innermost modules that mix
    """
    model = warmed(bench)
    x, _, rows = bench.sample(BATCH)
    arrays = {"rows": rows}
    model.eval()
    arrays["evaluation"] = _gradients(bench, model, x)
    progress("replacing inputs", 1, 4)
    arrays["moved"], scale = _moved(bench, model, x)
    numbers: dict[str, Any] = {"scale": scale, "evaluation_layers": [], "training_layers": []}
    if _mixes(arrays["evaluation"]):
        numbers["evaluation_layers"] = _culprits(bench, model, x[:FEW])
    progress("training mode", 2, 4)
    model.train()
    arrays["training"] = _gradients(bench, model, x)
    if _mixes(arrays["training"]):
        norms = [(n, m) for n, m in model.named_modules() if _normalises(m)]
        numbers["norms"] = [[n, type(m).__name__] for n, m in norms]
        for _, module in norms:
            module.eval()
        arrays["no_norms"] = _gradients(bench, model, x)
        if _mixes(arrays["no_norms"]):
            numbers["training_layers"] = _culprits(bench, model, x[:FEW])
    return Reading(numbers, arrays)


def _normalises(module: nn.Module) -> bool:
    """Batch norm, or a leaf that calls itself a norm: mixing is what it is for, in training."""
    named = "norm" in type(module).__name__.lower() and not any(module.children())
    return isinstance(module, _BatchNorm) or named


def _mixes(matrix: Matrix) -> bool:
    off = matrix[~np.eye(len(matrix), dtype=bool)]
    return bool((off > 0).any() or np.isnan(off).any())


def _forward(bench: Any, model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    seed_everything(bench.seed)  # dropout drops the same each time
    with bench.place.autocast():
        out: torch.Tensor = model(x)
    return out.float()


def _gradients(bench: Any, model: nn.Module, x: torch.Tensor) -> Matrix:
    """Zeros where no gradient comes through (a frozen body under no_grad)."""
    x = x.detach().clone().requires_grad_()
    out = _forward(bench, model, x)
    n = len(x)
    found = np.zeros((n, n))
    if not out.requires_grad:
        return found
    # a random direction: the outputs of a softmax sum to one, and their sum has no gradient
    along = torch.randn(out.shape, generator=torch.Generator().manual_seed(1)).to(out.device)
    for i in range(n):
        (g,) = torch.autograd.grad(
            (out[i] * along[i]).sum(), x, retain_graph=True, allow_unused=True
        )
        if g is not None:
            found[i] = g.abs().flatten(1).amax(1).double().cpu().numpy()
    return found


@torch.no_grad()
def _moved(bench: Any, model: nn.Module, x: torch.Tensor) -> tuple[Matrix, float]:
    base = _forward(bench, model, x)
    n = len(x)
    found = np.zeros((n, n))
    for j in range(n):
        other = x.clone()
        other[j] = -x[(j + 1) % n]
        change = (_forward(bench, model, other) - base).abs().amax(1)
        found[:, j] = change.double().cpu().numpy()
    return found, float(base.abs().max())


def _culprits(bench: Any, model: nn.Module, x: torch.Tensor) -> list[list[str]]:
    """The innermost modules that mix the batch by themselves, given what really flows into them."""
    calls: dict[str, tuple[Any, Any]] = {}
    handles = [
        m.register_forward_pre_hook(
            lambda m, a, k, name=n: calls.setdefault(name, (a, k)) and None, with_kwargs=True
        )
        for n, m in model.named_modules()
    ]
    try:
        with torch.no_grad():
            _forward(bench, model, x)
    finally:
        for handle in handles:
            handle.remove()
    mixing: list[str] = []
    modules = dict(model.named_modules())
    for name in sorted(calls, key=lambda n: -n.count(".") if n else 1):
        inner = any(m.startswith(f"{name}." if name else "") for m in mixing)
        if not inner and not _normalises(modules[name]):
            mixing += [name] if _mixes_alone(bench, modules[name], *calls[name], len(x)) else []
    return [[n or "the model itself", type(modules[n]).__name__] for n in mixing]


def _mixes_alone(bench: Any, module: nn.Module, args: Any, kwargs: Any, n: int) -> bool:
    """Whether output 0 of this module has a gradient to another sample's input."""

    def ready(value: Any) -> Any:
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            return value.detach().clone().requires_grad_()
        return value

    args, kwargs = tuple(map(ready, args)), {k: ready(v) for k, v in kwargs.items()}
    inputs = [v for v in (*args, *kwargs.values())
              if isinstance(v, torch.Tensor) and v.requires_grad and len(v) == n]  # fmt: skip
    seed_everything(bench.seed)
    with torch.enable_grad(), bench.place.autocast():
        out = module(*args, **kwargs)
    out = out[0] if isinstance(out, tuple) and out else out
    if not inputs or not isinstance(out, torch.Tensor) or out.ndim == 0 or len(out) != n:
        return False
    if not out.requires_grad:
        return False
    along = torch.randn(out[0].shape, generator=torch.Generator().manual_seed(1)).to(out.device)
    gradients = torch.autograd.grad((out[0] * along).sum(), inputs, allow_unused=True)
    return any(bool((g[1:] != 0).any()) for g in gradients if g is not None)
