"""Does each output depend on its own input only?

A view where a permute was meant, or a softmax over the wrong axis, mixes the samples of a batch;
the net still trains, on the wrong thing. For every sample of a batch the gradient of its output
with respect to every input is taken: off the diagonal it must be exactly zero in evaluation mode.
In training mode batch norm mixes, and is meant to; with the norms set aside nothing else may.
Where no gradient comes through (a frozen body under no_grad) inputs are replaced and outputs
watched.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recipe_core.kernel.check import Check, Probe
from recipe_core.kernel.nouns import Chart, Finding
from recipe_core.kernel.params import setting
from recipe_core.kernel.readings import Reading, Readings
from recipe_core.skeleton.problems import Problem, mends, sentence, some, worst


@dataclass(frozen=True)
class Params:
    largest: float = setting(
        0.0, low=0.0, high=1.0,
        why="largest gradient of an output with respect to another sample's input; autograd writes "
        "an exact zero where nothing leads from one to the other",
    )  # fmt: skip
    moved: float = setting(
        1e-3, low=0.0, high=1.0,
        why="change of an output, in shares of the largest, when another input is replaced; "
        "kernels give the same bits for a sample whatever its neighbours, or differ by rounding",
    )  # fmt: skip


MEND = ("Look in {where} for a view or reshape where a permute is meant, a softmax, mean or norm "
        "over dim 0, or attention with the batch in the place of the sequence.")  # fmt: skip


def judge(readings: Readings, params: Params) -> Finding:
    read = readings.need("gradient_dependency")
    problems = [*in_evaluation(read, params), *in_training(read, params)]
    worst_off = largest(read["evaluation"])
    return Finding(
        worst(problems), sentence(problems, good(read)), mends(problems),
        {
            "n": len(read["evaluation"]), "evaluation": worst_off,
            "training": largest(read["training"]),
            "training_without_norms": largest(read["no_norms"]) if "no_norms" in read.arrays else 0,
            "moved": largest(read["moved"]), "norms": [n for n, _ in read.get("norms", [])],
            "evaluation_layers": [n for n, _ in read["evaluation_layers"]],
            "training_layers": [n for n, _ in read["training_layers"]],
        },
        value=worst_off, expected="exactly 0 off the diagonal, in evaluation mode",
        charts=(matrix(read, "evaluation", "Evaluation mode"),
                matrix(read, "training", "Training mode")),
    )  # fmt: skip


def in_evaluation(read: Reading, params: Params) -> list[Problem]:
    off = largest(read["evaluation"])
    moved = largest(read["moved"]) / max(read["scale"], 1e-12)
    if not (off > params.largest or np.isnan(off) or moved > params.moved):
        return []
    n = len(read["evaluation"])
    others = (read["evaluation"] > params.largest) | (
        read["moved"] > params.moved * max(read["scale"], 1e-12)
    )
    pairs = int((others & ~np.eye(n, dtype=bool)).sum())
    where = layers(read["evaluation_layers"])
    return [Problem(
        "fail", f"in evaluation mode outputs depend on other samples of the batch: {pairs} of "
        f"{n * (n - 1)} pairs, largest gradient {off:.2g} (exactly 0 expected); the batch is mixed "
        f"in {where}", MEND.format(where=where))]  # fmt: skip


def in_training(read: Reading, params: Params) -> list[Problem]:
    if "no_norms" not in read.arrays or in_evaluation(read, params):
        return []
    off = largest(read["no_norms"])
    if not (off > params.largest or np.isnan(off)):
        return []
    where = layers(read["training_layers"])
    return [Problem(
        "fail", f"in training mode samples mix beyond batch norm: largest gradient {off:.2g} "
        f"with the norms set aside (exactly 0 expected); in {where}",
        MEND.format(where=where))]  # fmt: skip


def layers(found: list[list[str]]) -> str:
    if not found:
        return "the code between the layers"
    return some([f"{name} ({kind})" for name, kind in found])


def largest(matrix: npt.NDArray[np.float64]) -> float:
    """The largest entry off the diagonal; NaN where there is one."""
    return float(matrix[~np.eye(len(matrix), dtype=bool)].max())


def good(read: Reading) -> str:
    n = len(read["evaluation"])
    said = (f"Each of {n} outputs depends on its own input only: all {n * (n - 1)} gradients to "
            "other samples are exactly 0 in evaluation mode")  # fmt: skip
    norms = read.get("norms", [])
    if not norms:
        return f"{said}, and in training mode too."
    return f"{said}; in training mode {some([n for n, _ in norms], 3)} mix the batch, as meant."


def matrix(read: Reading, name: str, title: str) -> Chart:
    values = read[name]
    columns = [str(j) for j in range(len(values))]
    rows = {str(i): np.nan_to_num(v).tolist() for i, v in enumerate(values)}
    return Chart("heatmap", f"{title}: gradient of output (row) by input (column)", "input",
                 "output", columns, rows)  # fmt: skip


CHECK = Check(
    id="gradient_dependency",
    stage="skeleton",
    question="Does each output depend on its own input only?",
    why="Code that mixes the samples of a batch still trains, because the net learns to ignore the "
    "rest. The gradient of one output with respect to all other inputs must be exactly zero.",
    params=Params,
    judge=judge,
    probes=(
        Probe(
            "gradient_dependency", 1,
            "recipe_core.skeleton.probes.gradient_dependency:gradient_dependency",
        ),
    ),
)  # fmt: skip
