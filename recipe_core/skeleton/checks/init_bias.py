"""Does the last layer start from what is known about the classes?

On imbalanced data a net whose last bias is zero spends its first steps on learning the class
shares: the loss falls steeply, and nothing about the pictures has been learned. Setting the bias
to the log of the shares removes that part of the curve. It is advice as long as the steps are few;
a bias that is set to the wrong shares is a bug.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from recipe_core.kernel.check import Check
from recipe_core.kernel.nouns import Chart, Finding
from recipe_core.kernel.params import setting
from recipe_core.kernel.readings import Reading, Readings
from recipe_core.skeleton.checks.loss_at_init import START, bias_is_set


@dataclass(frozen=True)
class Params:
    worse: float = setting(
        0.15, low=0.0, high=5.0,
        why="nats (or units of the loss) by which the last bias alone may cost more than equal "
        "outputs: a bias drawn at random with deviation 0.5 costs about 0.12",
    )  # fmt: skip
    worth: float = setting(
        0.1, low=0.0, high=5.0,
        why="nats that setting the bias must save to be worth a sentence: a tenth is what classes "
        "of 2 : 1 give",
    )  # fmt: skip


def judge(readings: Readings, params: Params) -> Finding:
    read = readings.need("start")
    uniform, best, now = read["uniform"], read["best"], read["bias_loss"]
    if not math.isfinite(best):
        return Finding("skipped", "Not judged: no constant output has a lowest loss under this "
                       "loss function.")  # fmt: skip
    numbers = _numbers(read)
    if now is None:
        return Finding("skipped", "Not judged: the last layer has no bias to set "
                       f"(setting one would save {uniform - best:.2f} of the first loss).", "",
                       numbers)  # fmt: skip
    wanted = f"{best:.3f} (class shares) to {uniform:.3f} (equal outputs)"
    if now > uniform + params.worse:
        return Finding(
            "fail",
            f"The last bias alone costs {now:.2f}, more than equal outputs ({uniform:.2f}); set to "
            f"the class shares it would cost {best:.2f} (n = {read['n']}).",
            "Set the bias to the log of the class shares in the order of the class indices, or to "
            "zero.", numbers, charts=_charts(read), value=now, expected=wanted,
        )  # fmt: skip
    saved = now - best
    if bias_is_set(read) and saved <= params.worth:
        said = (
            f"The last bias is set to the class shares: the loss starts at {now:.2f} instead of "
            f"{uniform:.2f}."
        )
        return Finding("pass", said, "", numbers, charts=_charts(read), value=now, expected=wanted)
    if saved <= params.worth:
        said = (f"The classes are near enough to balanced (or weighted so): setting the last bias "
                f"would save {saved:.2f} of a first loss of {uniform:.2f}.")  # fmt: skip
        return Finding("pass", said, "", numbers, value=now, expected=wanted)
    return Finding(
        "pass",
        f"Setting the last bias to the class shares would start the loss at {best:.2f} instead of "
        f"{now:.2f} (n = {read['n']}): the first steps would not be spent on learning them.",
        "Optional: init the last layer's bias to log(class shares) (--set init_bias=prior in the "
        "built-in pipeline).", numbers, charts=_charts(read), value=now, expected=wanted,
    )  # fmt: skip


def _numbers(read: Reading) -> dict[str, Any]:
    return {
        "loss_of_equal_outputs": read["uniform"], "loss_of_the_class_shares": read["best"],
        "loss_of_the_last_bias": read["bias_loss"], "n": read["n"], "bias": read["bias"],
        "best_bias": read["best_bias"], "class_counts": read["counts"],
    }  # fmt: skip


def _charts(read: Reading) -> tuple[Chart, ...]:
    best = np.asarray(read["best_bias"], float)
    now = np.asarray(read["bias"], float)
    classes = [str(k) for k in range(len(best))]
    series = {
        "as it is": (now - now.mean()).tolist(),
        "from the shares": (best - best.mean()).tolist(),
    }
    return (Chart("bar", "Bias of the last layer", "class", "bias (mean 0)", classes, series),)


CHECK = Check(
    id="init_bias",
    stage="skeleton",
    question="Does the last layer start from what is known about the classes?",
    why="With a zero bias on imbalanced data the first, steep part of the loss curve only learns "
    "the class shares. Setting the bias to their log saves it; a bias set in the wrong order "
    "starts the net below knowing nothing.",
    params=Params,
    judge=judge,
    probes=(START,),
)
