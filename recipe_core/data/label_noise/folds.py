"""Which samples are predicted together? Stratified folds that never part copies of one picture.

A copy in the training folds would tell the label of its twin, right or wrong.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from recipe_core.data.copies import exact_classes
from recipe_core.data.near_pairs import NEAR
from recipe_core.data.pixel_copies import PIXELS, content_codes
from recipe_core.kernel.evidence import Evidence

Codes = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int64]

NEAR_ENOUGH = (0.8, 0.9, 0.97)
"""Likeness from which two pictures stay together: below where near_duplicates begins, because a
pair that is parted needlessly costs nothing here and one that is not tells on itself. The next
value holds where pictures chain (frames of one film): one group may not fill a fold."""
LARGEST = 0.1
"""The share of the samples that one group may hold."""


def copy_groups(evidence: Evidence, rows: Rows) -> Codes:
    """(k,) group numbers: equal for samples whose pictures are copies, as far as was measured."""
    classes = content_groups(evidence)
    if NEAR.name in evidence.tables:
        table = evidence.table(NEAR.name)
        a, b = (classes[table[side].to_numpy()] for side in ("row_a", "row_b"))
        for limit in NEAR_ENOUGH:
            near = table["similarity"].to_numpy() >= limit
            joined = _joined(classes, a[near], b[near])[rows]
            if np.bincount(joined, minlength=1).max() <= LARGEST * len(rows):
                return joined
    return np.asarray(classes[rows], np.int64)


def content_groups(evidence: Evidence) -> Codes:
    """(n,) from 0: equal for samples with the same picture, by pixels where those were compared."""
    exact = exact_classes(evidence) if PIXELS.name in evidence.tables else content_codes(evidence)
    single = exact.max(initial=-1) + 1 + np.arange(len(exact))
    return np.asarray(
        np.unique(np.where(exact >= 0, exact, single), return_inverse=True)[1], np.int64
    )


def _joined(classes: Codes, a: Codes, b: Codes) -> Codes:
    n = int(classes.max(initial=-1)) + 1
    _, number = connected_components(coo_matrix((np.ones(len(a)), (a, b)), (n, n)), directed=False)
    return np.asarray(number[classes], np.int64)


def stratified_folds(labels: Codes, groups: Codes, k: int, seed: int) -> Codes:
    """(n,) fold 0 … k - 1 of each sample; a group is never parted, classes are spread evenly.

    labels  (n,) codes from 0
    groups  (n,) any numbers; equal ones stay together

    Groups of several go first, largest first, each to the fold that has fewest of its first
    member's class; single samples then fill up what is missing.
    """
    rng = np.random.default_rng(seed)
    n_classes = int(labels.max(initial=-1)) + 1
    _, group, size = np.unique(groups, return_inverse=True, return_counts=True)
    fold = np.full(len(labels), -1, np.int64)
    held = np.zeros((k, n_classes), np.int64)
    for number in sorted(np.flatnonzero(size > 1).tolist(), key=lambda g: -int(size[g])):
        members = np.flatnonzero(group == number)
        chosen = int(
            np.argmin(held[:, labels[members[0]]] + 1e-3 * held.sum(1) + rng.random(k) * 1e-4)
        )
        fold[members] = chosen
        np.add.at(held[chosen], labels[members], 1)
    for c in range(n_classes):
        free = rng.permutation(np.flatnonzero((fold < 0) & (labels == c)))
        fold[free] = _filled(held[:, c], len(free), rng)
    return fold


def _filled(held: Codes, n: int, rng: np.random.Generator) -> Codes:
    """(n,) folds for n single samples, so that all folds end with nearly equally many."""
    level = held.astype(np.int64).copy()
    order = rng.permutation(len(held))
    chosen = np.empty(n, np.int64)
    for i in range(n):
        best = order[np.argmin(level[order])]
        chosen[i] = best
        level[best] += 1
    return chosen
