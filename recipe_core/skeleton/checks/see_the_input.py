"""Is what goes into the net the picture, in the right range, with the right label?

The unambiguously right place to look is immediately before the net. The tensors are caught where
transform, loader, model and first layer get them, in training and in evaluation, and compared with
the source pictures: which gain and offset lie between them (no, double or wrong normalisation;
another one in training than in evaluation), whether the pixels are still in their places (view for
permute), whether red is red, whether samples differ at all, and whether the label beside each
tensor is that of the picture in the sample table.

A model without normalisation on pixels from 0 to 1, one that normalises inside, one channel,
mirrored or cropped pictures are unusual, not wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from recipe_core.kernel.check import Check, Probe
from recipe_core.kernel.nouns import Finding, Picture, Table
from recipe_core.kernel.params import setting
from recipe_core.kernel.readings import Reading, Readings, as_picture
from recipe_core.skeleton.problems import Problem, mends, sentence, worst

Stage = Mapping[str, Any]
WORDS = {
    "transform_eval": "the evaluation transform gives", "transform_train": "the training transform "
    "gives", "evaluate": "evaluate gives the model", "train_step": "train_step gives the model",
    "layer": "the first layer gets",
}  # fmt: skip
NAMED = {
    "ImageNet's": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "0.5 and 0.5": ((0.5,) * 3, (0.5,) * 3),
}
ORDERS = ("red, green, blue", "blue, green, red", "red, blue, green", "green, red, blue",
          "green, blue, red", "blue, red, green")  # fmt: skip
PERMUTED = 0.7
"""Correlation of a channel with the one of the source that it is taken for: 0.84 and more under
augmentation, 0.5 and less for the channels of YCbCr."""


@dataclass(frozen=True)
class Params:
    widest: float = setting(
        2.5, low=1.0, high=1000.0,
        why="standard deviation of the tensors before the first layer: 1 after normalisation with "
        "the data's own, at most 0.5 / 0.225 = 2.2 for black and white with ImageNet's; 40 and "
        "more for pixels up to 255, 3 and more when normalised twice",
    )  # fmt: skip
    narrowest: float = setting(
        0.02, low=0.0, high=1.0,
        why="the same from below: pixels of 0 to 1 have 0.05 to 0.4; divided by 255 twice 0.001",
    )  # fmt: skip
    apart: float = setting(
        1.6, low=1.0, high=100.0,
        why="ratio of the gains of training and evaluation; colour jitter and crops move it by "
        "less than 1.3, a missing normalisation by 2 to 5",
    )  # fmt: skip
    layout: float = setting(
        0.3, low=0.0, high=1.0,
        why="correlation with the source picture below which pixels are not in their places; "
        "resized and centre-cropped pictures have above 0.8",
    )  # fmt: skip
    shown: float = setting(
        0.08, low=0.0, high=1.0,
        why="share of the picture's area in the evaluation tensor, where it is the middle: a crop "
        "of 224 from 256 leaves 0.77, of 32 from 96 0.11, of 32 from 256 0.016",
    )  # fmt: skip
    cut: float = setting(
        0.25, low=0.0, high=1.0,
        why="share of values at the very ends of their range, beyond that of the pictures' own "
        "blacks and whites; up to 0.01 in sound pipelines, 0.48 in digits clamped after Normalize",
    )  # fmt: skip
    agree: float = setting(
        0.9, low=0.0, high=1.0,
        why="share of labels that agree with the sample table; exactly 1 but for near copies of "
        "different classes that are taken for one another",
    )  # fmt: skip


def judge(readings: Readings, params: Params) -> Finding:
    read = readings.need("see_the_input")
    stages: dict[str, Stage] = read["stages"]
    declared = read["declared"]
    problems = [
        *constant(read, stages), *extent(stages, params), *expected_by(stages, declared),
        *unequal(stages, params), *scrambled(stages, params), *colours(stages),
        *lost(read, params), *labels(read, params),
    ]  # fmt: skip
    e = stages["transform_eval"]
    good = (f"{e['n']} pictures look as their sources do (correlation {e['plain']:.2f}), with mean "
            f"{e['mean']:.2f} and deviation {e['std']:.2f}, the same in training and evaluation, "
            "and the labels are those of the sample table.")  # fmt: skip
    return Finding(
        worst(problems), sentence(problems, good), mends(problems),
        {"stages": {k: dict(v) for k, v in stages.items()}, "labels_train": read["agree_train"],
         "labels_eval": read["agree_eval"], "distinct": read["distinct"],
         "shown_share": read["shown_share"], "cut_off": list(read["cut_off"])},
        value=f"mean {e['mean']:.2f}, deviation {e['std']:.2f}",
        expected=f"deviation {params.narrowest:g} to {params.widest:g}, as the source, right "
        "labels",
        pictures=(grid(read, list(readings.about.get("class_names", ()))),),
tables=(table(stages),), )  # fmt: skip


def constant(read: Reading, stages: Mapping[str, Stage]) -> list[Problem]:
    distinct, n = read["distinct"]
    if distinct < n / 2:
        return [Problem("fail", f"only {distinct} of {n} input tensors differ: the net sees the "
                        "same for most pictures", "Look at the transform's arithmetic: integer "
                        "division, a cast to uint8, a clamp.")]  # fmt: skip
    for name, stage in stages.items():
        if stage["nan"]:
            return [Problem("fail", f"{WORDS[name]} values that are not finite",
                            "Look for a division by zero.")]  # fmt: skip
        flat = [c for c, s in enumerate(stage["channels"]) if s == 0]
        if flat and len(flat) < len(stage["channels"]):
            return [Problem("fail", f"channel {flat[0]} is constant: {WORDS[name]} nothing there",
                            "Look for a channel that is filled or multiplied with "
                            "zero.")]  # fmt: skip
    return []


def extent(stages: Mapping[str, Stage], params: Params) -> list[Problem]:
    """The range before the first layer that learns; and the marks of normalising twice."""
    last = next(n for n in ("layer", "train_step", "transform_eval") if n in stages)
    stage = stages[last]
    mend = "Scale pixels to 0 … 1 once, then normalise once, with mean and deviation in that range."
    if stage["std"] > params.widest:
        why = "pixels are not scaled" if max(stage["gain"]) > 100 else "normalised twice?"
        return [Problem("fail", f"{WORDS[last]} a deviation of {stage['std']:.3g} (at most "
                        f"{params.widest:g} expected; {stage['low']:.3g} to {stage['high']:.3g}): "
                        f"{why}", mend)]  # fmt: skip
    if stage["std"] < params.narrowest:
        return [Problem("fail", f"{WORDS[last]} a deviation of {stage['std']:.2g} (at least "
                        f"{params.narrowest:g} expected): next to nothing is left of the picture",
                        mend)]  # fmt: skip
    for name, (mean, std) in NAMED.items():
        pairs = list(zip(stage["gain"], stage["offset"], mean, std, strict=False))
        twice = all(_near(a, 1 / s**2, 0.05) and abs(b + m / s**2 + m / s) < 0.1 / s
                    for a, b, m, s in pairs)  # fmt: skip
        if twice and min(stage["fit"]) > 0.95:
            return [Problem("fail", f"{WORDS[last]} pixels normalised twice with {name} mean and "
                            "deviation", mend)]  # fmt: skip
    return []


def lost(read: Reading, params: Params) -> list[Problem]:
    """Most of the picture, or most of its values, cut away by the evaluation transform."""
    found, (mine, theirs) = [], read["cut_off"]
    if read["shown_share"] < params.shown:
        found.append(Problem(
            "fail", f"the evaluation transform shows the middle {read['shown_share']:.1%} of a "
            f"picture's area (at least {params.shown:.0%} expected)",
            "Resize to a little more than the crop: Resize(36), CenterCrop(32)."))  # fmt: skip
    if mine - theirs > params.cut:
        found.append(Problem(
            "fail", f"{mine:.0%} of the values that the evaluation transform gives lie at the very "
            f"ends of their range, {theirs:.0%} in the pictures: the rest was cut off",
            "Clamp to 0 … 1 before Normalize, not after it."))  # fmt: skip
    return found


def expected_by(stages: Mapping[str, Stage], declared: Mapping[str, Any] | None) -> list[Problem]:
    """What pretrained weights expect, against what reaches the net."""
    if not declared:
        return []
    said = []
    for name in ("evaluate", "train_step", "layer", "transform_eval"):
        stage = stages.get(name)
        if stage is None or min(stage["fit"]) < 0.9 or min(stage["gain"]) <= 0:
            continue
        mean = [-b / a for a, b in zip(stage["gain"], stage["offset"], strict=True)]
        std = [1 / a for a in stage["gain"]]
        centred = all(abs(m - w) < 0.06 for m, w in zip(mean, declared["mean"], strict=False))
        scaled = all(_near(s, w, 0.15) for s, w in zip(std, declared["std"], strict=False))
        if centred and scaled:
            return []
        said.append((name, mean, std))
    if not said:
        return []
    _, mean, std = said[0]
    return [Problem("fail", f"the weights expect mean {_shown(declared['mean'])} and deviation "
                    f"{_shown(declared['std'])}, the pictures are normalised with {_shown(mean)} "
                    f"and {_shown(std)}", "Normalise with pretrained_normalization.")]  # fmt: skip


def unequal(stages: Mapping[str, Stage], params: Params) -> list[Problem]:
    """Training and evaluation must bring pictures into the same range."""
    found = []
    for a, b in (("transform_train", "transform_eval"), ("train_step", "evaluate")):
        one, two = stages.get(a), stages.get(b)
        if one is None or two is None or min(one["std"], two["std"]) <= 0:
            continue
        ratio = one["std"] / two["std"]
        moved = abs(one["mean"] - two["mean"]) / max(one["std"], two["std"])
        if not 1 / params.apart < ratio < params.apart or moved > 1:
            found.append(Problem(
                "fail", f"in training {WORDS[a]} mean {one['mean']:.2f} and deviation "
                f"{one['std']:.2f}, but {WORDS[b]} {two['mean']:.2f} and {two['std']:.2f} "
                f"(within a factor of {params.apart:g} expected)",
                "Use the same scaling and normalisation in both transforms."))  # fmt: skip
    return found[:1]


def scrambled(stages: Mapping[str, Stage], params: Params) -> list[Problem]:
    for name in ("transform_eval", "evaluate", "train_step", "layer"):
        stage = stages.get(name)
        if stage is None or stage["turned"] >= params.layout or stage["plain"] >= params.layout:
            continue
        viewed = stage["viewed"] > max(0.5, stage["plain"] + 0.2)
        same_values = min(stage["fit"]) > 0.9
        if viewed or same_values:
            how = (" and what is there is the picture with its axes read in another order" if viewed
                   else ", though it has its values")  # fmt: skip
            return [Problem("fail", f"{WORDS[name]} pixels that are not in their places: "
            "correlation "
                            f"with the source {stage['plain']:.2f} (above {params.layout:g} "
                            f"expected){how}",
                            "Use permute(2, 0, 1) to bring channels first; view and reshape only "
                            "relabel the memory.")]  # fmt: skip
    return []


def colours(stages: Mapping[str, Stage]) -> list[Problem]:
    for name in ("transform_eval", "transform_train", "evaluate", "train_step"):
        stage = stages.get(name)
        if stage is None or "orders" not in stage or stage["colour"] < 0.02:
            continue
        if stage["plain"] < 0.5:
            continue
        best = int(np.argmax(stage["orders"]))
        if stage["same"] < PERMUTED:  # another colour space: its channels are none of the source
            continue
        if best and stage["orders"][best] > stage["orders"][0] + 0.3:
            return [Problem("fail", f"{WORDS[name]} channels in the order {ORDERS[best]} "
            "(correlation"
                            f" of colours {stage['orders'][best]:.2f}, in the order of the source "
                            f"{stage['orders'][0]:.2f})",
                            "Bring channels into the order red, green, blue, in both "
                            "transforms.")]  # fmt: skip
    return []


def labels(read: Reading, params: Params) -> list[Problem]:
    found = []
    maps = read["maps"]
    if maps and maps[0] != maps[1]:
        n = sum(a != b for a, b in zip(*maps, strict=True))
        found.append(Problem("fail", f"label_map gives {n} of {len(maps[0])} classes another index "
                             "in evaluation than in training",
                             "Use one mapping from class name to index for all "
                             "splits."))  # fmt: skip
    if maps and sorted(maps[0]) != list(range(len(maps[0]))):
        found.append(Problem("fail", "label_map does not give each class an index of its own "
        "from 0 "
                             f"to {len(maps[0]) - 1}", "Number the classes from 0."))  # fmt: skip
    for split, words in (("train", "training"), ("eval", "evaluation")):
        agree, n = read[f"agree_{split}"]
        if n < 20 or agree / n >= params.agree:
            continue
        shifts = read[f"shifts_{split}"]
        shifted = bool(shifts) and shifts[0][1] > 0.8 * (n - agree) and agree < 0.5 * n
        how = f", shifted by {shifts[0][0]}" if shifted else ""
        found.append(Problem("fail", f"{n - agree} of {n} labels that the {words} loader gives are "
                             f"not those of the sample table{how}",
                             "Look at where samples and labels are put together: own data sets, "
                             "collate functions, indices that start at 1."))  # fmt: skip
    return found


def _near(a: float, b: float, share: float) -> bool:
    return abs(a - b) <= share * abs(b)


def _shown(values: Any) -> str:
    return "(" + ", ".join(f"{v:.3g}" for v in values) + ")"


def table(stages: Mapping[str, Stage]) -> Table:
    rows = tuple(
        (name, *(round(s[k], 3) for k in ("mean", "std", "low", "high", "plain")),
         _shown(s["gain"]), _shown(s["offset"]))
        for name, s in stages.items()
    )  # fmt: skip
    return Table("What goes in", ("where", "mean", "deviation", "lowest", "highest",
                                  "like the source", "gain", "offset"), rows)  # fmt: skip


def grid(read: Reading, names: list[str]) -> Picture:
    """The tensors before the net, brought back to pixels by gain and offset, eight in a row."""
    stage = read["stages"].get("evaluate") or read["stages"]["transform_eval"]
    gain = np.array([g if abs(g) > 1e-6 else 1.0 for g in stage["gain"]])[:, None, None]
    offset = np.array(stage["offset"])[:, None, None]
    seen = len(gain) if len(gain) in (1, 3) else 1  # of two channels, or four, the first
    gain, offset, shown = gain[:seen], offset[:seen], read["shown"][:, :seen]
    pixels = ((shown - offset) / gain).transpose(0, 2, 3, 1)
    n, h, w, c = pixels.shape
    rows = -(-n // 8)
    sheet = np.ones((rows * (h + 2), 8 * (w + 2), c))
    for k, tile in enumerate(pixels):
        top, left = k // 8 * (h + 2), k % 8 * (w + 2)
        sheet[top : top + h, left : left + w] = tile
    called = [names[int(y)] if 0 <= int(y) < len(names) else str(int(y)) for y in read["shown_y"]]
    return Picture("What the net sees in evaluation", as_picture(sheet), "; ".join(called))


CHECK = Check(
    id="see_the_input",
    stage="skeleton",
    question="Is what goes into the net the picture, in the right range, with the right label?",
    why="Most silent bugs sit between the file and the first layer. The exact tensor before the "
    "net, brought back to pixels, with its label, shows them at a glance.",
    params=Params,
    judge=judge,
    probes=(Probe("see_the_input", 2, "recipe_core.skeleton.probes.see_the_input:see_the_input"),),
)
