"""Does each step use the gradients of its own batches only?

PyTorch adds gradients up until they are reset. Without zero_grad every step drags all earlier
batches along: it looks like a large momentum that never forgets. Two batches are given in turn with
the learning rate at zero: the gradient at a step must be the same whether the step before was
another batch or the same one. Accumulation over k batches on purpose is found (the optimizer steps
every k calls) and compared from step to step, so it is healthy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recipe_core.kernel.check import Check, Probe
from recipe_core.kernel.errors import MissingInput
from recipe_core.kernel.nouns import Chart, Finding
from recipe_core.kernel.params import setting
from recipe_core.kernel.readings import Reading, Readings
from recipe_core.skeleton.problems import some


@dataclass(frozen=True)
class Params:
    carried: float = setting(
        0.25, low=0.01, high=1.0,
        why="share of the step before that is in a step's gradient; a reset leaves 0 (noise in the "
        "step makes it negative), no reset 1, no reset with clipping about 0.6 to 0.9",
    )  # fmt: skip


def judge(readings: Readings, params: Params) -> Finding:
    read = readings.need("gradient_reset")
    if not read["every"]:
        raise MissingInput("train_step never steps the optimizer that it was given through its "
                           "step(), so there is no moment to look at")  # fmt: skip
    if "carried" not in read.arrays:
        raise MissingInput("the optimizer does not step at regular intervals")
    carried, names = read["carried"], read["names"]
    kept = np.flatnonzero(carried > params.carried)
    top = float(carried.max(initial=0.0))
    numbers = {"carried": top, "parameters": len(names), "accumulating": len(kept),
               "every": read["every"], "norms": read["norms"].tolist()}  # fmt: skip
    expected = f"0 of the step before (at most {params.carried:g})"
    if not len(kept):
        return Finding("pass", good(read), "", numbers, value=max(0.0, top), expected=expected,
                       charts=(chart(read),))  # fmt: skip
    which = some([names[i] for i in kept[np.argsort(-carried[kept])]], 3)
    return Finding(
        "fail", f"Gradients pile up: {top:.0%} of the step before is in the next step's gradient "
        f"for {len(kept)} of {len(names)} parameters ({which}); 0 expected.",
        "Call optimizer.zero_grad() once per optimizer step, on the optimizer that steps.",
        numbers, value=top, expected=expected, charts=(chart(read),),
    )  # fmt: skip


def good(read: Reading) -> str:
    every = read["every"]
    how = f", once per {every} batches that it accumulates on purpose" if every > 1 else ""
    return (f"A batch gives the same gradient after another batch and after itself "
            f"({len(read['names'])} parameters, {len(read['windows'])} steps): gradients are reset"
            f"{how}.")  # fmt: skip


def chart(read: Reading) -> Chart:
    return Chart("bar", "Gradient norm at steps of two batches, A and B, weights held", "step",
                 "norm", [f"{i + 1} {w}" for i, w in enumerate(read["windows"])],
                 {"norm": np.nan_to_num(read["norms"]).tolist()})  # fmt: skip


CHECK = Check(
    id="gradient_reset",
    stage="skeleton",
    question="Does each step use the gradients of its own batches only?",
    why="A forgotten zero_grad is the classic silent bug: gradients of earlier batches pile up, "
    "the loss still falls, and every learning rate seems wrong.",
    params=Params,
    judge=judge,
    probes=(
        Probe("gradient_reset", 2, "recipe_core.skeleton.probes.gradient_reset:gradient_reset"),
    ),
)
