"""Do copies of one picture have different labels?

The same picture with two labels is a label error that needs no model to see: at least one of the
two is wrong, or the task's classes overlap. The net is asked for two answers to one question and
its loss cannot reach its floor. Look at each group and decide; nobody can tell from the copies
alone which label is right, so no member is marked as the one to keep, and
`recipe export --drop conflicting_labels` leaves out all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recipe_core.data.copies import (
    Copies,
    copies_between,
    crowded,
    doubt,
    exact_copies,
    likened,
)
from recipe_core.data.embedded import EMBEDDED
from recipe_core.data.embedded_pairs import PAIRS
from recipe_core.data.near_pairs import FLOOR, NEAR, RADIUS
from recipe_core.data.pixel_copies import PIXELS
from recipe_core.kernel.check import Check
from recipe_core.kernel.errors import MissingInput
from recipe_core.kernel.evidence import Evidence
from recipe_core.kernel.nouns import Chart, Finding, Subjects, Verdict
from recipe_core.kernel.params import setting

MOST_CLASSES = 20


@dataclass(frozen=True)
class Params:
    radius: int = setting(
        8, low=0, high=RADIUS,
        why="bits of 64 in which the hashes that nominate a pair may differ; the pixels decide",
    )  # fmt: skip
    min_similarity: float = setting(
        0.85, low=FLOOR, high=1.0,
        why="agreement of the fine detail at the best overlay, as in near_duplicates",
    )  # fmt: skip
    turned: bool = setting(
        False,
        why="whether mirrored and rotated copies count; off, because turning can change the label "
        "(6 and 9, a left and a right hand)",
    )


def judge(evidence: Evidence, params: Params) -> Finding:
    codes, names = evidence.codes("label")
    if not (codes >= 0).any():
        raise MissingInput("no sample has a label")
    copies = copies_between(evidence, codes, params.radius, params.min_similarity, params.turned)
    certain = exact_conflicts(evidence, codes)
    n, more = int((codes >= 0).sum()), crowded(evidence, params.radius)
    figures = numbers(copies, certain, n)
    if not len(copies):
        return Finding(
            "pass", f"No copies among {n:,} labelled samples differ in their label{more}.", "",
            figures,
        )  # fmt: skip
    verdict: Verdict = "fail" if certain else "warn"
    several = copies.n_groups > 1
    summary = (
        f"{copies.n_groups:,} group{'s' if several else ''} of copies ({len(copies):,} of {n:,} "
        f"labelled samples) {'have' if several else 'has'} different labels, "
        f"{certain:,} of them on exactly the same picture; expected none{more}."
    )
    return Finding(
        verdict, summary, "Look at each group, correct the label that is wrong or exclude it.",
        figures,
        Subjects(copies.rows, doubt(copies), details(evidence, copies),
                 copies.groups),
        (chart(copies, codes, names),),
    )  # fmt: skip


def exact_conflicts(evidence: Evidence, codes: npt.NDArray[np.int32]) -> int:
    """How many groups of exact copies have more than one label."""
    copies = exact_copies(evidence)
    known = copies.of_members(codes[copies.rows] >= 0)
    pairs = np.unique(np.stack([known.groups, codes[known.rows]]), axis=1)
    return int((np.bincount(pairs[0]) > 1).sum())


def details(evidence: Evidence, copies: Copies) -> list[str]:
    path, label = evidence.texts("path"), evidence.texts("label")
    return [
        f"labelled {label[row]}"
        if row == keeper
        else f"labelled {label[row]}; {likened(path, copies, i)}, labelled {label[keeper]}"
        for i, (row, keeper) in enumerate(
            zip(copies.rows.tolist(), copies.keepers.tolist(), strict=True)
        )
    ]


def numbers(copies: Copies, certain: int, n: int) -> dict[str, float]:
    return {
        "labelled_samples": n,
        "groups": copies.n_groups,
        "groups_exact": certain,
        "samples_involved": len(copies),
        "share": len(copies) / max(n, 1),
    }


def chart(copies: Copies, codes: npt.NDArray[np.int32], names: Sequence[str]) -> Chart:
    """How often two labels meet on one picture, for the classes that are involved most."""
    present = np.zeros((copies.n_groups, len(names)), np.int64)
    present[copies.groups, codes[copies.rows]] = 1
    table = present.T @ present
    np.fill_diagonal(table, 0)
    top = np.sort(np.argsort(-table.sum(axis=0), kind="stable")[:MOST_CLASSES])
    top = top[table.sum(axis=0)[top] > 0]
    return Chart(
        "heatmap", "Groups with both labels", "label", "label", [names[i] for i in top],
        {names[i]: table[i, top].tolist() for i in top},
    )  # fmt: skip


CHECK = Check(
    id="conflicting_labels",
    stage="data",
    question="Do copies of one picture have different labels?",
    why="One of the labels is wrong, or the classes overlap: the loss cannot reach its floor.",
    params=Params,
    judge=judge,
    measures=(PIXELS, NEAR, EMBEDDED, PAIRS),
)
