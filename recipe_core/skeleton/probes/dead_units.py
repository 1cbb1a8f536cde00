"""Which units of a net do nothing? Activations over many samples, and maps that are only linear."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from recipe_core.kernel.progress import Progress
from recipe_core.kernel.readings import Reading
from recipe_core.skeleton.probes.common import affordable_batch
from recipe_core.skeleton.probes.made_up import kind_of
from recipe_core.skeleton.probes.seen import hooked, precision, weight_layers

SAMPLES = 256
STEPS = 20
"""Of training, between the two looks."""
FEW = 3
RECTIFIERS = ("relu", "relu_", "clamp_min", "clamp_min_", "hardtanh", "hardtanh_", "threshold")
BOUNDED = ("sigmoid", "sigmoid_", "tanh", "tanh_")
SATURATED = 0.02
"""Distance from its bound, in shares of its range, below which a sigmoid or tanh passes on less
than a tenth of the gradient of its middle."""


def dead_units(bench: Any, progress: Progress) -> Reading:
    """numbers  start, later: one mapping per activation, in the order of the forward pass: layer
    (the last weight layer before it), kind, units, dead (never above zero), stuck (always
    saturated), ends (shares of all values saturated at the lower and the upper bound), on `samples`
    pictures, before and after `steps` of training
    copies: [[layer, units, distinct], …] weight layers whose units all say the same
    outputs: kind, lowest, zeros (share of outputs exactly 0), before and after
    affine: residual of the whole net as an affine map; layers: weight layers that run
    pairs: one mapping per pair of weight layers in a row that is one linear map
    """
    size = affordable_batch(bench)
    model = bench.model()
    x, _, _ = bench.sample(SAMPLES, split="eval")
    kind = kind_of(bench)
    numbers: dict[str, Any] = {"samples": len(x), "steps": STEPS, "kind": kind}
    numbers["start"], outputs = _looked(bench, model, x)
    numbers["outputs_start"] = _summary(outputs)
    numbers["affine"], ran = _affine(bench, model, x, kind), _order(bench, model, x[:FEW])
    numbers["layers"] = len(ran)
    progress("layers in a row", 1, 3)
    coarse = precision(model, x[:FEW], bench) != "float32"
    numbers["coarse"] = coarse
    numbers["pairs"] = _pairs(bench, model, x[:FEW], ran, progress)
    progress("training", 2, 3)
    bench.steps(model, STEPS, batch_size=size)
    numbers["later"], outputs = _looked(bench, model, x)
    numbers["outputs_later"] = _summary(outputs)
    numbers["copies"] = _copies(bench, model, x[: 4 * FEW])
    return Reading(numbers)


# -- activations --------------------------------------------------------------------------------


@dataclass
class _Activation:
    layer: str
    kind: str
    top: torch.Tensor | None = None
    free: torch.Tensor | None = None
    at_ends: tuple[int, int] = (0, 0)
    values: int = 0

    def take(self, out: torch.Tensor) -> None:
        units = out.detach().float()
        units = units.flatten(2).transpose(1, 2) if units.ndim == 4 else units
        units = units.flatten(0, -2)
        if self.kind in RECTIFIERS:
            highest = units.amax(0)
            self.top = highest if self.top is None else torch.maximum(self.top, highest)
            return
        low = 0.0 if self.kind.startswith("sigmoid") else -1.0
        place = (units - low) / (1 - low)
        below, above = place <= SATURATED, place >= 1 - SATURATED
        free = ~(below | above).all(0)
        self.at_ends = (self.at_ends[0] + int(below.sum()), self.at_ends[1] + int(above.sum()))
        self.values += place.numel()
        self.free = free if self.free is None else self.free | free

    def told(self) -> dict[str, Any]:
        dead = 0 if self.top is None else int((self.top <= 0).sum())
        stuck = 0 if self.free is None else int((~self.free).sum())
        found = self.top if self.top is not None else self.free
        units = 0 if found is None else len(found)
        ends = [n / max(1, self.values) for n in self.at_ends]
        return {"layer": self.layer, "kind": self.kind.rstrip("_"), "units": units, "dead": dead,
                "stuck": stuck, "ends": ends}  # fmt: skip


@dataclass
class _Watch:
    """Activations by their place in the forward pass, whoever calls them: module or function."""

    found: dict[int, _Activation] = field(default_factory=dict)
    place: int = 0
    layer: str = "the input"


class _Dispatch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self, watch: _Watch, batch: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.watch, self.batch = watch, batch

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if name not in RECTIFIERS and name not in BOUNDED:
            return out
        is_batch = isinstance(out, torch.Tensor) and out.ndim in (2, 3, 4) and (
            len(out) == self.batch
        )  # fmt: skip
        if is_batch and not (name in RECTIFIERS and _bound(args) != 0):
            at, watch = self.watch.place, self.watch
            watch.found.setdefault(at, _Activation(watch.layer, name)).take(out)
            watch.place += 1
        return out


def _bound(args: Any) -> float:
    """The lower bound of a clamp; 0 for relu."""
    value = args[1] if len(args) > 1 else 0
    return float(value) if isinstance(value, int | float) else 1.0


def _looked(bench: Any, model: nn.Module, x: torch.Tensor) -> tuple[list[Any], torch.Tensor]:
    """Every activation over all samples, and the outputs."""
    watch = _Watch()
    outputs = []

    def seen(name: str, module: nn.Module, inputs: Any, output: Any) -> None:
        watch.layer = name

    with hooked(weight_layers(model), seen):
        for start in range(0, len(x), 64):
            part = x[start : start + 64]
            watch.place, watch.layer = 0, "the input"
            with _Dispatch(watch, len(part)):
                outputs.append(bench.logits(model, part))
    return [a.told() for _, a in sorted(watch.found.items())], torch.cat(outputs)


def _summary(outputs: torch.Tensor) -> dict[str, float]:
    return {"lowest": float(outputs.min()), "zeros": float((outputs == 0).float().mean())}


def _copies(bench: Any, model: nn.Module, x: torch.Tensor) -> list[list[Any]]:
    """Weight layers of several units that all put out the same."""
    found: dict[str, list[Any]] = {}

    def seen(name: str, module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor) and output.ndim in (2, 4) and len(output) == len(x):
            units = output.detach().float().transpose(0, 1).flatten(1)
            scale = units.abs().max().clamp_min(1e-12)
            distinct = len(torch.unique((units / scale * 1e4).round(), dim=0))
            found.setdefault(name, [name, len(units), distinct])

    with hooked(weight_layers(model), seen):
        bench.logits(model, x)
    return [row for row in found.values() if row[1] > 1 and row[2] == 1]


# -- linear maps --------------------------------------------------------------------------------


def _affine(bench: Any, model: nn.Module, x: torch.Tensor, kind: str) -> float:
    """|f(a + b - c) - f(a) - f(b) + f(c)| in shares of what f varies over the samples."""
    n = min(16, len(x) // 3)
    if not n:
        return 1.0
    a, b, c = x[:n], x[n : 2 * n], x[2 * n : 3 * n]

    def f(v: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = bench.logits(model, v).double()
        if kind in ("probabilities", "sigmoids"):
            out = out.clamp_min(1e-300).log()
        return out - out[:, :1] if kind != "logits" else out

    values = f(a)
    away = (f(a + b - c) - values - f(b) + f(c)).abs().max()
    spread = (values - values.mean(0)).abs().max()
    return float(away / spread) if spread > 0 else 1.0


def _order(bench: Any, model: nn.Module, x: torch.Tensor) -> list[tuple[str, nn.Module]]:
    """Weight layers in the order in which they run; those that run twice are left out."""
    order: list[tuple[str, nn.Module]] = []

    def seen(name: str, module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor) and len(output) == len(x):
            order.append((name, module))

    with hooked(weight_layers(model), seen):
        bench.logits(model, x)
    names = [n for n, _ in order]
    return [(n, m) for n, m in order if names.count(n) == 1]


def _pairs(
    bench: Any, model: nn.Module, x: torch.Tensor, ran: list[tuple[str, nn.Module]],
    progress: Progress,
) -> list[dict[str, Any]]:  # fmt: skip
    """Layers in a row with nothing but a fixed linear map between them, and nothing beside them."""
    found = []
    for i, ((name, first), (after, second)) in enumerate(pairwise(ran)):
        progress("layers in a row", i, len(ran))
        if _factorises(first, second):
            continue
        residual = _between(bench, model, x, first, second)
        if residual is not None:
            own = [_itself(bench, model, x, layer) for layer in (first, second)]
            found.append({"first": name, "second": after, "residual": max(residual, *own)})
    return found


def _itself(bench: Any, model: nn.Module, x: torch.Tensor, layer: nn.Module) -> float:
    """How far from additive a layer is: one of the user's may normalise, or hold an activation."""
    taken = _stopped_at(bench, model, x, layer, before=True)
    if taken is None or len(taken) != 1 or not isinstance(taken[0], torch.Tensor):
        return 1.0
    u = taken[0].detach()
    drawn = torch.randn(u.shape, generator=torch.Generator().manual_seed(4))
    v = (drawn * u.float().std().cpu()).to(u)

    def put_out(value: torch.Tensor) -> torch.Tensor:
        with hooked({"": layer}, lambda n, m, i, out: (value,), before=True):
            out: torch.Tensor = _stopped_at(bench, model, x, layer, before=False)
            return out.detach().double()

    zero, one, two, both = map(put_out, (torch.zeros_like(u), u, v, u + v))
    moved = (one - zero).abs().max()
    return float((both - one - two + zero).abs().max() / moved) if moved > 0 else 0.0


