"""Does every tensor that should learn move, and none that should stay?

A layer kept in a plain list is no part of the model: the optimizer never hears of it. A detach cuts
off everything before it. An optimizer built over the head trains the head. Nothing raises, the loss
falls a little, and the net is half as good as it could be. A bad answer names the tensors. Those
before a normalisation that cancels them (a bias before batch norm) may rest; frozen ones must.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from recipe_core.kernel.check import Check, Probe
from recipe_core.kernel.nouns import Chart, Finding, Table, Verdict
from recipe_core.kernel.params import setting
from recipe_core.kernel.readings import Reading, Readings
from recipe_core.reporting.wording import counted

COURSE = Probe("course", 1, "recipe_core.skeleton.probes.course:course", 120.0)
PARAMETERS = Probe("parameters", 1, "recipe_core.skeleton.probes.parameters:parameters", 120.0)


@dataclass(frozen=True)
class Params:
    rest: float = setting(
        1e-4, low=0.0, high=1.0,
        why="gradient of a bias relative to the median over all tensors below which it is rounding "
        "noise: the next layer's normalisation takes the bias out again, it has no effect and may "
        "rest (float32 leaves about 1e-6 of what cancels)",
    )  # fmt: skip


@dataclass(frozen=True)
class Tensor:
    """One parameter as the probes saw it. gradient: None where the loss does not depend on it."""

    name: str
    gradient: float | None
    optimized: bool
    requires_grad: bool
    frozen: bool
    used: bool
    bias: bool
    kind: str
    moved: float
    relative: float
    size: int

    @property
    def layer(self) -> str:
        return self.name.rpartition(".")[0] or self.name


@dataclass(frozen=True)
class Fault:
    text: str
    step: str
    names: tuple[str, ...]
    verdict: Verdict = "fail"


def judge(readings: Readings, params: Params) -> Finding:
    seen, course = readings.need("parameters"), readings.need("course")
    tensors = joined(seen, course)
    faults = [*_unknown(seen), *_resting(tensors, params), *_frozen(tensors, seen)]
    numbers = {
        "tensors": len(tensors), "steps": course["steps"],
        "never_moved": [t.name for t in tensors if t.moved == 0],
        "frozen": [t.name for t in tensors if t.frozen],
        "not_in_optimizer": [t.name for t in tensors if not t.optimized],
        "hidden_modules": seen["hidden"], "strangers": seen["strangers"],
        "foreign_in_optimizer": seen["foreign"], "without_effect": _cancelled(tensors, params),
    }  # fmt: skip
    still = sum(t.moved == 0 for t in tensors if not t.frozen)
    value = f"{len(tensors) - still} of {len(tensors)} move"
    evidence: dict[str, Any] = {"charts": _charts(tensors), "tables": (_table(tensors),)}
    if not faults:
        return Finding("pass", _fine(tensors, course, numbers), "", numbers, value=value,
                       expected="all but the frozen ones", **evidence)  # fmt: skip
    worst: Verdict = "fail" if any(f.verdict == "fail" for f in faults) else "warn"
    text = "; ".join(f.text for f in faults)
    return Finding(
        worst, f"{text[:1].upper()}{text[1:]} ({course['steps']} steps looked at).",
        " ".join(dict.fromkeys(f.step for f in faults)), numbers, value=value,
        expected="all but the frozen ones", **evidence,
    )  # fmt: skip


def joined(seen: Reading, course: Reading) -> list[Tensor]:
    """What both probes read, tensor by tensor, in the model's order."""
    place = {n: i for i, n in enumerate(course["names"])}
    moved, relative = course["moved"], course["relative"]
    return [
        Tensor(
            name, seen["gradient"][i], seen["optimized"][i], seen["requires_grad"][i],
            seen["frozen"][i], seen["used"][i], seen["bias"][i], seen["kind"][i],
            moved[place[name]] if name in place else 0.0,
            relative[place[name]] if name in place else 0.0, seen["sizes"][i],
        )
        for i, name in enumerate(seen["names"])
    ]  # fmt: skip


def _unknown(seen: Reading) -> list[Fault]:
    faults = []
    if seen["hidden"]:
        faults.append(Fault(
            f"the model calls {counted(len(seen['hidden']), 'layer')} that it does not own "
            f"({', '.join(dict.fromkeys(seen['hidden']))}): the optimizer never hears of their "
            "weights",
            "Keep layers in nn.ModuleList, nn.ModuleDict or nn.Sequential, or as attributes.",
            tuple(seen["hidden"]),
        ))  # fmt: skip
    elif seen["strangers"]:
        faults.append(Fault(
            f"the output depends on {counted(len(seen['strangers']), 'tensor')} that "
            f"{'is no parameter' if len(seen['strangers']) == 1 else 'are no parameters'} of the "
            f"model ({', '.join(seen['strangers'][:3])})",
            "Register weights as nn.Parameter of the model.", tuple(seen["strangers"]),
        ))  # fmt: skip
    if seen["foreign"]:
        n = len(seen["foreign"])
        faults.append(Fault(
            f"the optimizer holds {counted(n, 'tensor')} that the model does not have",
            "Build the optimizer over the parameters of the model it is given, after the model is "
            "complete.", tuple(seen["foreign"]),
        ))  # fmt: skip
    return faults


