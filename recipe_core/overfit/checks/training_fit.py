"""Can this model fit its training set, and if it cannot, why?

Before anything is regularized, the model must be able to learn its training samples by heart: the
loss reaches its floor and (nearly) every sample is right. A model that cannot is too small, badly
tuned, or the labels contradict the pictures; no regularization will mend that, and a validation
score says nothing about it. Train longer while the loss still falls, then try another learning
rate, then a larger model, and look at the samples that will not fit: many are labelled wrongly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from recipe_core.kernel.check import Check
from recipe_core.kernel.intervals import wilson
from recipe_core.kernel.nouns import NO_SUBJECTS, Chart, Finding, Subjects, Verdict
from recipe_core.kernel.params import setting
from recipe_core.kernel.readings import Reading, Readings

READING, VERSION = "training_fit", 1
"""What an overfit run reads of itself when it ends (recipe_core/overfit/run.py):

numbers  n_train, n_classes, train_accuracy, train_loss (nats, evaluation mode, all training
         samples), floor (the loss function's lowest value on these labels), ended (done, stopped,
         diverged), losses (training loss per epoch), regularizers (names of fields that hold the
         model back), lr
arrays   rows (k,) int64 of the samples that are wrong at the end, losses_of (k,) their losses,
         predicted (k,) int64, contradicted (k,) bool: a copy of the picture has another label
"""


FEW_EPOCHS = 8
"""Below it nothing is said of how the loss goes: its last quarter would be a single epoch."""


@dataclass(frozen=True)
class Params:
    accuracy: float = setting(
        0.995, low=0.5, high=1.0,
        why="share of training samples that must be right; a handful of copies with conflicting "
        "labels can never all be right, so not quite all",
    )  # fmt: skip
    above_floor: float = setting(
        0.05, low=0.0, high=2.0,
        why="nats that the training loss may lie above its floor: at 0.05 the label has 95 % of "
        "the probability on (geometric) average",
    )  # fmt: skip
    still_falling: float = setting(
        0.1, low=0.0, high=1.0,
        why="share by which the loss above its floor fell in the last quarter of the epochs from "
        "which on more training, not another model, is the next step",
    )  # fmt: skip
    few_left: float = setting(
        0.05, low=0.0, high=0.5,
        why="share of samples still wrong up to which the samples are looked at before the model",
    )  # fmt: skip


def judge(readings: Readings, params: Params) -> Finding:
    """See the module."""
    read = readings.need(READING)
    fits = read["train_accuracy"] >= params.accuracy and _excess(read) <= params.above_floor
    reason, step = ("", "") if fits else _reason(read, params)
    early = reason in ("still falling", "too short")
    unfinished = not fits and (read["ended"] == "stopped" or early)
    verdict: Verdict = "pass" if fits else "warn" if unfinished else "fail"
    return Finding(
        verdict, _summary(read, params, reason), step, _numbers(read, reason),
        NO_SUBJECTS if fits and not len(read["rows"]) else _subjects(read), _charts(read, params),
        value=f"{read['train_accuracy']:.2%} right, loss {read['train_loss']:.3g}",
        expected=f"at least {params.accuracy:.2%} right, loss at most "
        f"{read['floor'] + params.above_floor:.3g}",
    )  # fmt: skip


def _excess(read: Reading) -> float:
    loss = float(read["train_loss"])
    return loss - float(read["floor"]) if math.isfinite(loss) else math.inf


def _reason(read: Reading, params: Params) -> tuple[str, str]:
    """What most likely holds it back, and what to do next; one at a time, the cheapest first."""
    n, wrong = read["n_train"], 1 - read["train_accuracy"]
    if read["ended"] == "diverged" or not math.isfinite(_excess(read)):
        return "diverged", (
            f"The loss left the numbers: lower the learning rate ({read['lr']:g}) to a tenth."
        )
    if read["regularizers"]:
        return "regularized", (
            f"Switch off {', '.join(read['regularizers'])} first: overfit, then regularize."
        )
    if len(read["losses"]) < FEW_EPOCHS:
        return "too short", (
            f"{len(read['losses'])} epochs are too few to tell: train at least 20, change nothing "
            "else."
        )
    if _no_better_than_guessing(read):
        return "nothing learned", (
            "It does no better than guessing one class: run the skeleton's checks on this "
            "pipeline, and the learning-rate range test."
        )
    fell = _fell_lately(read)
    if fell is not None and fell >= params.still_falling:
        return "still falling", (
            f"The loss was still falling ({fell:.0%} in the last quarter): train longer, change "
            "nothing else."
        )
    if wrong <= params.few_left:
        known = int(np.sum(read["contradicted"]))
        also = f" {known} of them have a copy with another label." if known else ""
        return "labels", (
            f"Look at the {len(read['rows']):,} samples that will not fit: are their labels "
            f"right?{also} Correct or exclude them, then run again."
        )
    return "capacity", (
        f"Try a learning rate three times higher and three times lower than {read['lr']:g}, then "
        f"a larger model: {wrong:.0%} of {n:,} samples cannot be fitted."
    )


def _no_better_than_guessing(read: Reading) -> bool:
    """Whether accuracy is within its interval of the most frequent class's share."""
    n = int(read["n_train"])
    low, _ = wilson(read["train_accuracy"] * n, n)
    return bool(low <= read["largest_class_share"])