def _factorises(first: nn.Module, second: nn.Module) -> bool:
    """Whether two linear layers in a row are a design: grouped, along one axis, a bottleneck."""
    shapes = [tuple(int(v) for v in m.weight.shape) for m in (first, second)]  # type: ignore[union-attr]
    if any(getattr(m, "groups", 1) != 1 for m in (first, second)):
        return True
    kernels = [s[2:] for s in shapes]
    if any(len(set(k)) > 1 for k in kernels):
        return True
    if any(max(k, default=1) > 1 for k in kernels):
        return False
    (middle, before), (behind, _) = shapes[0][:2], shapes[1][:2]
    return middle < min(before, behind)


class _Reached(Exception):
    """The input of the second layer is known: the rest of the pass is not needed."""


def _between(
    bench: Any, model: nn.Module, x: torch.Tensor, first: nn.Module, second: nn.Module
) -> float | None:
    """How far from additive the way from one layer to the next is; None where it is no chain.

    The first layer's output is replaced. What reaches the second must not depend on anything else
    (a skip connection, the weights of attention, which zeros would hide), and must add up as the
    replacements do.
    """
    drawn = torch.Generator().manual_seed(3)

    def reached(value: Any, pictures: torch.Tensor) -> torch.Tensor | None:
        return _reaching(bench, model, pictures, first, second, value)

    shape = _output_shape(bench, model, x, first)
    if shape is None:
        return None
    device = x.device
    o, p = (3 * torch.randn(shape, generator=drawn).to(device) for _ in range(2))
    zero = torch.zeros(shape, device=device)
    got = [reached(v, pictures) for v, pictures in
           ((zero, x), (o, x.flip(0) * 0.5), (o, x), (p, x), (o + p, x))]  # fmt: skip
    if any(g is None for g in got):
        return None
    base, elsewhere, one, two, both = (g.double() for g in got if g is not None)
    moved = (one - base).abs().max()
    if moved == 0 or (elsewhere - one).abs().max() > 1e-6 * (moved + base.abs().max()):
        return None
    return float((both - one - two + base).abs().max() / moved)


