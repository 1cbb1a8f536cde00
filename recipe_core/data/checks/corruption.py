"""Which files cannot be trusted?

A file without a picture stops the data loader in the middle of an epoch, or is skipped without a
word. A damaged one is worse: it loads, but part of the picture is grey, shifted or another file's,
and the net is asked to learn it; or its first picture is whole and later ones are missing (GIF,
TIFF). Fetch such files again from where they came from, or leave them out; both kinds together
usually mean a broken copy or an interrupted download.

Two opinions are heard: whether Pillow loads the file, and whether a strict decoder agrees, which
finds the silent damage. Warnings about metadata (EXIF, XMP, colour profiles) are counted, never
held against a file: its pixels are fine. A picture under the wrong extension, turned by EXIF or in
an unusual mode can be trusted too; that is the business of format_forensics.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from recipe_core.kernel.check import Check
from recipe_core.kernel.errors import MissingInput
from recipe_core.kernel.evidence import Evidence
from recipe_core.kernel.nouns import NO_SUBJECTS, Chart, Finding, Subjects, Verdict
from recipe_core.kernel.params import setting

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Params:
    max_unreadable: float = setting(
        0.0, low=0.0, high=1.0,
        why="share of files without a picture that is only a warning; a loader stops at the first "
        "one, so none is",
    )  # fmt: skip
    max_damaged: float = setting(
        0.01, low=0.0, high=1.0,
        why="share of files that load but are damaged that is only a warning; they train, and one "
        "in a hundred is fewer than the wrong labels that well-kept test sets hold (3.3 % on "
        "average, Northcutt et al. 2021); more of them means that a copy went wrong",
    )  # fmt: skip


@dataclass(frozen=True)
class ErrorClass:
    """What an error class of the pass means.

    score   0 nothing left … 1 fine
    remedy  what to do about such a file
    """

    name: str
    words: str
    score: float
    remedy: str


AGAIN = "Fetch it again from its origin or leave it out."
CLASSES: tuple[ErrorClass, ...] = (
    ErrorClass("missing", "not there", 0.0, "Restore the file or drop its row."),
    ErrorClass("unreadable", "cannot be read from disk", 0.0,
               "Check its permissions and the disk."),
    ErrorClass("empty", "empty", 0.0, AGAIN),
    ErrorClass("not_an_image", "no image", 0.0,
               "Look at what it is (a saved web page is a failed download), fetch it again."),
    ErrorClass("wrong_magic", "not what its name says, nor any known image", 0.0, AGAIN),
    ErrorClass("truncated", "cut off", 0.0, AGAIN),
    ErrorClass("undecodable", "broken", 0.0, AGAIN),
    ErrorClass("crashed", "crashing the decoder", 0.0,
               "Keep it away from training: it would take the loader's process with it."),
    ErrorClass("timeout", "stalling the decoder", 0.0,
               "Keep it away from training: it would stall the loader."),
    ErrorClass("bomb", "larger than the pixel limit", 0.3,
               "If it is meant to be that large, store a smaller copy; otherwise leave it out."),
    ErrorClass("unsupported", "in a format without a decoder here", 0.3,
               "Convert it, or install a decoder for it here and where you train."),
    ErrorClass("damaged", "damaged, unnoticed by a loader", 0.2,
               "Look at it: parts may be grey or shifted, or later pictures in it missing. "
               + AGAIN),
)  # fmt: skip
"""In the order in which they are shown; a class that the pass may add later counts as broken."""
BY_NAME = {c.name: c for c in CLASSES}
LOADS_ANYWAY = ("damaged", "truncated", "undecodable", "wrong_magic")
"""Classes that mean damage, not absence, where Pillow loads the file all the same."""
MOST_WARNINGS = 10
LONGEST_WARNING = 100


@dataclass(frozen=True)
class Trust:
    """Which files are in doubt.

    n           files that were looked at
    rows        (k,) sample rows of those in doubt; names (k,) their error classes
    damaged     (k,) it loads, but not all of it is right
    """

    n: int
    rows: npt.NDArray[np.int64]
    names: npt.NDArray[np.object_]
    damaged: Flags

    def counts(self, which: Flags) -> dict[str, int]:
        """Files per error class, in the order of CLASSES."""
        found, n = np.unique(self.names[which].astype(str), return_counts=True)
        order = [*BY_NAME, *sorted(set(found) - set(BY_NAME))]
        have = dict(zip(found.tolist(), n.tolist(), strict=True))
        return {name: have[name] for name in order if name in have}


def judge(evidence: Evidence, params: Params) -> Finding:
    trust = doubts(evidence)
    verdict = _verdict(trust, params)
    return Finding(
        verdict, summary(trust, params), next_step(trust), figures(evidence, trust),
        subjects(evidence, trust), charts(trust),
    )  # fmt: skip


def doubts(evidence: Evidence) -> Trust:
    """The files whose error class is not empty. Raises MissingInput where none was looked at."""
    codes, names = evidence.codes("error")
    n = int((codes >= 0).sum())
    if not n:
        raise MissingInput("no file has been looked at yet")
    bad = np.array([*(name != "" for name in names), False])
    rows = np.flatnonzero(bad[codes]).astype(np.int64)
    classes = np.array([*names, ""], dtype=object)[codes[rows]]
    loads = evidence.flags("pillow_ok")[rows] & np.isin(classes.astype(str), LOADS_ANYWAY)
    return Trust(n, rows, classes, loads | (classes == "damaged"))


def _verdict(trust: Trust, params: Params) -> Verdict:
    damaged = int(trust.damaged.sum())
    unreadable = len(trust.rows) - damaged
    if unreadable > params.max_unreadable * trust.n or damaged > params.max_damaged * trust.n:
        return "fail"
    return "warn" if len(trust.rows) else "pass"


def summary(trust: Trust, params: Params) -> str:
    """One sentence."""
    if not len(trust.rows):
        return f"All {trust.n:,} files load, and no decoder objects to any of them."
    damaged = int(trust.damaged.sum())
    unreadable = len(trust.rows) - damaged
    parts = []
    if unreadable:
        parts.append(
            f"{_files(unreadable)} cannot be loaded ({_listed(trust.counts(~trust.damaged))})"
        )
    if damaged:
        verb = "loads but is" if damaged == 1 else "load but are"
        parts.append(f"{_files(damaged)} {verb} damaged")
    expected = "expected: none"
    if damaged and not unreadable and params.max_damaged:
        expected += f", and a failure above {100 * params.max_damaged:g} %"
    return f"Of {trust.n:,} files, {' and '.join(parts)}; {expected}."


def next_step(trust: Trust) -> str:
    """What to do; empty where nothing needs doing."""
    if not len(trust.rows):
        return ""
    counts = trust.counts(np.ones(len(trust.rows), dtype=bool))
    largest = max(counts, key=lambda name: counts[name])
    return (
        f"The {counts[largest]:,} {_meaning(largest).words}: {_meaning(largest).remedy} "
        "`recipe export DEST --as manifest --drop corruption` writes the data set without them."
    )


def figures(evidence: Evidence, trust: Trust) -> dict[str, Any]:
    """Counts and shares behind the sentence; `warnings`: files per harmless warning, the most
    frequent ones."""
    damaged = int(trust.damaged.sum())
    return {
        "n": trust.n,
        "n_unreadable": len(trust.rows) - damaged,
        "n_damaged": damaged,
        "share": len(trust.rows) / trust.n,
        "classes": trust.counts(np.ones(len(trust.rows), dtype=bool)),
        "warnings": _warnings(evidence),
    }


def subjects(evidence: Evidence, trust: Trust) -> Subjects:
    """Every file in doubt: its class, the decoder's own words, what to do."""
    if not len(trust.rows):
        return NO_SUBJECTS
    words = _taken(evidence, "error_detail", trust.rows)
    scores = np.array([_meaning(name).score for name in trust.names], dtype=np.float32)
    scores[trust.damaged] = BY_NAME["damaged"].score
    details = [_detail(name, said) for name, said in zip(trust.names, words, strict=True)]
    return Subjects(trust.rows, scores, details)


