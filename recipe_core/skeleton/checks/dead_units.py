"""Does every unit do something, and every layer its own thing?

A rectifier that is zero for every picture has no gradient and stays zero. A ReLU behind the last
layer cuts off all logits below zero. Weights that all start at the same number stay the same, so
that a layer has one unit many times over. And two linear layers without an activation between them
are one linear layer, however many weights they have. Activations are watched where they are
computed, as modules or functions, over many pictures, before and after a few training steps; linear
maps are found by adding inputs up, not by the names of layers.

Two linear layers in a row may be a design: with groups, along one axis each, through a bottleneck,
beside a skip connection. Those are left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recipe_core.kernel.check import Check, Probe
from recipe_core.kernel.nouns import Chart, Finding, Table
from recipe_core.kernel.params import setting
from recipe_core.kernel.readings import Reading, Readings
from recipe_core.skeleton.problems import Problem, mends, sentence, some, worst

Layer = Mapping[str, Any]
ONE_END = 0.1
"""Share of the values at the other end, below which a layer stands at one end: that is a bias."""


@dataclass(frozen=True)
class Params:
    chance: float = setting(
        1e-6, low=0.0, high=0.5,
        why="at the start a unit may be off for all pictures by the sign of its weights, when the "
        "pictures are alike: at worst a coin for each unit; more dead units than that in one "
        "layer, but for this chance, are no accident",
    )  # fmt: skip
    trained: float = setting(
        0.95, low=0.5, high=1.0,
        why="share of a layer's units dead or saturated after a few steps; nets that train well "
        "lose up to about half of a layer",
    )  # fmt: skip
    saturated: float = setting(
        0.8, low=0.1, high=1.0,
        why="share of a layer's values at the ends of tanh or sigmoid before training, at both of "
        "them: common initialisations leave 0.05 there; a bias that starts a sigmoid low for rare "
        "classes puts all at one end, which is meant",
    )  # fmt: skip
    linear: float = setting(
        1e-3, low=0.0, high=0.1,
        why="deviation from additivity that rounding explains in float32 (1e-6 a layer); a GELU on "
        "small inputs still gives above 0.01",
    )  # fmt: skip
    zeros: float = setting(
        0.01, low=0.0, high=1.0,
        why="share of outputs that are exactly zero, with none below; logits of a linear layer hit "
        "zero exactly never",
    )  # fmt: skip


def judge(readings: Readings, params: Params) -> Finding:
    read = readings.need("dead_units")
    problems = [
        *on_outputs(read, params), *(activations(read, params) or at_both_ends(read, params)),
        *copies(read), *linear(read, params),
    ]  # fmt: skip
    top = max((share(layer) for layer in read["later"]), default=0.0)
    return Finding(
        worst(problems), sentence(problems, good(read, top)), mends(problems),
        {
            "samples": read["samples"], "steps": read["steps"], "most_dead": top,
            "affine": read["affine"], "lowest_output": read["outputs_later"]["lowest"],
            "pairs": [[p["first"], p["second"]] for p in linear_pairs(read, params)],
            "copies": [row[0] for row in read["copies"]],
        },
        value=round(top, 4), expected="no layer dead, no two layers one",
        charts=(chart(read),) if read["later"] else (),
        tables=(table(read),) if read["later"] else (),
    )  # fmt: skip


def share(layer: Layer) -> float:
    """Share of a layer's units that do nothing."""
    return float((layer["dead"] + layer["stuck"]) / max(1, layer["units"]))


def on_outputs(read: Reading, params: Params) -> list[Problem]:
    first, later = read["outputs_start"], read["outputs_later"]
    cut = later["lowest"] == 0 and later["zeros"] >= params.zeros
    if read["kind"] != "logits" or not cut or first["lowest"] < 0:
        return []
    return [Problem("fail", f"no output is below 0 and {later['zeros']:.0%} are exactly 0 on "
                    f"{read['samples']} pictures: a ReLU cuts off the logits",
                    "Take the activation behind the last layer away.")]  # fmt: skip


def activations(read: Reading, params: Params) -> list[Problem]:
    found: list[Problem] = []
    for when, layers in (("at the start", read["start"]), ("after training", read["later"])):
        steps = f" ({read['steps']} steps)" if when == "after training" else ""
        bad = [layer for layer in layers if _dead(layer, params, first=when == "at the start")]
        if bad and not found:
            worst_one = max(bad, key=share)
            n = worst_one["dead"] + worst_one["stuck"]
            what = "dead" if worst_one["dead"] else "saturated"
            limit = _limit(worst_one["units"], params, first=when == "at the start")
            found.append(Problem(
                "fail", f"{when}{steps} {n} of {worst_one['units']} units behind "
                f"{worst_one['layer']} are {what} on all {read['samples']} pictures (at most "
                f"{limit} expected)" + (f", and {len(bad) - 1} more layers" if bad[1:] else ""),
                "Look at initial weights and biases, the range of the input, and the learning "
                "rate."))  # fmt: skip
    return found


