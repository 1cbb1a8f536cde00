"""Does the vectorised code give what a plain loop gives?

Karpathy's advice: write the special case first, then the general one, and compare. Here the general
case is there already: a batch of logits must equal the logits of its samples one by one, whatever
the order of the batch, and the loss of the batch must be the mean of its samples' losses (or their
weighted mean, where classes have weights). Equal within what the number format resolves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recipe_core.kernel.check import Check, Probe
from recipe_core.kernel.nouns import Chart, Finding
from recipe_core.kernel.params import setting
from recipe_core.kernel.readings import Reading, Readings
from recipe_core.skeleton.problems import Problem, mends, sentence, worst


@dataclass(frozen=True)
class Params:
    single: float = setting(
        1e-3, low=0.0, high=1.0,
        why="deviation in shares of the largest logit in float32: kernels for other batch sizes "
        "add in another order (1e-6), TF32 resolves 5e-4; code that mixes samples is far above",
    )  # fmt: skip
    half: float = setting(
        5e-2, low=0.0, high=1.0,
        why="the same in float16 and bfloat16, whose steps are 1e-3 and 8e-3, over several layers",
    )  # fmt: skip


def judge(readings: Readings, params: Params) -> Finding:
    read = readings.need("special_case")
    limit = params.single if read["precision"] == "float32" else params.half
    problems = [*outputs(read, limit), *loss(read, limit)]
    away = deviation(read, "singles")
    n = len(read["batch"])
    good = (f"Logits of {n} samples as a batch and one by one differ by {away:.1g} of the largest "
            f"(at most {limit:g} expected in {read['precision']}), and the loss of the batch is "
            "the mean of its samples.")  # fmt: skip
    return Finding(
        worst(problems), sentence(problems, good), mends(problems),
        {"n": n, "deviation": away, "order": deviation(read, "turned"), "loss": read.get("loss"),
         "precision": read["precision"], "loss_not_judged": read.get("loss_not_judged", "")},
        value=away, expected=f"at most {limit:g} of the largest logit", charts=(chart(read),),
    )  # fmt: skip


def deviation(read: Reading, name: str) -> float:
    """Largest difference to the batch, in shares of the largest logit."""
    scale = max(float(np.abs(read["batch"]).max()), 1e-12)
    away = float(np.abs(read[name] - read["batch"]).max() / scale)
    return away if np.isfinite(away) else float("inf")


def outputs(read: Reading, limit: float) -> list[Problem]:
    n = len(read["batch"])
    mend = ("Look for operations over dim 0 (view, mean, softmax, a norm) and for dropout or batch "
            "norm that is active in evaluation mode; gradient_dependency names the "
            "layer.")  # fmt: skip
    found = []
    for name, words in (("singles", "one by one"), ("turned", "in reverse order")):
        away = deviation(read, name)
        if away > limit:
            found.append(Problem(
                "fail", f"the logits of {n} samples as a batch and {words} differ by {away:.2g} of "
                f"the largest (at most {limit:g} expected in {read['precision']})",
                mend))  # fmt: skip
    return found[:1]


def loss(read: Reading, limit: float) -> list[Problem]:
    if "weights" not in read.arrays:
        return []
    losses, weights, value = read["losses"], read["weights"], read["loss"]
    mean = float(losses.mean())
    wanted = {"mean": mean, "sum": float(losses.sum())}
    if weights.sum() > 0:
        wanted["weighted mean"] = float((weights * losses).sum() / weights.sum())
    room = limit * max(abs(mean), float(np.abs(losses).max()), 1e-6)
    if any(abs(value - w) <= room * (len(losses) if k == "sum" else 1) for k, w in wanted.items()):
        return []
    return [Problem(
        "fail", f"the loss of {len(losses)} samples is {value:.4g} as a batch and {mean:.4g} as "
        "the mean of their single losses", "Compare the loss with a loop over the samples; look "
        "for a softmax, a mean or a sum over the wrong axis.")]  # fmt: skip


def chart(read: Reading) -> Chart:
    away = np.abs(read["singles"] - read["batch"]).max(1)
    return Chart("bar", "Largest difference of a sample's logits, in a batch and alone", "sample",
                 "difference", [str(i) for i in range(len(away))],
                 {"difference": np.nan_to_num(away).tolist()})  # fmt: skip


CHECK = Check(
    id="special_case",
    stage="skeleton",
    question="Does a batch give what a plain loop over its samples gives?",
    why="Vectorised code hides mistakes that a loop would not make. What the net says of a sample "
    "must not depend on which samples happen to be beside it.",
    params=Params,
    judge=judge,
    probes=(Probe("special_case", 1, "recipe_core.skeleton.probes.special_case:special_case"),),
)