def charts(trust: Trust) -> tuple[Chart, ...]:
    """Files per error class; nothing where there are none."""
    counts = trust.counts(np.ones(len(trust.rows), dtype=bool))
    if not counts:
        return ()
    return (
        Chart("bar", "Files that cannot be trusted", "error class", "files",
              list(counts), {"files": list(counts.values())}, column="error"),
    )  # fmt: skip


def _detail(name: str, said: str | None) -> str:
    meaning = _meaning(name)
    return f"{name}: {said or meaning.words}. {meaning.remedy}"


def _meaning(name: str) -> ErrorClass:
    return BY_NAME.get(name) or ErrorClass(name, name.replace("_", " "), 0.0, AGAIN)


def _taken(evidence: Evidence, column: str, rows: npt.NDArray[np.int64]) -> Sequence[str | None]:
    if column not in evidence.samples.column_names:
        return [None] * len(rows)
    taken: list[str | None] = evidence.column(column).take(rows).to_pylist()
    return [text.strip().rstrip(".") if text else None for text in taken]


def _warnings(evidence: Evidence) -> dict[str, int]:
    if not evidence.has("warning"):
        return {}
    counted = evidence.column("warning").value_counts().to_pylist()
    files: dict[str, int] = {}
    for row in counted:
        if row["values"]:
            # "Corrupt EXIF data.  Expecting to read 2 bytes …; Tag offset …": the first words do
            kind = re.split(r"[.;:](?:\s|$)", row["values"])[0][:LONGEST_WARNING]
            files[kind] = files.get(kind, 0) + row["counts"]
    return dict(sorted(files.items(), key=lambda kind: (-kind[1], kind[0]))[:MOST_WARNINGS])


def _files(n: int) -> str:
    return f"{n:,} file" if n == 1 else f"{n:,}"


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{n:,} {_meaning(name).words}" for name, n in counts.items())


CHECK = Check(
    id="corruption",
    stage="data",
    question="Can every file be trusted?",
    why="A file that does not load stops training or is skipped without a word; one that loads "
    "damaged is learnt from. Neither shows in the loss.",
    params=Params,
    judge=judge,
)
