"""Does augmentation vary the training pictures only, reproducibly, and leave their labels true?

The evaluation transform must give the same tensor every time. Under a seed, training must be
repeatable: a generator seeded by the clock is not. In the workers of a loader the random numbers
must differ; a generator that each worker copies, or seeds alike, gives all of them the same
augmentations, again in every epoch. And a six that is turned upside down is a nine: a small
reference net, taught on plain pictures that are moved a little, must still recognise held-out
pictures under the training transform.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recipe_core.kernel.check import Check, Probe
from recipe_core.kernel.intervals import wilson
from recipe_core.kernel.nouns import Finding, Picture
from recipe_core.kernel.params import setting
from recipe_core.kernel.readings import Reading, Readings, as_picture
from recipe_core.skeleton.problems import Problem, mends, sentence, worst


@dataclass(frozen=True)
class Params:
    kept: float = setting(
        0.6, low=0.0, high=1.0,
        why="share of the reference net's knowledge (accuracy beyond the largest class) that must "
        "survive the training transform, by the upper end of its interval; crops to a twelfth of "
        "the area keep about three quarters on photos, turning and mirroring digits under half",
    )  # fmt: skip
    plain: float = setting(
        0.9, low=0.0, high=1.0,
        why="correlation of a training tensor with the whole or the middle of its source, where "
        "the training transform never varies: 0.98 and more without augmentation",
    )  # fmt: skip
    knowledge: float = setting(
        0.3, low=0.0, high=1.0,
        why="what the reference net must know of plain pictures, beyond the largest class, before "
        "it can say anything",
    )  # fmt: skip


def judge(readings: Readings, params: Params) -> Finding:
    read = readings.need("augmentation")
    problems = [*evaluation(read), *seeded(read), *fixed(read, params), *workers(read),
                *labels(read, params)]  # fmt: skip
    share = kept(read, params)
    found = read["labels"]
    return Finding(
        worst(problems), sentence(problems, good(read, share)), mends(problems),
        {
            "n": read["n"], "evaluation_varies": read["evaluation"],
            "training_varies": read["varies"], "repeats": read["repeats"],
            "kept": share, "workers": dict(read["workers"]), "reference": dict(found),
        },
        value=share, expected=f"at least {params.kept:g} of what a reference net knows, "
        "repeatable, in training only", pictures=pictures(read),
    )  # fmt: skip


def evaluation(read: Reading) -> list[Problem]:
    if not read["evaluation"]:
        return []
    return [Problem("fail", f"the evaluation transform is random: {read['evaluation']} of "
                    f"{read['n']} pictures come out differently the second time",
                    "Leave random steps out where build_transform is called with "
                    "train=False.")]  # fmt: skip


def seeded(read: Reading) -> list[Problem]:
    if read["repeats"] is None or read["repeats"] == read["n"]:
        return []
    return [Problem("fail", f"{read['n'] - read['repeats']} of {read['n']} training pictures "
                    "come out differently under the same seed: the augmentation cannot be repeated",
                    "Draw from torch's, NumPy's or Python's own generator, which the run seeds; "
                    "never seed by the clock.")]  # fmt: skip


def fixed(read: Reading, params: Params) -> list[Problem]:
    """The same turn or shift for every picture, each time: evaluation alone sees what they are."""
    if not read["fixed"]:
        return []
    training, evaluation = read["fixed"]
    if training >= params.plain or evaluation < params.plain + 0.05:
        return []
    return [Problem("fail", f"the training transform changes all pictures in one and the same way "
                    f"(likeness with the source {training:.2f}, {evaluation:.2f} in evaluation; at "
                    f"least {params.plain:g} expected of one that never varies)",
                    "Make the generator once, outside the transform's call: one that is seeded in "
                    "every call draws the same numbers every time.")]  # fmt: skip


def workers(read: Reading) -> list[Problem]:
    found = read["workers"]
    if not found or found["distinct"] < 2:
        return []
    mend = "Let PyTorch seed the workers, and draw from torch, random or np.random inside them."
    if found["alike"]:
        return [Problem("fail", f"{found['alike']} pairs of {found['batches']} batches hold the "
        "very "
                        "same augmentations: the loader's workers draw the same random numbers",
                        mend)]  # fmt: skip
    if found["epochs_alike"]:
        return [Problem("fail", f"{found['epochs_alike']} of {found['batches']} batches hold the "
                        "same augmentations again in the next epoch: the random numbers start anew",
                        mend)]  # fmt: skip
    return []


def kept(read: Reading, params: Params) -> float | None:
    """Share of what the reference net knows of plain pictures that it knows of augmented ones."""
    found = read["labels"]
    if not found:
        return None
    (clean, n), (augmented, _) = found["clean"], found["augmented"]
    known = clean / n - found["majority"]
    if known < params.knowledge:
        return None
    return round(float((augmented / n - found["majority"]) / known), 3)


def labels(read: Reading, params: Params) -> list[Problem]:
    share = kept(read, params)
    if share is None or share >= params.kept:
        return []
    found = read["labels"]
    (clean, n), (augmented, _) = found["clean"], found["augmented"]
    highest = (wilson(augmented, n)[1] - found["majority"]) / (clean / n - found["majority"])
    if highest >= params.kept:
        return []
    return [Problem("fail", f"augmented pictures leave their class: a reference net recognises "
                    f"{clean / n:.0%} of {n} held-out pictures and {augmented / n:.0%} of the same "
                    f"under the training transform, {max(0.0, share):.0%} of what it knows (at "
                    f"least {params.kept:.0%} expected)",
                    "Look at the pictures: is the label still true? Take smaller angles and larger "
                    "crops, and leave out flips that change what a picture means.")]  # fmt: skip


def good(read: Reading, share: float | None) -> str:
    if not read["varies"]:
        return (f"No augmentation: training and evaluation give {read['n']} pictures the same way "
                "every time.")  # fmt: skip
    said = "" if share is None else (
        f"; a reference net keeps {share:.0%} of what it knows under them"
    )  # fmt: skip
    return (f"{read['varies']} of {read['n']} training pictures vary, none in evaluation, and the "
            f"same seed gives the same ones{said}.")  # fmt: skip


def pictures(read: Reading) -> tuple[Picture, ...]:
    """Rows of a picture under the evaluation transform and seven times under the training one."""
    if "shown" not in read.arrays:
        return ()
    shown = read["shown"]
    shown = shown[:, :, :3] if shown.shape[2] >= 3 else shown[:, :, :1]
    low, high = (np.quantile(shown, q) for q in (0.005, 0.995))
    scaled = ((shown - low) / max(float(high - low), 1e-9)).transpose(0, 3, 1, 4, 2)
    rows, h, columns, w, c = scaled.shape
    sheet = scaled.reshape(rows * h, columns * w, c)
    return (Picture("Evaluation (left), and seven training versions", as_picture(sheet)),)


CHECK = Check(
    id="augmentation",
    stage="skeleton",
    question="Does augmentation vary training only, repeatably, and leave the labels true?",
    why="Augmentation is random code that nobody looks at again. In evaluation it blurs the "
    "result, in workers it may repeat itself, and some of it turns one class into another.",
    params=Params,
    judge=judge,
    probes=(
        Probe("augmentation", 2, "recipe_core.skeleton.probes.augmentation:augmentation", 180),
    ),
)
