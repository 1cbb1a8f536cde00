"""Do the predictions on one fixed batch move as those of a net that learns?

Watching the predictions on the same few pictures while the net trains shows how it learns: they
should leave the first guess, spread over the classes and settle. Predictions that do not move at
all come from a net that is not trained; all of one class while the training loss falls, from an
evaluation that sees another net than training does; probabilities that swing from one end to the
other without the loss falling, from a learning rate too high.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from recipe_core.kernel.check import Check
from recipe_core.kernel.nouns import Chart, Finding, Table
from recipe_core.kernel.params import setting
from recipe_core.kernel.readings import Reading, Readings
from recipe_core.skeleton.checks.learning_rate import SCHEDULE
from recipe_core.skeleton.checks.parameters_update import COURSE

WARMING = 0.5


@dataclass(frozen=True)
class Params:
    still: float = setting(
        0.003, low=0.0, high=1.0,
        why="mean change of the predicted probabilities (total variation, 0 … 1) from the first "
        "step to the last below which nothing was learned: one step of Adam at 3e-4 moves more",
    )  # fmt: skip
    learned: float = setting(
        0.5, low=0.0, high=1.0,
        why="training loss, as a share of the entropy of the labels, below which the net must tell "
        "at least some of the pictures apart",
    )  # fmt: skip
    swing: float = setting(
        0.3, low=0.0, high=1.0,
        why="mean change of the probabilities within three steps, in the last third, from which "
        "predictions jump to and fro (warned only where the loss does not fall)",
    )  # fmt: skip
    steps: int = setting(
        30, low=1, high=1000,
        why="steps watched that are needed to tell: batch norm's running statistics are those of "
        "the training after about 30 (1 - 0.9^30 = 96 %)",
    )  # fmt: skip


def judge(readings: Readings, params: Params) -> Finding:
    read = readings.need("course")
    seen = measured(read)
    evidence: dict[str, Any] = {"charts": _charts(read, seen), "tables": (_table(read),)}
    numbers = {k: v for k, v in seen.items() if not isinstance(v, np.ndarray)}
    value, wanted = round(seen["change"], 4), "predictions that move and settle"

    def told(verdict: Any, text: str, step: str = "") -> Finding:
        return Finding(verdict, text, step, numbers, value=value, expected=wanted, **evidence)

    n, steps = len(read["labels"]), read["steps"]
    if not seen["finite"]:
        return told(
            "fail",
            f"Outputs or losses are no numbers any more within {steps} steps.",
            "Look at the learning rate, at half precision, and at a loss of log(0).",
        )
    if seen["change"] < params.still:
        if _warming(readings):
            return told(
                "skipped", f"Not judged: the rate is still warming up in these {steps} steps."
            )
        return told(
            "fail", f"The predictions on {n} fixed pictures do not move in {steps} steps: their "
            f"probabilities change by {seen['change']:.4f}, at least {params.still:g} expected.",
            "Look at parameters_update and at the learning rate.",
        )  # fmt: skip
    if steps < params.steps:
        return told(
            "skipped",
            f"Not judged: only {steps} steps fitted into the time, {params.steps} are needed.",
        )  # fmt: skip
    if seen["one_class"] and seen["labels_entropy"] > 0:
        if seen["loss"] < params.learned * seen["labels_entropy"]:
            return told(
                "fail", f"All {n} fixed pictures are given one class though the training loss is "
                f"{seen['loss']:.2f} (the labels' entropy is {seen['labels_entropy']:.2f}): "
                "evaluation sees another net, or other pictures, than training.",
                "Look at train_eval_mode, at predict, and at the evaluation transform.",
            )  # fmt: skip
        return told(
            "skipped", f"Not judged: after {steps} steps all {n} fixed pictures still get one "
            "class, as a net that has not learned yet gives them (training loss "
            f"{seen['loss']:.2f}).",
        )  # fmt: skip
    if seen["swing"] > params.swing and seen["loss"] > 0.95 * seen["first_loss"]:
        return told(
            "warn", f"Predictions jump: probabilities change by {seen['swing']:.2f} within three "
            f"steps in the last third while the loss does not fall ({seen['first_loss']:.2f} → "
            f"{seen['loss']:.2f}).", "Lower the learning rate.",
        )  # fmt: skip
    return told(
        "pass", f"The predictions on {n} fixed pictures move and spread over {seen['classes']} "
        f"classes in {steps} steps; in the last third {seen['jitter']:.0%} change within three "
        "steps.",
    )  # fmt: skip


def measured(read: Reading) -> dict[str, Any]:
    """Figures of the watched training; changes are total variations of probabilities, 0 … 1."""
    logits, predicted, losses = read["logits"], read["predictions"], read["losses"]
    finite = bool(np.isfinite(logits).all() and np.isfinite(losses).all())
    p = _softmax(np.nan_to_num(logits, nan=0.0, posinf=1e4, neginf=-1e4).astype(np.float64))
    steps = 0.5 * np.abs(np.diff(p, axis=0)).sum(2).mean(1)
    late = max(1, len(steps) // 3)
    quarter = max(1, len(losses) // 4)
    shares = np.bincount(read["labels"]) / len(read["labels"])
    shares = shares[shares > 0]
    return {
        "finite": finite, "change": float(0.5 * np.abs(p - p[0]).sum(2).mean(1).max()),
        "swing": float(steps[-late:].mean()) if len(steps) else 0.0,
        "jitter": float((np.diff(predicted, axis=0) != 0)[-late:].mean()) if len(steps) else 0.0,
        "one_class": len(np.unique(predicted[-late:])) == 1,
        "classes": len(np.unique(predicted[-1])),
        "loss": float(np.median(losses[-quarter:])),
        "first_loss": float(np.median(losses[:quarter])),
        "labels_entropy": float(-(shares * np.log(shares)).sum()), "steps_watched": len(losses),
        "changes": steps,
    }  # fmt: skip


def _softmax(z: Any) -> Any:
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def _warming(readings: Readings) -> bool:
    """Whether the schedule has, within the watched steps, not come near its full rate."""
    plan, course = readings.found("schedule"), readings.need("course")
    rates = plan.get("rates") if plan is not None else None
    if plan is None or rates is None or not len(rates):
        return False
    per = 1 if plan["interval"] == "step" else plan["steps_per_epoch"]
    reached = rates[: max(1, course["steps"] // per + 1)].max()
    return bool(reached < WARMING * rates.max())


def _table(read: Reading) -> Table:
    points, predicted, labels = read["points"], read["predictions"], read["labels"]
    shown = np.unique(np.linspace(0, len(points) - 1, min(8, len(points))).astype(int))
    columns = ("row of the sample table", "label", *(f"step {points[i]}" for i in shown))
    rows = tuple(
        (row, labels[k], *(int(predicted[i, k]) for i in shown))
        for k, row in enumerate(read["rows"])
    )
    return Table("Predicted class of each fixed picture", columns, rows)


def _charts(read: Reading, seen: dict[str, Any]) -> tuple[Chart, ...]:
    losses = read["losses"]
    right = (read["predictions"] == np.asarray(read["labels"])).mean(1)
    return (
        Chart("line", "Training loss of the first steps", "step", "loss",
              list(range(1, len(losses) + 1)), {"loss": losses.tolist()}),
        Chart("line", "The fixed pictures", "step", "share", list(read["points"]), {
            "right": right.tolist(), "probability that moved": [0.0, *seen["changes"].tolist()],
        }),
    )  # fmt: skip


CHECK = Check(
    id="prediction_dynamics",
    stage="skeleton",
    question="Do the predictions on one fixed batch move as those of a net that learns?",
    why="Predictions on the same pictures show how a net learns. A bad answer: they never move, "
    "they are all of one class while the training loss falls, or they jump to and fro while it "
    "does not.",
    params=Params,
    judge=judge,
    probes=(COURSE, SCHEDULE),
    explained_by=("parameters_update", "loss_at_init", "learning_rate"),
)
