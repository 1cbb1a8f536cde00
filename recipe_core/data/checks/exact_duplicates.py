"""Are there samples that are the same picture, byte for byte or pixel for pixel?

A copy adds nothing to learn: the loss counts that picture twice, the class shares are off, and as
soon as the copies fall on two sides of a split the score is too good. Copies whose bytes differ
(saved again without loss, in another format, with other metadata) are found by their displayed
pixels, with size and mode in the key. Keep one of each group; the finding says which and why.
Files without a picture are left out, equal or not: corruption names them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recipe_core.data.copies import Copies, described, exact_copies, scored
from recipe_core.data.pixel_copies import PIXELS
from recipe_core.data.properties import counted, percent
from recipe_core.kernel.check import Check
from recipe_core.kernel.evidence import Evidence
from recipe_core.kernel.nouns import Chart, Finding, Subjects, Verdict
from recipe_core.kernel.params import setting


@dataclass(frozen=True)
class Params:
    max_share: float = setting(
        0.05, low=0.0, high=1.0,
        why="extra copies as a share of all samples; up to this the copies are a nuisance (warn), "
        "above it every mean over the data set (loss, accuracy, class share) can be off by as "
        "much as differences that people report (fail)",
    )  # fmt: skip
    protected: str = setting(
        "", why="folder below the data set's root whose samples are kept before all their copies; "
        "empty for none",
    )  # fmt: skip


def judge(evidence: Evidence, params: Params) -> Finding:
    copies = exact_copies(evidence, params.protected)
    n, extra = len(evidence), copies.extra
    if not extra:
        return Finding(
            "pass", f"None of {n:,} samples is an exact copy of another.", "", numbers(copies, n)
        )
    verdict: Verdict = "fail" if extra / n > params.max_share else "warn"
    summary = (
        f"{extra:,} of {n:,} samples ({percent(extra / n)}) "
        f"{'is an extra copy' if extra == 1 else 'are extra copies'} of another, in "
        f"{counted(copies.n_groups, 'group')}; expected none."
    )
    return Finding(
        verdict, summary,
        "Look at the groups, then export with --drop exact_duplicates: one copy of each is kept.",
        numbers(copies, n),
        Subjects(
            copies.rows, scored(copies),
            described(evidence, copies, params.protected), copies.groups,
        ),
        (chart(copies),),
    )  # fmt: skip


def numbers(copies: Copies, n: int) -> dict[str, float]:
    return {
        "samples": n,
        "groups": copies.n_groups,
        "extra_copies": copies.extra,
        "share": copies.extra / max(n, 1),
        "extra_same_bytes": int(copies.same_bytes.sum()) - copies.n_groups,
        "extra_same_pixels_only": int((~copies.same_bytes).sum()),
    }


def chart(copies: Copies) -> Chart:
    sizes, count = np.unique(np.bincount(copies.groups), return_counts=True)
    return Chart(
        "bar", "Groups by size", "samples in the group", "groups",
        [str(s) for s in sizes.tolist()], {"groups": count.tolist()},
    )  # fmt: skip


CHECK = Check(
    id="exact_duplicates",
    stage="data",
    question="Are there samples that are the same picture, byte for byte or pixel for pixel?",
    why="A copy teaches nothing new and counts twice; across splits it makes the score too good.",
    params=Params,
    judge=judge,
    measures=(PIXELS,),
)
