"""Does the loss say of made-up predictions what its formula says?

The loss is tried on outputs whose value is known: equal logits, right and sure, wrong and sure, the
same batch twice. It must fall as predictions become right, rise as they become wrong, raise the
logit of the label, keep its size when the batch is doubled, and go on teaching where the net is
surely wrong. Loss and net are tried together: logits are brought into the form that the net puts
out, so log_softmax with NLLLoss is right, and softmax with cross-entropy is not. Then train_step is
run on a net whose outputs are made up, for a sign may also be lost there.

Label smoothing, focal loss, class weights, binary cross-entropy and robust losses are unusual, not
wrong. A loss that is not known by name is judged by these properties alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from recipe_core.kernel.check import Check, Probe
from recipe_core.kernel.nouns import Chart, Finding, Table
from recipe_core.kernel.params import setting
from recipe_core.kernel.readings import Reading, Readings
from recipe_core.skeleton.loss_formulas import Named, named
from recipe_core.skeleton.problems import Problem, mends, sentence, some, worst

SINGLE_PRECISION = 1e-3
ROBUST = ("generalised cross-entropy", "absolute error of the probabilities", "focal loss")


@dataclass(frozen=True)
class Params:
    flat: float = setting(
        0.02, low=0.0, high=1.0,
        why="gradient of a surely wrong sample against that of one with equal logits; "
        "cross-entropy gives 1.1 to 1.6, a loss that ends in a second softmax or is clipped below "
        "0.005: what is most wrong then teaches nothing",
    )  # fmt: skip
    smoothing: float = setting(
        0.5, low=0.0, high=1.0,
        why="label smoothing above which the label gets less than half of the target; papers use "
        "0.05 to 0.2, and 0.9 is 0.1 misunderstood",
    )  # fmt: skip
    weights_fit: float = setting(
        0.9, low=0.0, high=1.0,
        why="correlation of log weight with minus log count; inverse counts, their roots and "
        "effective numbers give above 0.95, in the order of the classes",
    )  # fmt: skip


def judge(readings: Readings, params: Params) -> Finding:
    read = readings.need("loss_function")
    names = [str(n) for n in readings.about.get("class_names", ())]
    known = named(read["single_z"], read["single_t"], read["single_values"])
    problems = [
        *shape(read), *by_name(known, params), *direction(read, known, names),
        *flatness(read, known, params), *size(read), *weights(read, params, names),
    ]  # fmt: skip
    if not problems:
        problems = [*step(read, known, params)]
    said = known.name if known else "a loss that is not known by name"
    return Finding(
        worst(problems), sentence(problems, good(read, said)), mends(problems),
        {
            "formula": said, "detail": known.detail if known else None, "outputs": read["kind"],
            "uniform": float(read["right"][0]), "right": float(read["right"][-2]),
            "wrong": float(read["wrong"][-2]), "twice": twice(read),
            "step_not_judged": read.get("step_not_judged", ""),
        },
        value=said, expected="falls to its floor when right, rises when wrong, the same for a "
        "batch twice", charts=(chart(read),), tables=(table(read),),
    )  # fmt: skip


def shape(read: Reading) -> list[Problem]:
    if math.prod(read["shape"]) != 1:
        return [Problem("fail", f"the loss has shape {tuple(read['shape'])} where one number is "
                        "needed", "Reduce the loss to its mean over the batch.")]  # fmt: skip
    values = np.concatenate([read["right"], read["wrong"]])
    if not np.isfinite(values).all():
        first = int(np.flatnonzero(~np.isfinite(values))[0])
        s = read["scales"][first % len(read["scales"])]
        mend = "Work with log_softmax instead of the logarithm of a softmax."
        return [Problem("fail", f"the loss is not finite on logits of {s:g}", mend)]
    if not read["differentiable"]:
        return [Problem("fail", "the loss passes no gradient back",
                        "Keep the logits attached: no detach, item, argmax or numpy in the "
                        "loss.")]  # fmt: skip
    return []


def by_name(known: Named | None, params: Params) -> list[Problem]:
    if known is None:
        return []
    if known.fault:
        return [Problem("fail", f"the loss is {known.name}: {known.fault}", known.mend)]
    smoothed = known.name.endswith("label smoothing") and (known.detail or 0) > params.smoothing
    if smoothed:
        return [Problem("warn", f"label smoothing is {known.detail:.2f}: the label gets less than "
                        f"half of the target (at most {params.smoothing:g} expected)",
                        "Give label_smoothing the share that is taken from the label, such as "
                        "0.1.")]  # fmt: skip
    return []


def direction(read: Reading, known: Named | None, names: list[str]) -> list[Problem]:
    """Which logit does the gradient raise? And does the loss follow right and wrong?"""
    if (known is not None and known.fault) or math.prod(read["shape"]) != 1:
        return []
    pull, raised, right, wrong = read["pull"], read["raised"], read["right"], read["wrong"]
    silent = np.abs(pull).max(0) == 0
    if silent.all():
        return [Problem("fail", "the gradient is zero at equal logits: nothing is learned from the "
                        "start", "Remove what clips or rounds the loss.")]  # fmt: skip
    found = []
    trained = read["counts"] > 0
    if (silent & trained).any():
        lost = [_class(names, int(c)) for c in np.flatnonzero(silent & trained)]
        found.append(Problem("fail", f"samples of {some(lost)} have no gradient: the loss leaves "
                             f"them out ({len(lost)} of {len(silent)} classes)",
                             "Look for ignore_index or a class weight of zero."))  # fmt: skip
    elsewhere = ~silent & (raised != np.arange(len(raised)))
    if elsewhere.any():
        c = int(np.flatnonzero(elsewhere)[0])
        found.append(Problem(
            "fail", f"for {int(elsewhere.sum())} of {len(raised)} classes the gradient raises the "
            f"logit of another class: {_class(names, int(raised[c]))} for {_class(names, int(c))}",
            "Look for a sign, for labels shifted inside the loss, and for log-probabilities where "
            "logits are meant."))  # fmt: skip
        return found
    squares = right[-1] > right[0] + SINGLE_PRECISION and right[-1] > 3 * right[-2]
    if wrong[-2] <= right[-2] or right[1:].min() >= right[0]:
        found.append(Problem("fail", f"the loss is {right[-2]:.3g} for right and {wrong[-2]:.3g} "
                             f"for wrong predictions, {right[0]:.3g} for equal logits: it must "
                             "fall when right and rise when wrong",
                             "Compare the loss with its formula on these values."))  # fmt: skip
    elif squares:
        found.append(Problem("fail", "right predictions are punished for being sure: "
                             f"{right[0]:.3g} at equal logits, {right[-1]:.3g} at a logit of "
                             f"{read['scales'][-1]:g}, growing with its square",
                             "Take CrossEntropyLoss on the logits."))  # fmt: skip
    if right.min() < -4:
        found.append(Problem("fail", f"the loss falls to {right.min():.3g} and on without end",
                             "A loss needs a floor: put log_softmax before it."))  # fmt: skip
    return found


def flatness(read: Reading, known: Named | None, params: Params) -> list[Problem]:
    """Does what is surely wrong still teach?"""
    if known is not None and (known.fault or known.name in ROBUST):
        return []
    start, sure = read["flat"]
    reference = np.median(start[start > 0]) if (start > 0).any() else 0.0
    asked = (np.abs(read["pull"]).max(0) > 0) & (read["counts"] > 0)
    if not asked.any() or reference == 0:
        return []
    ratio = float(np.median(sure[asked]) / reference)
    if ratio >= params.flat:
        return []
    return [Problem(
        "fail", f"the gradient of a surely wrong sample is {ratio:.2g} of that of one that is "
        f"unsure (at least {params.flat:g} expected): what is most wrong teaches nothing",
        "Remove the clamp or the second softmax; clip gradients, not the loss.")]  # fmt: skip


def size(read: Reading) -> list[Problem]:
    """A mean over the batch: the same when the batch is doubled, whatever the order."""
    if not np.isfinite(read["once"]):
        return []
    found = []
    ratio = twice(read)
    if abs(ratio - 1) > SINGLE_PRECISION:
        kind = (
            "it is a sum, and steps grow with the batch size" if abs(ratio - 2) < 0.01
            else "it is divided by the batch size once too often" if abs(ratio - 0.5) < 0.01
            else "it depends on the size of the batch"
        )  # fmt: skip
        found.append(Problem("fail", f"the loss of the same batch twice is {ratio:.3g} times that "
                             f"of the batch, not 1: {kind}",
                             'Take the mean over the batch (reduction="mean").'))  # fmt: skip
    moved = abs(read["reordered"] - read["once"])
    if moved > SINGLE_PRECISION * max(abs(read["once"]), 1e-6):
        found.append(Problem("fail", f"the loss changes by {moved:.3g} when the samples of the "
                             "batch change places", "Apply softmax over the classes (dim=1), never "
                             "over the batch (dim=0)."))  # fmt: skip
    return found


def twice(read: Reading) -> float:
    """Loss of the batch repeated against that of the batch."""
    once = read["once"]
    return float(read["twice"] / once) if once else 1.0


def weights(read: Reading, params: Params, names: list[str]) -> list[Problem]:
    """Class weights that fit the counts of the classes, but in another order."""
    pull, counts = np.abs(read["pull"][0]), read["counts"]
    asked = (pull > 0) & (counts > 0)
    if asked.sum() < 2:
        return []
    weight, rarity = np.log(pull[asked]), -np.log(counts[asked])
    if np.ptp(weight) < math.log(1.05) or np.ptp(rarity) < math.log(1.1):
        return []
    own = float(np.corrcoef(weight, rarity)[0, 1])
    sorted_fit = float(np.corrcoef(np.sort(weight), np.sort(rarity))[0, 1])
    slope = float(np.ptp(weight) / np.ptp(rarity))
    follows = own < -params.weights_fit and slope > 0.2
    permuted = sorted_fit > 0.98 and own < params.weights_fit and 0.2 < slope < 1.6
    if not (follows or permuted):
        return []
    at = np.flatnonzero(asked)
    heavy, rare = at[int(weight.argmax())], at[int(rarity.argmax())]
    return [Problem(
        "fail", f"the class weights are not in the order of the classes: {_class(names, heavy)} "
        f"({int(counts[heavy]):,} samples) weighs most, {_class(names, rare)} "
        f"({int(counts[rare]):,}) is rarest; correlation with the inverse counts {own:.2f}, above "
        f"{params.weights_fit:g} expected",
        "Build the weights in the order of class_names.")]  # fmt: skip


def step(read: Reading, known: Named | None, params: Params) -> list[Problem]:
    """What train_step makes of the loss, on a net with made-up outputs."""
    if "step_values" not in read.arrays:
        return []
    start, sure = read["step_pull"]
    if np.abs(np.stack([start, sure])).max() == 0:
        return []  # it never moved its net: parameters_update says so
    values, losses = read["step_values"], read["step_losses"]
    factor = float(values @ losses / max(losses @ losses, 1e-12))
    same = factor > 0 and np.allclose(values, factor * losses, rtol=0.01, atol=1e-6)
    other = None if same else named(read["step_z"], read["step_t"], values)
    if other is not None and other.fault:
        return [Problem("fail", f"train_step does not descend on the loss but on "
                        f"{other.name}: {other.fault}", other.mend)]  # fmt: skip
    away = float(np.mean(sure < 0))
    if away > 0.5:
        return [Problem("fail", f"train_step lowers the logit of the label for {away:.0%} of "
                        f"{len(sure)} samples: it goes uphill",
                        "Descend on the loss itself, without a minus.")]  # fmt: skip
    ratio = float(np.median(np.abs(sure)) / max(float(np.median(np.abs(start))), 1e-12))
    robust = known is not None and known.name in ROBUST
    if ratio < params.flat and not robust:
        return [Problem("fail", f"train_step moves a surely wrong sample {ratio:.2g} times as far "
                        f"as one with equal logits (at least {params.flat:g} expected)",
                        "Give the loss function the logits, not a softmax of them.")]  # fmt: skip
    return []


def good(read: Reading, said: str) -> str:
    return (f"The loss is {said}: {read['right'][0]:.3g} at equal logits, {read['right'][-2]:.3g} "
            f"when sure and right, {read['wrong'][-2]:.3g} when sure and wrong, the same for the "
            "batch twice, as its formula says.")  # fmt: skip


def chart(read: Reading) -> Chart:
    return Chart(
        "line", "Loss of made-up predictions", "logit of the predicted class", "loss",
        [float(s) for s in read["scales"]],
        {"right": np.nan_to_num(read["right"]).tolist(),
         "wrong": np.nan_to_num(read["wrong"]).tolist()},
    )  # fmt: skip


def table(read: Reading) -> Table:
    classes = read["single_z"].shape[-1]
    s = float(read["scales"][-2])
    rest = math.log1p((classes - 1) * math.exp(-s))
    rows = (
        ("equal logits", _round(read["right"][0]), _round(math.log(classes))),
        (f"right, logit {s:g}", _round(read["right"][-2]), _round(rest)),
        (f"wrong, logit {s:g}", _round(read["wrong"][-2]), _round(s + rest)),
        ("a batch", _round(read["once"]), ""),
        ("the batch twice", _round(read["twice"]), _round(read["once"])),
        ("the batch in another order", _round(read["reordered"]), _round(read["once"])),
    )
    return Table("Made-up predictions", ("predictions", "loss", "cross-entropy, or wanted"), rows)


def _round(value: float) -> float:
    return round(float(value), 5)


def _class(names: list[str], c: int) -> str:
    return names[c] if c < len(names) else f"class {c}"


CHECK = Check(
    id="loss_function",
    stage="skeleton",
    question="Does the loss say of made-up predictions what its formula says?",
    why="A flipped sign, a second softmax, a sum for a mean or class weights in the wrong order "
    "train anyway, only worse. On made-up predictions the right value is known beforehand.",
    params=Params,
    judge=judge,
    probes=(Probe("loss_function", 1, "recipe_core.skeleton.probes.loss_function:loss_function"),),
)