def _output_shape(
    bench: Any, model: nn.Module, x: torch.Tensor, layer: nn.Module
) -> tuple[int, ...] | None:
    out = _stopped_at(bench, model, x, layer, before=False)
    return None if out is None else tuple(out.shape)


def _reaching(
    bench: Any, model: nn.Module, x: torch.Tensor, first: nn.Module, second: nn.Module,
    value: torch.Tensor,
) -> torch.Tensor | None:  # fmt: skip
    with _replaced(first, value):
        inputs = _stopped_at(bench, model, x, second, before=True)
    return None if inputs is None else inputs[0].detach().float().clone()


def _stopped_at(
    bench: Any, model: nn.Module, x: torch.Tensor, layer: nn.Module, *, before: bool
) -> Any:
    """The inputs of a layer (before), or its output, within the pass of the whole model and in its
    precision; the pass ends there. None where it does not come to the layer."""
    caught: list[Any] = []

    def catch(name: str, module: nn.Module, inputs: Any, output: Any) -> None:
        caught.append(inputs if before else output)
        raise _Reached

    with hooked({"": layer}, catch, before=before), suppress(_Reached):
        bench.logits(model, x)
    return caught[0] if caught else None


@contextmanager
def _replaced(layer: nn.Module, value: torch.Tensor) -> Iterator[None]:
    with hooked({"": layer}, lambda n, m, i, out: value.to(out.dtype)):
        yield
