"""Which pictures do people call by their class, in which order, and what came of it?"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from recipe_core.kernel.evidence import Evidence
from recipe_core.kernel.readings import Reading, Readings
from recipe_core.runs.watching import runs
from recipe_core.store.answers import CANNOT_TELL, PASSES, Answers, Labelling

FILE = "answers.db"
PREDICTIONS = "predictions.npz"
READING = "human_answers"
"""The name of what people answered among the readings of a pipeline."""
UNTOLD, UNASKED = -1, -2
"""Codes beside those of the classes: cannot tell; not answered (yet)."""

Rows = npt.NDArray[np.int64]


def answers(workspace: Path) -> Answers:
    """What people answered in this workspace."""
    return Answers(workspace / FILE)


def askable(evidence: Evidence, split: str = "") -> Rows:
    """Rows of the labelled samples of a split ("" for all) whose picture could be decoded."""
    if not evidence.has("label"):
        return np.empty(0, np.int64)
    labels, _ = evidence.codes("label")
    fine = labels >= 0
    if evidence.has("error"):
        fine &= evidence.texts("error") == ""
    if split:
        fine &= evidence.texts("split") == split
    return np.flatnonzero(fine).astype(np.int64)


def splits(evidence: Evidence) -> dict[str, int]:
    """Splits that can be asked about and how many samples each holds; the best one first.

    Test before validation before the others: the baseline stands beside what a net does there.
    """
    if not evidence.has("split"):
        return {}
    names = [s for s in evidence.codes("split")[1] if s]
    order = sorted(names, key=lambda s: (not s.lower().startswith("test"),
                                         not s.lower().startswith("val")))  # fmt: skip
    counts = {s: len(askable(evidence, s)) for s in order}
    return {s: n for s, n in counts.items() if n}


def class_names(evidence: Evidence) -> tuple[str, ...]:
    """The classes that some sample has, in the data set's order: what can be answered."""
    if not evidence.has("label"):
        return ()
    codes, names = evidence.codes("label")
    used = set(np.unique(codes).tolist())
    return tuple(name for i, name in enumerate(names) if i in used)


def drawn(evidence: Evidence, split: str, n: int, seed: int) -> list[str]:
    """Sample ids of a simple random sample: shares counted on it hold for the split."""
    rows = askable(evidence, split)
    chosen = np.random.default_rng(seed).permutation(rows)[:n]
    return [str(s) for s in evidence.samples["sample_id"].take(pa.array(chosen)).to_pylist()]


def order(labelling: Labelling, number: int) -> list[str]:
    """The sample ids in the order of a pass: each pass has its own, or the first one's mistakes
    would come back by rhythm."""
    places = np.random.default_rng((labelling.seed, number)).permutation(len(labelling.sample_ids))
    return [labelling.sample_ids[i] for i in places]


def rows_of(evidence: Evidence, sample_ids: list[str]) -> Rows:
    """(n,) row of each sample, -1 where the data set no longer has it."""
    found = pc.index_in(pa.array(sample_ids, pa.string()), evidence.samples["sample_id"])
    return np.asarray(pc.fill_null(found, -1).to_numpy(zero_copy_only=False), np.int64)


@dataclass(frozen=True)
class Outcome:
    """What came of a labelling, sample by sample; samples that the data set lost are left out.

    rows       (n,) rows of the sample table
    given      (n,) code of the data set's label among class_names
    said       pass -> (n,) code of the answer, UNTOLD or UNASKED
    seconds    pass -> median seconds from sight to key, NaN where nothing was answered
    people     pass -> who
    """

    class_names: tuple[str, ...]
    split: str
    image_size: int
    rows: Rows
    given: Rows
    said: Mapping[int, Rows]
    seconds: Mapping[int, float]
    people: Mapping[int, str]

    def answered(self, number: int) -> npt.NDArray[np.bool_]:
        """(n,) whether the pass has an answer for the sample."""
        return np.asarray(self.said[number] != UNASKED)

    def done(self, number: int) -> bool:
        """Whether the pass has an answer for every sample."""
        return bool(self.answered(number).all()) and len(self.rows) > 0