def _fell_lately(read: Reading) -> float | None:
    """Share by which the loss above its floor fell in the last quarter; None for few epochs."""
    losses = np.asarray(read["losses"], np.float64) - read["floor"]
    if len(losses) < FEW_EPOCHS or not np.isfinite(losses).all():
        return None
    quarter = len(losses) // 4
    before, now = losses[-2 * quarter : -quarter].mean(), losses[-quarter:].mean()
    return float((before - now) / before) if before > 0 else 0.0


_WHY = {
    "diverged": "the loss diverged",
    "regularized": "it is regularized",
    "nothing learned": "it learned nothing",
    "still falling": "its loss is still falling",
    "too short": "the run is too short to tell",
    "labels": "a few samples will not fit",
    "capacity": "it is stuck",
}


def _summary(read: Reading, params: Params, reason: str) -> str:
    said = (
        f"{read['train_accuracy']:.2%} of {read['n_train']:,} training samples right, loss "
        f"{read['train_loss']:.3g} (floor {read['floor']:.3g}) after "
        f"{len(read['losses'])} epochs"
    )
    wanted = f"at least {params.accuracy:.1%} and at most {params.above_floor:g} above the floor"
    if not reason:
        return f"The model can learn its training set by heart: {said}; wanted {wanted}."
    return f"The model does not fit its training set, {_WHY[reason]}: {said}; wanted {wanted}."


def _numbers(read: Reading, reason: str) -> dict[str, Any]:
    kept = {k: v for k, v in read.numbers.items() if k != "losses"}
    return {**kept, "reason": reason or "fits", "n_wrong": len(read["rows"])}


def _subjects(read: Reading) -> Subjects:
    losses: npt.NDArray[np.float64] = np.asarray(read["losses_of"], np.float64)
    order = np.argsort(-losses, kind="stable")
    scores = np.exp(-np.clip(losses[order], 0, 50))  # the probability left for the label
    details = [_detail(losses[i], bool(read["contradicted"][i])) for i in order]
    return Subjects(np.asarray(read["rows"], np.int64)[order], scores.astype(np.float32), details)


def _detail(loss: float, contradicted: bool) -> str:
    copy = "; a copy has another label" if contradicted else ""
    return f"still wrong, loss {loss:.3g}{copy}"


def _charts(read: Reading, params: Params) -> tuple[Chart, ...]:
    losses: Sequence[float] = [float(v) for v in read["losses"]]
    if not losses:
        return ()
    return (
        Chart(
            "line", "Training loss per epoch", "epoch", "loss (nats)",
            list(range(1, len(losses) + 1)), {"training loss": losses},
            (float(read["floor"]) + params.above_floor,),
        ),
    )  # fmt: skip


CHECK = Check(
    id="training_fit",
    stage="overfit",
    question="Can this model fit its training set?",
    why=__doc__.partition("\n\n")[2].strip(),
    params=Params,
    judge=judge,
)
