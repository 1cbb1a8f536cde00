"""In which mode is each layer when it is used, and what does evaluation leave behind?"""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.utils.data import Subset

from recipe_core.kernel.progress import Progress
from recipe_core.kernel.readings import Reading
from recipe_core.skeleton.probes.seen import hooked, on_device
from recipe_core.training.images import stratified
from recipe_core.training.seeds import seed_everything

STEPS = 4
EVALUATED = 256
LOOKED_AT = 16


def train_eval_mode(bench: Any, progress: Progress) -> Reading:
    """numbers  layers: one mapping per batch norm and dropout: name, kind, frozen, pretrained,
    trained_in / evaluated_in (modes of its forward passes: with gradients in train_step,
    all in evaluate), learns (running statistics moved), momentum (None: a plain mean), tracks, p
    changed: tensors of the model that evaluate changed; gradients: whether gradients are
    still on after evaluate; random: largest relative change of the logits between two
    passes in evaluation mode; batch: samples of the largest training batch; ran
    """
    model = bench.model()
    modules: dict[str, nn.Module] = {
        n: m for n, m in model.named_modules() if isinstance(m, (_BatchNorm, _DropoutNd))
    }
    layers = {n: _described(n, m, model, bench) for n, m in modules.items()}
    started = {n: m.running_mean.clone() for n, m in modules.items()
               if isinstance(m, _BatchNorm) and m.running_mean is not None}  # fmt: skip
    sizes = _trained(bench, model, modules, layers)
    for name, before in started.items():
        layers[name]["learns"] = not torch.equal(before, _running_mean(modules[name]))
    progress("evaluating", 1, 2)
    changed, gradients = _evaluated(bench, model, modules, layers)
    numbers = {
        "layers": [{**v, "trained_in": sorted(v["trained_in"]),
                    "evaluated_in": sorted(v["evaluated_in"])} for v in layers.values()],
        "changed": changed, "gradients": gradients, "random": _random(bench, model),
        "batch": max(sizes, default=0),
    }  # fmt: skip
    return Reading(numbers, {"sizes": np.array(sizes)})


def _running_mean(module: nn.Module) -> torch.Tensor:
    found = module.running_mean
    assert isinstance(found, torch.Tensor)
    return found


def _described(name: str, module: nn.Module, model: nn.Module, bench: Any) -> dict[str, Any]:
    mean, variance = (getattr(module, n, None) for n in ("running_mean", "running_var"))
    tracks, untouched = False, False
    if isinstance(mean, torch.Tensor) and isinstance(variance, torch.Tensor):
        tracks, untouched = True, not mean.any() and bool((variance == 1).all())
    return {
        "name": name, "kind": type(module).__name__, "norm": isinstance(module, _BatchNorm),
        "frozen": _frozen(name, model, bench.task.frozen), "tracks": tracks,
        "pretrained": tracks and not untouched, "p": float(getattr(module, "p", 0.0)),
        "momentum": getattr(module, "momentum", None),
        "trained_in": set(), "evaluated_in": set(), "learns": True,
    }  # fmt: skip


def _frozen(name: str, model: nn.Module, prefixes: list[str]) -> bool:
    """Declared frozen, or in a part of which no parameter learns."""
    if any(f"{name}.".startswith(p if p.endswith(".") else f"{p}.") for p in prefixes):
        return True
    part = name
    while part:
        own = list(model.get_submodule(part).parameters())
        if own:
            return not any(p.requires_grad for p in own)
        part = part.rpartition(".")[0]
    return False


def _trained(
    bench: Any, model: nn.Module, modules: dict[str, nn.Module], layers: dict[str, Any]
) -> list[int]:
    """Sizes of the batches of a few training steps, whose modes are noted."""

    def seen(name: str, module: nn.Module, inputs: Any, output: Any) -> None:
        if torch.is_grad_enabled():
            layers[name]["trained_in"].add("training" if module.training else "evaluation")

    optimizer = bench.optimizer(model)
    model.train()
    sizes = []
    with hooked(modules, seen):
        for batch in islice(bench.train_batches(), STEPS):
            bench.step(model, batch, optimizer)
            sizes.append(len(batch[0]))
    return sizes


def _evaluated(
    bench: Any, model: nn.Module, modules: dict[str, nn.Module], layers: dict[str, Any]
) -> tuple[list[str], bool]:
    """What evaluate changed in the model, and whether gradients are still on."""

    def seen(name: str, module: nn.Module, inputs: Any, output: Any) -> None:
        layers[name]["evaluated_in"].add("training" if module.training else "evaluation")

    model.train()
    before = {k: v.detach().clone() for k, v in model.state_dict().items()}
    torch.set_grad_enabled(True)
    try:
        with hooked(modules, seen):
            bench.task.evaluate(model, loader_of_some(bench, EVALUATED))
        gradients = torch.is_grad_enabled()
    finally:
        torch.set_grad_enabled(True)
    after = model.state_dict()
    return [k for k, v in before.items() if not torch.equal(v, after[k])], gradients


def loader_of_some(bench: Any, n: int) -> Any:
    """The task's evaluation loader over at most n samples of the set, on the device."""
    picked = stratified(bench.labels("eval"), n, 0)
    some = Subset(bench.eval_set, [int(i) for i in picked])
    return on_device(bench, bench.task.eval_loader(some, bench.config.batch_size))


def _random(bench: Any, model: nn.Module) -> float:
    """How far two passes over the same batch in evaluation mode are apart."""
    x, _, _ = bench.sample(LOOKED_AT)
    passes = []
    for seed in (1, 2):
        seed_everything(seed)
        passes.append(bench.logits(model, x))
    away = float((passes[0] - passes[1]).abs().max() / passes[0].abs().max().clamp_min(1e-12))
    return away
