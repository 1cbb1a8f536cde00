"""Does every class have enough samples, in every split?

A net learns the classes that it sees often. A class missing from the training split cannot be
learned; one missing from validation or test is never evaluated, and nobody notices, because the
mean accuracy is computed over the classes that are there. When one class outnumbers another by far,
accuracy stays high while the rare class is never predicted. Move or collect samples for the rare
classes, report accuracy per class, and start the last layer's bias from the class shares.

Where the data set has boxes, its classes are those of the boxes and boxes are what is counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from recipe_core.data.properties import counted, listed
from recipe_core.kernel.check import Check
from recipe_core.kernel.errors import MissingInput
from recipe_core.kernel.evidence import Evidence
from recipe_core.kernel.intervals import accuracy_half_width
from recipe_core.kernel.nouns import NO_SUBJECTS, Chart, Finding, Subjects, Verdict
from recipe_core.kernel.params import setting

TRAIN_NAMES = ("train", "training")
EVALUATION_NAMES = ("val", "dev", "test", "eval", "holdout")
"""How the names of splits begin that are meant for measuring accuracy."""
WHOLE = "all"
MOST_BARS = 100


@dataclass(frozen=True)
class Params:
    max_ratio: float = setting(
        10.0, low=1.0, high=10_000.0,
        why="largest class / smallest class in training; at 10 : 1 a model that never predicts the "
        "smaller of the two is still right in 91 % of their samples, so accuracy no longer tells",
    )  # fmt: skip
    min_train: int = setting(
        20, low=1, high=10_000,
        why="training samples a class needs; up to about 16 a class is few-shot learning, which "
        "has methods of its own, and ordinary training memorises the few",
    )  # fmt: skip
    min_evaluate: int = setting(
        10, low=1, high=10_000,
        why="samples a class needs in validation or test; with 10, an accuracy of 80 % has a 95 % "
        "Wilson interval of 49 to 94 %, with fewer the number says next to nothing",
    )  # fmt: skip


@dataclass(frozen=True)
class Counts:
    """What is counted, per class and split.

    table   (C, S) int64
    rows    (m,) sample row of each counted thing; codes (m,) its class
    """

    noun: str
    classes: tuple[str, ...]
    splits: tuple[str, ...]
    table: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    codes: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Problem:
    """A class that is wrong in a way; the score of its samples is 0 where it is missing."""

    class_code: int
    verdict: Verdict
    kind: str
    text: str
    score: float


def judge(evidence: Evidence, params: Params) -> Finding:
    counts = count(evidence)
    problems = [*missing(counts), *too_few(counts, params), *outnumbered(counts, params)]
    verdicts = {p.verdict for p in problems}
    verdict: Verdict = "fail" if "fail" in verdicts else "warn" if verdicts else "pass"
    return Finding(
        verdict, summary(counts, problems, params), next_step(problems),
        figures(evidence, counts, problems), subjects(counts, problems), charts(evidence, counts),
    )  # fmt: skip


def count(evidence: Evidence) -> Counts:
    """Boxes per class and split where there are any, else samples. Raises MissingInput."""
    split, splits = _splits(evidence)
    if evidence.boxes.num_rows:
        rows, codes, classes = _boxes(evidence)
    else:
        rows, (found, classes) = np.arange(len(evidence)), evidence.codes("label")
        codes = found.astype(np.int64)
    known = codes >= 0
    if not known.any():
        raise MissingInput("no sample has a label")
    rows, codes = rows[known], codes[known]
    flat = np.bincount(codes * len(splits) + split[rows], minlength=len(classes) * len(splits))
    table = flat.reshape(len(classes), len(splits)).astype(np.int64)
    # A split without any label (a test set to be predicted) lacks no class: it has none to lack.
    kept = table.sum(axis=0) > 0
    splits = tuple(name for name, keep in zip(splits, kept, strict=True) if keep)
    noun = "box" if evidence.boxes.num_rows else "sample"
    return Counts(noun, classes, splits, table[:, kept], rows, codes)


def missing(counts: Counts) -> list[Problem]:
    """Classes without a sample in a split that has others, or anywhere."""
    found = []
    for c, s in np.argwhere(counts.table == 0):
        per_split = counts.table[c]
        if per_split.sum() == 0:
            if s == 0:
                text = f"{counts.classes[c]} is in the class list but has no {counts.noun} at all"
                found.append(Problem(int(c), "fail", "empty", text, 0.0))
        elif _is_train(counts.splits[s]) or _is_evaluation(counts.splits[s]):
            text = (f"{counts.classes[c]} has no {counts.noun} in {counts.splits[s]} "
                    f"({int(per_split.sum()):,} elsewhere)")  # fmt: skip
            found.append(Problem(int(c), "fail", "missing", text, 0.0))
    return found


def too_few(counts: Counts, params: Params) -> list[Problem]:
    """Classes with samples, but fewer than are needed to learn or to evaluate."""
    found = []
    for s, split in enumerate(counts.splits):
        if _is_evaluation(split):
            few = counts.table[:, s]
            for c in np.flatnonzero((few > 0) & (few < params.min_evaluate)):
                n = int(few[c])
                text = (f"{counts.classes[c]} has {n} of the {params.min_evaluate} needed in "
                        f"{split} (80 % accuracy is known to ± {100 * accuracy_half_width(n):.0f} "
                        "points there)")  # fmt: skip
                found.append(Problem(int(c), "warn", "too_few", text, n / params.min_evaluate))
    if all(_is_evaluation(split) for split in counts.splits):
        return found
    few = training_counts(counts)
    return found + [
        Problem(int(c), "warn", "too_few",
                f"{counts.classes[c]} has {few[c]} of the {params.min_train} needed to learn from",
                float(few[c] / params.min_train))
        for c in np.flatnonzero((few > 0) & (few < params.min_train))
    ]  # fmt: skip


def outnumbered(counts: Counts, params: Params) -> list[Problem]:
    """Classes that the largest class outnumbers by more than the ratio, in training."""
    per_class = training_counts(counts)
    largest = int(np.argmax(per_class))
    limit = per_class[largest] / params.max_ratio
    return [
        Problem(
            int(c), "warn", "outnumbered",
            f"{counts.classes[c]} is outnumbered {per_class[largest] / per_class[c]:.1f} : 1 by "
            f"{counts.classes[largest]}", float(per_class[c] / limit),
        )
        for c in np.flatnonzero((per_class > 0) & (per_class < limit))
    ]  # fmt: skip


def training_counts(counts: Counts) -> npt.NDArray[np.int64]:
    """(C,) counts in the training split; in all splits together where none is called so."""
    train = [s for s, name in enumerate(counts.splits) if _is_train(name)]
    return np.asarray(counts.table[:, train or slice(None)].sum(axis=1), dtype=np.int64)


def effective_classes(per_class: npt.NDArray[np.int64]) -> float:
    """exp of the entropy of the class shares: C where balanced, near 1 where one class rules."""
    shares = per_class[per_class > 0] / max(1, per_class.sum())
    return float(np.exp(-(shares * np.log(shares)).sum()))


def imbalance_ratio(per_class: npt.NDArray[np.int64]) -> float:
    """Largest / smallest among the classes that have any; 1 where there is at most one."""
    present = per_class[per_class > 0]
    return float(present.max() / present.min()) if len(present) else 1.0


def summary(counts: Counts, problems: list[Problem], params: Params) -> str:
    per_class = training_counts(counts)
    n_classes = int((counts.table.sum(axis=1) > 0).sum())
    seen = (f"{_plural(counts.noun, int(counts.table.sum()))} in {counted(n_classes, 'class')}, "
            f"largest : smallest = {imbalance_ratio(per_class):.1f} : 1")  # fmt: skip
    if not problems:
        return (f"{seen} (at most {params.max_ratio:g} : 1 expected); every class is in every "
                "split with enough samples.")  # fmt: skip
    worst = sorted(problems, key=lambda p: (p.verdict != "fail", p.score))
    return f"{seen}; {listed([p.text for p in worst], 3)}."


def next_step(problems: list[Problem]) -> str:
    kinds = {p.kind for p in problems}
    advice = {
        "empty": "Remove the empty class from the class list, or find its files.",
        "missing": "Split again, stratified by class, so that every class is in every split.",
        "too_few": "Collect more of the rare classes, merge them, or report them apart.",
        "outnumbered": "Report accuracy per class, set the last bias from the class shares, and "
                       "weight or resample only if the rare classes then stay behind.",
    }  # fmt: skip
    return " ".join(text for kind, text in advice.items() if kind in kinds)


def figures(evidence: Evidence, counts: Counts, problems: list[Problem]) -> dict[str, object]:
    per_class = training_counts(counts)
    named = {k: [counts.classes[p.class_code] for p in problems if p.kind == k]
             for k in ("empty", "missing", "too_few", "outnumbered")}  # fmt: skip
    return {
        "counted": _plural(counts.noun),
        "n": int(counts.table.sum()),
        "n_classes": len(counts.classes),
        "imbalance_ratio": round(imbalance_ratio(per_class), 3),
        "effective_classes": round(effective_classes(per_class), 3),
        "largest_share": round(float(per_class.max() / max(1, per_class.sum())), 4),
        "unlabelled": len(evidence) - len(np.unique(counts.rows)),
        "counts": {
            split: {c: int(n) for c, n in zip(counts.classes, counts.table[:, s], strict=True)}
            for s, split in enumerate(counts.splits)
        },
        **{f"classes_{kind}": sorted(set(names)) for kind, names in named.items()},
    }


def subjects(counts: Counts, problems: list[Problem]) -> Subjects:
    """Every sample of a class that something is wrong with, with the worst that is said of it."""
    worst: dict[int, Problem] = {}
    for p in sorted(problems, key=lambda p: p.score, reverse=True):
        worst[p.class_code] = p
    concerned = np.isin(counts.codes, list(worst))
    if not concerned.any():
        return NO_SUBJECTS
    order = np.lexsort((_scores(counts.codes[concerned], worst), counts.rows[concerned]))
    rows, codes = counts.rows[concerned][order], counts.codes[concerned][order]
    rows, first = np.unique(rows, return_index=True)
    codes = codes[first]
    return Subjects(rows, _scores(codes, worst), [worst[int(c)].text for c in codes], codes)


def charts(evidence: Evidence, counts: Counts) -> tuple[Chart, ...]:
    order = np.argsort(-counts.table.sum(axis=1), kind="stable")
    shown = (
        order
        if len(order) <= MOST_BARS
        else np.r_[order[: MOST_BARS // 2], order[-MOST_BARS // 2 :]]
    )
    title = f"{_plural(counts.noun).capitalize()} per class"
    if len(shown) < len(order):
        title += (
            f" (the {MOST_BARS // 2} largest and the {MOST_BARS // 2} smallest of {len(order)})"
        )
    bars = Chart(
        "stacked_bar", title, "class", _plural(counts.noun), [counts.classes[c] for c in shown],
        {s: counts.table[shown, i].tolist() for i, s in enumerate(counts.splits)},
        column="label" if counts.noun == "sample" else None,
    )  # fmt: skip
    return (bars,) if counts.noun == "sample" else (bars, _boxes_per_image(evidence, counts))


def _boxes_per_image(evidence: Evidence, counts: Counts) -> Chart:
    per_image = np.bincount(counts.rows, minlength=len(evidence))
    most = min(int(per_image.max()), 50)
    heights = np.bincount(np.minimum(per_image, most), minlength=most + 1)
    edges = [b - 0.5 for b in range(most + 2)]
    return Chart(
        "histogram", "Boxes per image", "boxes", "images", edges, {"images": heights.tolist()}
    )


def _boxes(
    evidence: Evidence,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], tuple[str, ...]]:
    """Sample row and class code (-1 without a label) of every box, and the classes."""
    encoded = pc.fill_null(evidence.boxes["label"], "").combine_chunks().dictionary_encode()
    found = [str(name) for name in encoded.dictionary.to_pylist()]
    named = evidence.dataset.class_names
    classes = (*named, *sorted(set(found) - set(named) - {""}))
    place = {name: i for i, name in enumerate(classes)}
    lookup = np.array([place.get(name, -1) for name in found], dtype=np.int64)
    rows = evidence.boxes["row"].to_numpy().astype(np.int64)
    return rows, lookup[encoded.indices.to_numpy()], classes


def _splits(evidence: Evidence) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    """Split code of every sample and the splits; one split `all` where no sample has one."""
    codes, names = evidence.codes("split")
    if codes.max(initial=-1) < 0:
        return np.zeros(len(evidence), np.int64), (WHOLE,)
    return np.where(codes < 0, len(names), codes).astype(np.int64), (*names, "no split")


def _scores(codes: npt.NDArray[np.int64], worst: dict[int, Problem]) -> npt.NDArray[np.float32]:
    return np.array([worst[int(c)].score for c in codes], dtype=np.float32)


def _is_train(split: str) -> bool:
    return split.lower() in TRAIN_NAMES


def _is_evaluation(split: str) -> bool:
    return split.lower().startswith(EVALUATION_NAMES)


def _plural(noun: str, n: int | None = None) -> str:
    if n is None:
        return {"box": "boxes", "sample": "samples"}[noun]
    return f"{n:,} {noun if n == 1 else _plural(noun)}"


CHECK = Check(
    id="class_balance",
    stage="data",
    question="Does every class have enough samples, in every split?",
    why="Rare classes are the ones a net ignores first, and a class that is missing from "
    "validation is never even measured. Accuracy over all samples hides both.",
    params=Params,
    judge=judge,
)