def at_both_ends(read: Reading, params: Params) -> list[Problem]:
    """Weights so large that a picture decides only at which end a tanh or sigmoid stands."""
    bad = [layer for layer in read["start"]
           if sum(layer["ends"]) > params.saturated and min(layer["ends"]) > ONE_END]  # fmt: skip
    if not bad:
        return []
    layer = max(bad, key=lambda layer: sum(layer["ends"]))
    return [Problem("fail", f"at the start {sum(layer['ends']):.0%} of the values behind "
                    f"{layer['layer']} stand at the ends of a {layer['kind']} (at most "
                    f"{params.saturated:.0%} expected): next to no gradient passes",
                    "Take smaller initial weights (Xavier's with the gain of the activation), and "
                    "normalise the input.")]  # fmt: skip


def _limit(units: int, params: Params, *, first: bool) -> int:
    """Units of a layer that may do nothing."""
    if first:
        from scipy.stats import binom  # 1 s of imports, which every list of checks would wait for

        return int(binom.ppf(1 - params.chance, units, 0.5))
    return int(params.trained * units)


def _dead(layer: Layer, params: Params, *, first: bool) -> bool:
    n, units = layer["dead"] + layer["stuck"], layer["units"]
    return bool(units >= 4 and (n == units or n > _limit(units, params, first=first)))


def copies(read: Reading) -> list[Problem]:
    rows = [row for row in read["copies"] if row[1] >= 4]
    if not rows:
        return []
    name, units, _ = rows[0]
    return [Problem("fail", f"all {units} units of {name} put out the same after {read['steps']} "
                    f"steps, as do {len(rows) - 1} more layers: nothing tells them apart",
                    "Draw initial weights at random (leave PyTorch's own "
                    "initialisation).")]  # fmt: skip


def linear(read: Reading, params: Params) -> list[Problem]:
    layers = read["layers"]
    if read["affine"] < _limit_of(read, params) and layers > 1:
        return [Problem("fail", f"the whole net of {layers} weight layers is one linear map "
                        f"(additive to {read['affine']:.1g})",
                        "Put an activation between the layers.")]  # fmt: skip
    pairs = linear_pairs(read, params)
    if not pairs:
        return []
    named = some([f"{p['first']} and {p['second']}" for p in pairs], 3)
    return [Problem("fail", f"nothing non-linear stands between {named}: together they are one "
                    "linear layer",
                    "Put an activation between them, or take one layer.")]  # fmt: skip


def linear_pairs(read: Reading, params: Params) -> list[Mapping[str, Any]]:
    return [p for p in read["pairs"] if p["residual"] < _limit_of(read, params)]


def _limit_of(read: Reading, params: Params) -> float:
    """Half precision resolves less: 8e-3 a rounding in bfloat16."""
    return params.linear * (30 if read["coarse"] else 1)


def good(read: Reading, top: float) -> str:
    n = len(read["later"])
    if not n:
        return ("No rectifier, sigmoid or tanh to die; the outputs are free in sign and no two "
                "layers are one.")  # fmt: skip
    return (f"On {read['samples']} pictures at most {top:.0%} of a layer's units do nothing, of "
            f"{n} activations, before and after {read['steps']} steps; no two layers are "
            "one.")  # fmt: skip


def chart(read: Reading) -> Chart:
    names = [f"{i + 1} {layer['layer']}" for i, layer in enumerate(read["later"])]
    first = [share(layer) for layer in read["start"]]
    same = len(first) == len(names)
    series = {"after training": [share(layer) for layer in read["later"]]}
    return Chart("bar", "Units that do nothing", "activation", "share", names,
                 ({"at the start": first} if same else {}) | series)  # fmt: skip


def table(read: Reading) -> Table:
    rows = tuple(
        (layer["layer"], layer["kind"], layer["units"], layer["dead"], layer["stuck"])
        for layer in read["later"][:200]
    )
    return Table("Activations after training", ("behind", "kind", "units", "dead", "saturated"),
                 rows)  # fmt: skip


CHECK = Check(
    id="dead_units",
    stage="skeleton",
    question="Does every unit do something, and every layer its own thing?",
    why="Dead units, a ReLU on the logits, equal initial weights and layers without an activation "
    "between them cost capacity without an error: the net trains as a smaller one.",
    params=Params,
    judge=judge,
    probes=(Probe("dead_units", 2, "recipe_core.skeleton.probes.dead_units:dead_units"),),
)
