"""Can the net learn one batch by heart, to the lowest loss there is and with every label right?

A net that cannot learn a handful of pictures by heart cannot learn anything: something between the
pictures, the labels and the optimizer is broken. The loss alone does not tell: it must reach its
own floor, which is computed from the loss function (0 for cross entropy, more with label
smoothing), and every prediction must equal its label. A bad answer shows which samples stay wrong.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from recipe_core.kernel.check import Check, Probe
from recipe_core.kernel.nouns import Chart, Finding, Table
from recipe_core.kernel.params import setting
from recipe_core.kernel.readings import Reading, Readings
from recipe_core.reporting.wording import number

OVERFIT = Probe("overfit", 1, "recipe_core.skeleton.probes.overfit:overfit", 120.0)


@dataclass(frozen=True)
class Params:
    gap: float = setting(
        0.1, low=0.0, high=1.0,
        why="share of the way from the loss of knowing nothing down to the floor that may be left: "
        "with ten classes a tenth is a probability of 0.8 for every right label, where the rest is "
        "only a matter of more steps",
    )  # fmt: skip
    enough_steps: int = setting(
        300, low=1, high=100_000,
        why="optimisation steps on one batch after which not having learned it is a fault; fewer "
        "(a slow machine) leave it open",
    )  # fmt: skip


def judge(readings: Readings, params: Params) -> Finding:
    read = readings.need("overfit")
    n, floor, uniform = read["n"], read["floor"], read["uniform"]
    attempts = read["attempts"]
    best = min(attempts, key=lambda a: (a["right"] < n, _order(a["loss"])))
    numbers = {
        "n": n, "floor": floor, "loss_of_knowing_nothing": uniform, "loss": best["loss"],
        "right": best["right"], "steps": best["steps"], "attempts": attempts,
    }  # fmt: skip
    evidence: dict[str, Any] = {"charts": _charts(read), "tables": _tables(read)}
    if not math.isfinite(floor):
        return Finding(
            "fail", f"The loss function has no floor: on {n} samples it can fall without end "
            f"(it stands at {number(best['loss'])} with {best['right']} of {n} labels right).",
            "Look at loss_function first: a flipped sign, or logits where log-probabilities are "
            "meant.", numbers, value=best["loss"], expected="a loss with a floor", **evidence,
        )  # fmt: skip
    left = (best["loss"] - floor) / max(uniform - floor, 1e-12)
    numbers["gap_left"] = left
    wanted = f"{number(floor)} (the floor) and {n} of {n} right"
    said = _said(best, n)
    if best["right"] == n and left <= params.gap:
        slow = "" if best["factor"] == 1 else (
            f", though only with {best['factor']:g} times the learning rate (with its own, "
            f"{attempts[0]['loss']:.2f} after {attempts[0]['steps']} steps)"
        )  # fmt: skip
        return Finding("pass", f"{said}; the floor is {number(floor)}{slow}.", "", numbers,
                       value=best["loss"], expected=wanted, **evidence)  # fmt: skip
    open_ = [a for a in attempts if a["ended"] == "time" and a["steps"] < params.enough_steps]
    if open_:
        return Finding(
            "skipped", f"Not judged: only {open_[0]['steps']} steps fitted into the time, "
            f"{params.enough_steps} are needed ({said[:1].lower()}{said[1:]}).",
            "Run it on a faster device, or with a smaller model or smaller pictures.", numbers,
            value=best["loss"], expected=wanted, **evidence,
        )  # fmt: skip
    return Finding("fail", f"{said}; expected {wanted}.", _step(best, n, left), numbers,
                   value=best["loss"], expected=wanted, **evidence)  # fmt: skip


def _order(loss: float) -> float:
    return loss if math.isfinite(loss) else math.inf


def _said(a: dict[str, Any], n: int) -> str:
    return (f"After {a['steps']} steps on one batch the loss is {number(a['loss'])} with "
            f"{a['right']} of {n} labels right")  # fmt: skip


def _step(best: dict[str, Any], n: int, left: float) -> str:
    if not math.isfinite(best["loss"]):
        return "The loss is no longer finite: look at the learning rate and at half precision."
    if best["right"] == n:
        return (
            "The labels are right but the loss stays above its floor: look for a soft-max or a "
            "ReLU on the logits, weight decay, or a learning rate too low."
        )
    if left > 0.9:
        return (
            "Nothing is learned: look at parameters_update, at the input (see_the_input), and at "
            "the learning rate."
        )
    return "Look at the samples that stay wrong, at dead units, and at the learning rate."


def _charts(read: Reading) -> tuple[Chart, ...]:
    charts = []
    for i, a in enumerate(read["attempts"]):
        x, y = read.get(f"steps_{i}"), read.get(f"losses_{i}")
        if x is None or not len(x):
            continue
        rate = "" if a["factor"] == 1 else f", {a['factor']:g} x the rate"
        limits = [read["floor"]] if math.isfinite(read["floor"]) else []
        charts.append(Chart("line", f"Loss of one batch of {read['n']}{rate}", "step", "loss",
                            x.tolist(), {"loss": y.tolist()}, limits))  # fmt: skip
    return tuple(charts)


def _tables(read: Reading) -> tuple[Table, ...]:
    lost = read["lost"] or [None] * read["n"]
    rows = tuple(
        (row, label, guess, loss)
        for row, label, guess, loss in zip(
            read["rows"], read["labels"], read["predicted"], lost, strict=True
        )
        if label != guess
    )
    columns = ("row of the sample table", "label", "predicted", "loss")
    return (Table("Samples that stay wrong", columns, rows),) if rows else ()


CHECK = Check(
    id="overfit_batch",
    stage="skeleton",
    question="Can the net learn one batch by heart?",
    why="A net that cannot learn a handful of pictures by heart cannot learn anything. The loss "
    "must reach its own floor, computed from the loss function, and every prediction equal its "
    "label.",
    params=Params,
    judge=judge,
    probes=(OVERFIT,),
    explained_by=("parameters_update", "loss_at_init"),
)
