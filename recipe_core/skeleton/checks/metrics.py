"""Does evaluate report what a plain loop over the whole evaluation set finds?

A running mean of batch accuracies counts a short last batch like a full one; a loader that drops it
evaluates on a part; an argmax over the wrong axis still gives a number between 0 and 1; a loader
that gives the training set gives a better one. The loader is compared with the set, sample by
sample, predict is tried on outputs whose label is known, and the reported accuracy is worked out
again from the very outputs that evaluate saw, with batches of which the last is short on purpose.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from recipe_core.kernel.check import Check, Probe
from recipe_core.kernel.intervals import wilson
from recipe_core.kernel.nouns import Chart, Finding, Table
from recipe_core.kernel.params import setting
from recipe_core.kernel.readings import Reading, Readings
from recipe_core.skeleton.problems import Problem, mends, sentence, worst

MOST_CLASSES = 30


@dataclass(frozen=True)
class Params:
    samples: float = setting(
        0.6, low=0.0, high=100.0,
        why="samples by which the reported accuracy may differ from the recount: less than one, "
        "for rounding; a mean of batch means is off by many",
    )  # fmt: skip
    coarse: float = setting(
        2.5, low=0.0, high=100.0,
        why="the same in half precision, where equal logits may fall either way",
    )  # fmt: skip


def judge(readings: Readings, params: Params) -> Finding:
    read = readings.need("metrics")
    problems = [*splits(read), *loader(read), *labels(read), *accuracy(read, params)]
    reported, n = accuracy_of(read["reported"]), len(read["truth"])
    right = int((read["own"] == read["truth"]).sum())
    low, high = wilson(right, n)
    good = (f"evaluate takes all {n} samples once and its accuracy, {shown(reported)}, is that of "
            f"a plain loop; after a few steps {right / n:.3f} [{low:.3f}, "
            f"{high:.3f}].")  # fmt: skip
    return Finding(
        worst(problems), sentence(problems, good), mends(problems),
        {
            "n": n, "reported": dict(read["reported"]), "recount": recount(read),
            "plain_loop": right / n, "plain_loop_low": low, "plain_loop_high": high,
            "batch": read["batch"], **{f"loader_{k}": v for k, v in read["loader"].items()},
        },
        value=reported, expected=f"{shown(recount(read))}, recounted over all {n} samples",
        charts=confusion(read, list(readings.about.get("class_names", ()))),
        tables=(table(read, right, low, high),),
    )  # fmt: skip


def splits(read: Reading) -> list[Problem]:
    if not read["overlap"]:
        return []
    return [Problem("fail", f"{read['overlap']} samples are in the training and in the evaluation "
                    "split", "Evaluate on a split that is not trained on.")]  # fmt: skip


def loader(read: Reading) -> list[Problem]:
    """Does the evaluation loader give every sample of the set, once, and no other?"""
    found = read["loader"]
    wanted, given = found["wanted"], found["given"]
    foreign = found["repeatable"] and found["from_evaluation"] < 0.5 and not found["same_labels"]
    if foreign:
        inside = f"{found['from_evaluation']:.0%}"
        return [Problem("fail", f"the evaluation loader gives {given} samples, {inside} of them "
                        f"from the evaluation set of {wanted}: it iterates another set",
                        "Build the loader from the data set that eval_loader is given, without a "
                        "cache.")]  # fmt: skip
    if given != wanted:
        less = "drop_last leaves the last batch out" if given < wanted else "samples come twice"
        return [Problem("fail", f"the evaluation loader gives {given} of {wanted} samples (batches "
                        f"of {read['batch']}): {less}",
                        "Give every evaluation sample once: no drop_last, no "
                        "sampler.")]  # fmt: skip
    return []


def labels(read: Reading) -> list[Problem]:
    right, n = read["predict"]["right"], read["predict"]["n"]
    if right == n:
        return []
    return [Problem("fail", f"predict finds the label of {right} of {n} outputs whose label is "
                    "beyond doubt", "Take argmax over the classes: dim=1, not dim=0.")]  # fmt: skip


def accuracy(read: Reading, params: Params) -> list[Problem]:
    """The reported accuracy against the recount of what evaluate saw."""
    reported, n = accuracy_of(read["reported"]), len(read["truth"])
    if reported is None:
        return [Problem("fail", f"evaluate reports no accuracy, only "
                        f"{', '.join(read['reported']) or 'nothing'}",
                        'Return {"accuracy": share of samples that are right, …}.')]  # fmt: skip
    if 0 < read["drawn"] < min(n, read["loader"]["given"]) or not read["drawn"]:
        return [Problem("fail", f"evaluate takes {read['drawn']} of {n} samples from its loader: "
                        "it returns before the end",
                        "Return after the loop, not inside it.")]  # fmt: skip
    if not len(read["targets"]) or not len(read["guesses"]):
        return []  # several passes a batch, or none through the model: nothing to count again
    room = (params.coarse if read["coarse"] else params.samples) / len(read["targets"])
    if any(abs(reported - w) <= room or abs(reported / 100 - w) <= room for w in recounts(read)):
        return []
    return [Problem(
        "fail", f"evaluate reports an accuracy of {shown(reported)} where its own outputs give "
        f"{shown(recount(read))} on {len(read['targets'])} samples (batches of {read['batch']}, "
        "the last one short): it does not count samples",
        "Add up right samples and samples over all batches, and divide once.")]  # fmt: skip


def recounts(read: Reading) -> list[float]:
    """Accuracies that are right to report: over samples, or the mean over classes."""
    targets = read["targets"]
    found = []
    for name in ("guesses", "plain"):
        hits = read[name] == targets
        by_class = [hits[targets == k].mean() for k in np.unique(targets)]
        found += [float(hits.mean()), float(np.mean(by_class))]
    return found


def recount(read: Reading) -> float | None:
    return recounts(read)[0] if len(read["targets"]) and len(read["guesses"]) else None


def accuracy_of(reported: Mapping[str, float]) -> float | None:
    """The reported accuracy; the first metric named like it where none is called so."""
    names = sorted(reported, key=lambda k: (k != "accuracy", k))
    return next((reported[k] for k in names if "acc" in k.lower()), None)


def shown(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4f}"


def confusion(read: Reading, names: list[str]) -> tuple[Chart, ...]:
    classes = max(int(read["truth"].max(initial=0)), int(read["own"].max(initial=0))) + 1
    if classes > MOST_CLASSES:
        return ()
    counts: npt.NDArray[np.int64] = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (read["truth"], read["own"]), 1)
    called = [names[c] if c < len(names) else str(c) for c in range(classes)]
    rows = {called[c]: counts[c].tolist() for c in range(classes)}
    return (Chart("heatmap", "Plain loop: label (row) and prediction (column)", "prediction",
                  "label", called, rows),)  # fmt: skip


def table(read: Reading, right: int, low: float, high: float) -> Table:
    found: list[tuple[Any, ...]] = [(f"evaluate: {k}", round(v, 6), "", "")
                                    for k, v in read["reported"].items()]  # fmt: skip
    again = recount(read)
    if again is not None:
        found.append(("recounted from its outputs", round(again, 6), "", ""))
    n = len(read["truth"])
    found.append(
        (f"plain loop, {right} of {n}", round(right / n, 6), round(low, 4), round(high, 4))
    )
    return Table("Accuracy, and 95 % interval (Wilson)", ("how", "accuracy", "low", "high"),
                 tuple(found))  # fmt: skip


CHECK = Check(
    id="metrics",
    stage="skeleton",
    question="Does evaluate report what a plain loop over the whole evaluation set finds?",
    why="A number is believed once it is printed. Means of batch means, dropped batches, a wrong "
    "axis or the wrong split all give plausible accuracies.",
    params=Params,
    judge=judge,
    probes=(Probe("metrics", 1, "recipe_core.skeleton.probes.metrics:metrics"),),
)
