"""Does a picture lie, exactly or edited, in two splits?

A validation or test sample whose copy was trained on is answered from memory: the score is too
good and nobody sees it. The recipe's whole method (compare, change one thing, compare again)
rests on held-out data that is really held out. Drop the copy in training, not the one in test:
a changed test set cannot be compared with earlier results. The radius is the widest here: a leak
that is missed costs more than a pair that is looked at.
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
    described,
    doubt,
    needs_two_splits,
    protected,
)
from recipe_core.data.embedded import EMBEDDED
from recipe_core.data.embedded_pairs import PAIRS
from recipe_core.data.near_pairs import FLOOR, NEAR, RADIUS
from recipe_core.data.pixel_copies import PIXELS
from recipe_core.data.properties import percent
from recipe_core.kernel.check import Check
from recipe_core.kernel.evidence import Evidence
from recipe_core.kernel.nouns import Chart, Finding, Subjects
from recipe_core.kernel.params import setting


@dataclass(frozen=True)
class Params:
    radius: int = setting(
        8, low=0, high=RADIUS,
        why="bits of 64 in which the hashes that nominate a pair may differ; the pixels decide",
    )  # fmt: skip
    min_similarity: float = setting(
        0.85, low=FLOOR, high=1.0,
        why="agreement of the fine detail at the best overlay, as in near_duplicates; 1 leaves "
        "exact copies only",
    )  # fmt: skip
    turned: bool = setting(
        True, why="whether mirrored and rotated copies count: augmentation makes them equal"
    )
    protected: str = setting(
        "", why="folder below the data set's root whose samples are kept before all their copies; "
        "empty for none",
    )  # fmt: skip


def judge(evidence: Evidence, params: Params) -> Finding:
    needs_two_splits(evidence)
    codes, names = evidence.codes("split")
    copies = copies_between(
        evidence, codes, params.radius, params.min_similarity, params.turned, params.protected
    )
    to_drop = int((~protected(evidence, copies, params.protected)).sum())
    leaked = leaks(copies, codes, len(names))
    sizes = np.bincount(codes[codes >= 0], minlength=len(names))
    more = crowded(evidence, params.radius)
    if not len(copies):
        listed = " and ".join(f"{s} ({k:,})" for s, k in zip(names, sizes, strict=True) if k)
        return Finding(
            "pass", f"No picture of {listed} lies in two splits{more}.", "",
            numbers(copies, leaked, names, sizes, to_drop),
        )  # fmt: skip
    return Finding(
        "fail", summary(copies, leaked, names, sizes) + more + ".",
        "Drop the copies named here from training (export with --drop split_leak keeps the "
        "held-out one), then train and evaluate again: earlier scores are too good.",
        numbers(copies, leaked, names, sizes, to_drop),
        Subjects(
            copies.rows, scores(evidence, copies, params.protected),
            described(evidence, copies, params.protected), copies.groups,
        ),
        (chart(leaked, names),),
    )  # fmt: skip


def scores(evidence: Evidence, copies: Copies, folder: str) -> npt.NDArray[np.float32]:
    """(k,) 1 in the split to protect, else 0 for an exact copy, up to 0.49 for a near one."""
    return np.where(protected(evidence, copies, folder), np.float32(1), doubt(copies))


def leaks(copies: Copies, codes: npt.NDArray[np.int32], n: int) -> npt.NDArray[np.int64]:
    """(S, S): samples of split i with a copy in split j."""
    present = np.zeros((copies.n_groups, n), np.int64)
    split = codes[copies.rows]
    known = split >= 0
    np.add.at(present, (copies.groups[known], split[known]), 1)
    table = present.T @ (present > 0)
    np.fill_diagonal(table, 0)
    return np.asarray(table, np.int64)


def summary(
    copies: Copies, leaked: npt.NDArray[np.int64], names: Sequence[str],
    sizes: npt.NDArray[np.int64],
) -> str:  # fmt: skip
    pairs = [(i, j) for i in range(len(names)) for j in range(i) if leaked[i, j]]
    worst = max(pairs, key=lambda p: leaked[p] / sizes[p[0]])
    texts = [
        f"{leaked[i, j]:,} of {sizes[i]:,} in {names[i]} ({percent(leaked[i, j] / sizes[i])}) "
        f"{'has' if leaked[i, j] == 1 else 'have'} a copy in {names[j]}"
        for i, j in sorted(pairs, key=lambda p: p != worst)[:3]
    ]
    exact = int((~copies.exact).sum())
    kind = "all exact" if not exact else f"{exact:,} of {len(copies):,} members by edited copies"
    return f"{'; '.join(texts)} ({kind}); expected none"


def numbers(
    copies: Copies, leaked: npt.NDArray[np.int64], names: Sequence[str],
    sizes: npt.NDArray[np.int64], to_drop: int,
) -> dict[str, object]:  # fmt: skip
    pairs = {
        f"{names[i]} in {names[j]}": {
            "samples": int(leaked[i, j]), "of": int(sizes[i]), "share": leaked[i, j] / sizes[i],
        }
        for i in range(len(names)) for j in range(len(names)) if leaked[i, j]
    }  # fmt: skip
    return {
        "groups": copies.n_groups,
        "samples_involved": len(copies),
        "near_copies": int((~copies.exact).sum()),
        "to_drop": to_drop,
        "pairs_of_splits": pairs,
    }


def chart(leaked: npt.NDArray[np.int64], names: Sequence[str]) -> Chart:
    return Chart(
        "heatmap", "Samples of a split (row) with a copy in another (column)", "copy in",
        "sample in", list(names),
        {name: leaked[i].tolist() for i, name in enumerate(names)},
    )  # fmt: skip


CHECK = Check(
    id="split_leak",
    stage="data",
    question="Does a picture lie, exactly or edited, in two splits?",
    why="What was seen in training is answered from memory: the held-out score is too good.",
    params=Params,
    judge=judge,
    measures=(PIXELS, NEAR, EMBEDDED, PAIRS),
)
