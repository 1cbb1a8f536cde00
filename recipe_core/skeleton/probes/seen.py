"""What do several probes look at a net with? A few steps, and what flows through its layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from recipe_core.skeleton.probes.common import affordable_batch
from recipe_core.training.sets import OnDevice, moved

WARM = 2
"""Steps after which a head that started at zero is none any more."""


def warmed(bench: Any, steps: int = WARM) -> nn.Module:
    """A fresh model after a few steps of training, as training leaves it (a zero head stirs)."""
    size = affordable_batch(bench)
    model: nn.Module = bench.model()
    bench.steps(model, steps, batch_size=size)
    return model


@contextmanager
def hooked(
    modules: dict[str, nn.Module], seen: Callable[[str, nn.Module, Any, Any], Any], *,
    before: bool = False,
) -> Iterator[None]:  # fmt: skip
    """`seen(name, module, inputs, output)` after (or, without output, before) each forward pass.

    What it returns replaces the output (or the inputs), unless it is None.
    """

    def after_hook(name: str) -> Any:
        return lambda module, inputs, output: seen(name, module, inputs, output)

    def before_hook(name: str) -> Any:
        return lambda module, inputs: seen(name, module, inputs, None)

    handles = [
        m.register_forward_pre_hook(before_hook(n)) if before
        else m.register_forward_hook(after_hook(n))
        for n, m in modules.items()
    ]  # fmt: skip
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def on_device(bench: Any, loader: Any) -> OnDevice:
    """A loader of the task's own; its batches come on the device."""
    place = bench.place
    return OnDevice(loader, lambda batch: moved(batch, place.device, place.channels_last))


def leaves(model: nn.Module) -> dict[str, nn.Module]:
    """Modules without children, by name."""
    return {n: m for n, m in model.named_modules() if not any(m.children())}


def weight_layers(model: nn.Module) -> dict[str, nn.Module]:
    """Layers that multiply with a matrix or a kernel: linear, convolution; norms are none."""
    return {
        n: m for n, m in model.named_modules()
        if isinstance(getattr(m, "weight", None), torch.Tensor) and m.weight.ndim >= 2
        and not isinstance(m, nn.Embedding)
    }  # fmt: skip


def precision(model: nn.Module, x: torch.Tensor, bench: Any) -> str:
    """The coarsest number format that a layer puts out: float32, float16 or bfloat16."""
    found = {torch.float32}

    def seen(name: str, module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor) and output.is_floating_point():
            found.add(output.dtype)

    with hooked(leaves(model), seen):
        bench.logits(model, x)
    coarsest = max(found, key=lambda d: torch.finfo(d).eps)
    return str(coarsest).removeprefix("torch.")
