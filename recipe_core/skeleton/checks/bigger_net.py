"""Does a wider net fit the training samples better?

Capacity that does not lower the training loss is not used: the width is ignored, the wider net is
initialised badly, or something narrow elsewhere holds the loss up. Compared is the training loss
after the same steps, over several seeds; where both are at the bottom there is nothing left to
gain.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from recipe_core.kernel.check import Check, Probe
from recipe_core.kernel.nouns import Chart, Finding
from recipe_core.kernel.params import setting
from recipe_core.kernel.readings import Reading, Readings

WIDER = Probe("wider", 2, "recipe_core.skeleton.probes.arms:wider", 300.0)


@dataclass(frozen=True)
class Params:
    seeds_t: float = setting(
        2.92, low=1.0, high=20.0,
        why="standard errors over the three seeds: one-sided 95 % of Student's t with 2 degrees",
    )  # fmt: skip
    bottom: float = setting(
        0.1, low=0.0, high=1.0,
        why="training loss, as a share of the first one, below which nothing is left to gain",
    )  # fmt: skip
    worse: float = setting(
        0.5, low=0.0, high=10.0,
        why="share by which the wider net's loss must lie above, beyond seed noise, to be worse: "
        "the best learning rate changes with the width, and of 73 sound nets one was 29 % behind "
        "after 100 steps",
    )  # fmt: skip
    learned: float = setting(
        0.05, low=0.0, high=1.0,
        why="share of its first loss that a net must lose to have learned anything",
    )  # fmt: skip


def judge(readings: Readings, params: Params) -> Finding:
    read = readings.need("wider")
    numbers = {k: read[k] for k in ("parameters", "wide_parameters", "steps")}
    if read["parameters"] == read["wide_parameters"]:
        return Finding(
            "fail", f"build_model(width=2.0) gives a net of the same {read['parameters']:,} "
            "parameters: the width is ignored.", "Multiply the channels by width.", numbers,
            value=read["wide_parameters"], expected=f"more than {read['parameters']:,}",
        )  # fmt: skip
    if not read["steps"]:
        return Finding(
            "skipped", f"Not judged: a step of a net twice as wide ({read['wide_parameters']:,} "
            f"parameters) takes so long here that only {read['affordable']} fit into the time; so "
            "early a sound one may be behind.", "Run it on a GPU, or with smaller pictures.",
            numbers | {"affordable": read["affordable"]},
        )  # fmt: skip
    loss, wide = read["loss"], read["wide_loss"]
    difference = loss - wide
    error = float(difference.std(ddof=1) / math.sqrt(len(difference)))
    margin, gained = params.seeds_t * error, float(difference.mean())
    first = float(read["curve"][:, 0].mean())
    numbers |= {
        "loss": float(loss.mean()),
        "wide_loss": float(wide.mean()),
        "gain": gained,
        "margin": margin,
        "seeds": len(loss),
        "n": read["n_train"],
    }
    seen = (
        f"twice as wide ({read['wide_parameters']:,} instead of {read['parameters']:,} parameters) "
        f"the training loss is {numbers['wide_loss']:.3f}, as it is {numbers['loss']:.3f} "
        f"(± {margin:.3f}, {len(loss)} seeds, {read['steps']} steps)"
    )

    def told(verdict: Any, text: str, step: str = "") -> Finding:
        return Finding(
            verdict, text, step, numbers, charts=_charts(read), value=numbers["wide_loss"],
            expected=f"at most {numbers['loss'] + margin:.3f}",
        )  # fmt: skip

    if max(numbers["loss"], numbers["wide_loss"]) < params.bottom * abs(first):
        return told("pass", f"{_upper(seen)}: both are at the bottom, nothing is left to gain.")
    learned, wide_learned = (_learned(read[c], v, params) for c, v in
                             (("curve", loss), ("wide_curve", wide)))  # fmt: skip
    if learned and not wide_learned:
        return told(
            "fail",
            f"The wider net does not learn at all: {seen}.",
            "Scale initial weights with the number of inputs; look at the learning rate.",
        )
    if not learned and not wide_learned:
        return told("skipped", f"Not judged: neither net has learned anything yet; {seen}.",
                    "Look at overfit_batch and learning_rate first.")  # fmt: skip
    if gained < -margin and numbers["wide_loss"] > (1 + params.worse) * numbers["loss"]:
        return told("warn", f"More capacity makes the training loss worse: {seen}.",
                    "Look at the wider net's initial weights and learning rate.")  # fmt: skip
    if gained > margin:
        return told("pass", f"{_upper(seen)}: more capacity fits better.")
    return told("pass", f"{_upper(seen)}: no difference beyond the noise of seeds.")


def _learned(curve: Any, loss: Any, params: Params) -> bool:
    """Whether the loss is finite and below the first one, at the end of training or on samples."""
    first = float(curve[:, 0].mean())
    tail = float(np.mean(curve[:, -max(1, curve.shape[1] // 10) :]))
    best = min(v for v in (tail, float(loss.mean()), math.inf) if not math.isnan(v))
    return best < (1 - params.learned) * first


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _charts(read: Reading) -> tuple[Chart, ...]:
    x = list(range(1, read["curve"].shape[1] + 1))
    return (Chart("line", "Training loss (mean of the seeds)", "step", "loss", x, {
        "as wide as it is": read["curve"].mean(0).tolist(),
        "twice as wide": read["wide_curve"].mean(0).tolist(),
    }),)  # fmt: skip


CHECK = Check(
    id="bigger_net",
    stage="skeleton",
    question="Does a wider net fit the training samples better?",
    why="Capacity that does not lower the training loss is not used. A bad answer: the width is "
    "ignored, or the wider net does not learn at the same settings.",
    params=Params,
    judge=judge,
    probes=(WIDER,),
    explained_by=("parameters_update", "overfit_batch", "learning_rate"),
)