def _resting(tensors: list[Tensor], params: Params) -> list[Fault]:
    """Tensors that should move and do not, by why they do not."""
    cancelled = set(_cancelled(tensors, params))
    still = [
        t for t in tensors
        if t.moved == 0 and not t.frozen and t.size and t.name not in cancelled
    ]  # fmt: skip
    learns = [t for t in still if t.requires_grad]
    optimizer = [t for t in learns if not t.optimized and t.used]
    optimized = [t for t in learns if t.optimized]
    cut = [t for t in optimized if t.gradient is None and t.used]
    unused = [t for t in learns if t.gradient is None and not t.used]
    zero = [t for t in optimized if t.gradient == 0]
    rest = [t for t in optimized if t.gradient is not None and t.gradient != 0]
    return [
        *_fault(optimizer, "never move: the optimizer does not hold them",
                "Give the optimizer model.parameters(), or list what is to stay in `frozen`."),
        *_fault(cut, "never move: no gradient reaches them though they are used",
                "Look for detach(), no_grad(), .data, argmax or a NumPy round trip between them "
                "and the loss."),
        *_fault(zero, "never move: their gradient is exactly zero",
                "Look at what follows them: weights that are all zero, dead units, numbers too "
                "small for half precision."),
        *_fault(rest, "never move though they have a gradient",
                "Look at the order of backward() and optimizer.step(), at the learning rate of "
                "their group, and at the size of the step in half precision."),
        *_fault(unused, "are never used in a forward pass", "Call them, or remove them.", "warn"),
    ]  # fmt: skip


def _fault(tensors: list[Tensor], text: str, step: str, verdict: Verdict = "fail") -> list[Fault]:
    if not tensors:
        return []
    return [Fault(f"{named(tensors)} {text}", step, tuple(t.name for t in tensors), verdict)]


def named(tensors: Iterable[Tensor], most: int = 4) -> str:
    """The tensors by layer: "parameters of `conv1` and `head` (4 tensors)"."""
    tensors = list(tensors)
    layers = list(dict.fromkeys(t.layer for t in tensors))
    shown = ", ".join(f"`{name}`" for name in layers[:most])
    more = f" and {len(layers) - most} more" if len(layers) > most else ""
    return f"parameters of {shown}{more} ({counted(len(tensors), 'tensor')})"


def _cancelled(tensors: list[Tensor], params: Params) -> list[str]:
    """Biases whose gradient is nothing but rounding: what follows takes them out again."""
    gradients = [t.gradient for t in tensors if t.gradient and not t.bias]
    if not gradients:
        return []
    limit = params.rest * float(np.median(gradients))
    return [t.name for t in tensors if t.bias and t.gradient is not None and t.moved == 0
            and 0 < t.gradient <= limit]  # fmt: skip


def _frozen(tensors: list[Tensor], seen: Reading) -> list[Fault]:
    faults = _fault(
        [t for t in tensors if t.frozen and t.moved != 0], "move though they are meant to stay",
        "Set requires_grad_(False) on what is frozen and leave it out of the optimizer: weight "
        "decay moves what has no gradient.",
    )  # fmt: skip
    if seen["unmatched"]:
        names = ", ".join(f"{n!r}" for n in seen["unmatched"])
        faults.append(Fault(
            f"`frozen` names {names}, with which no parameter begins",
            "Write the prefixes as model.named_parameters() has them.", tuple(seen["unmatched"]),
            "warn",
        ))  # fmt: skip
    return faults


def _fine(tensors: list[Tensor], course: Reading, numbers: dict[str, Any]) -> str:
    frozen, off = len(numbers["frozen"]), [t for t in tensors if not t.requires_grad]
    relative = [t.relative for t in tensors if t.moved > 0 and np.isfinite(t.relative)]
    parts = [f"All {len(tensors) - max(frozen, len(off))} tensors that learn move within "
             f"{course['steps']} steps (median change {np.median(relative or [0]):.2g} of their "
             "size)"]  # fmt: skip
    if frozen or off:
        parts.append(f"{max(frozen, len(off))} frozen ones stay")
    if numbers["without_effect"]:
        parts.append(f"{counted(len(numbers['without_effect']), 'bias', 'biases')} before a "
                     "normalisation may rest")  # fmt: skip
    return "; ".join(parts) + "."


def _table(tensors: list[Tensor]) -> Table:
    columns = ("parameter", "kind", "largest gradient", "relative change", "in the optimizer",
               "frozen")  # fmt: skip
    ordered = sorted(tensors, key=lambda t: (t.moved > 0) != t.frozen)
    rows = tuple(
        (t.name, t.kind, "none" if t.gradient is None else t.gradient, t.relative, t.optimized,
         t.frozen)
        for t in ordered
    )  # fmt: skip
    return Table("Every parameter, those that are wrong first", columns, rows)


def _charts(tensors: list[Tensor]) -> tuple[Chart, ...]:
    values = [float(np.log10(t.relative)) if t.relative > 0 else -12.0 for t in tensors]
    return (Chart(
        "bar", "Relative change of each parameter (-12: none)", "parameter", "log10 of change",
        [t.name for t in tensors], {"change": values},
    ),)  # fmt: skip


CHECK = Check(
    id="parameters_update",
    stage="skeleton",
    question="Does every tensor that should learn move, and none that should stay?",
    why="Layers in a plain list, a detach, an optimizer over the wrong parameters: nothing raises, "
    "the loss falls a little, and half of the net never learns. A bad answer names the tensors.",
    params=Params,
    judge=judge,
    probes=(PARAMETERS, COURSE),
)