def outcome(evidence: Evidence, log: Answers) -> Outcome | None:
    """What came of the latest labelling; None before the first."""
    labelling = log.latest()
    if labelling is None:
        return None
    names = labelling.class_names
    ids = list(labelling.sample_ids)
    rows = rows_of(evidence, ids)
    code = {name: i for i, name in enumerate(names)} | {CANNOT_TELL: UNTOLD}
    labels = evidence.texts("label")[rows]
    here = (rows >= 0) & np.array([label in code and label != "" for label in labels], bool)
    given = np.array([code[label] for label in labels[here]], np.int64)
    said, seconds = {}, {}
    for number in PASSES:
        found = {a.sample_id: a for a in log.answered(labelling.id, number)}
        codes = [code[found[i].name] if i in found else UNASKED for i in ids]
        said[number] = np.array(codes, np.int64)[here]
        times = [a.seconds for a in found.values()]
        seconds[number] = float(np.median(times)) if times else float("nan")
    return Outcome(
        names, labelling.split, labelling.image_size, rows[here], given, said, seconds,
        log.people(labelling.id),
    )  # fmt: skip


@dataclass(frozen=True)
class Model:
    """What the net of a run said of its evaluation set.

    rows         (k,) of the sample table
    labels       (k,) codes of class_names
    """

    title: str
    rows: Rows
    labels: Rows
    class_names: tuple[str, ...]

    def of(self, found: Outcome) -> Rows:
        """(n,) what the net said of the labelled samples, as codes of their classes; UNASKED where
        it did not see them, UNTOLD where it named a class that people were not offered."""
        code = {name: i for i, name in enumerate(found.class_names)}
        named = np.array([code.get(n, UNTOLD) for n in self.class_names], np.int64)
        said = dict(zip(self.rows.tolist(), named[self.labels].tolist(), strict=True))
        return np.array([said.get(row, UNASKED) for row in found.rows.tolist()], np.int64)


def latest_model(workspace: Path) -> Model | None:
    """The newest finished training run whose predictions can be read; None without one."""
    for run in runs(workspace):
        names = run.result.get("class_names")
        if run.kind != "train" or run.status != "done" or not isinstance(names, list):
            continue
        with contextlib.suppress(OSError, ValueError, KeyError):
            with np.load(run.folder / PREDICTIONS, allow_pickle=False) as found:
                rows, labels = found["rows"], found["labels"]
            if len(rows) == len(labels) and (rows >= 0).all() and labels.max() < len(names):
                return Model(run.title, rows.astype(np.int64), labels.astype(np.int64),
                             tuple(map(str, names)))  # fmt: skip
    return None


def with_answers(readings: Readings, evidence: Evidence, workspace: Path) -> Readings:
    """The readings of a pipeline and what people answered, as it is now."""
    found = outcome(evidence, answers(workspace))
    model = latest_model(workspace) if found is not None else None
    reading = as_reading(found, model)
    return Readings({**readings.by_name, READING: reading}, readings.about)


def as_reading(found: Outcome | None, model: Model | None = None) -> Reading:
    """The outcome as the judge reads it; `missing` where nobody has labelled anything."""
    if found is None or not any(found.answered(p).any() for p in PASSES):
        return Reading(missing="nobody has labelled pictures yet; the page Human baseline asks")
    arrays = {"rows": found.rows, "given": found.given, "first": found.said[1],
              "second": found.said[2]}  # fmt: skip
    return Reading(
        {
            "class_names": list(found.class_names), "split": found.split,
            "image_size": found.image_size,
            "people": [found.people.get(p, "") for p in PASSES],
            "seconds": [found.seconds[p] for p in PASSES],
            "model_run": model.title if model else "",
        },
        arrays | ({"model": model.of(found)} if model else {}),
    )  # fmt: skip
