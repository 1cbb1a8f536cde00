"""Which of a finding's samples are shown where there is no room for all? The worst."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from recipe_core.kernel.nouns import Subjects

MOST_IN_GROUP = 8


@dataclass(frozen=True)
class Group:
    """Subjects shown together.

    places  indices into the subjects (not rows of the sample table)
    hidden  how many members of the group are not among them
    """

    places: tuple[int, ...]
    hidden: int = 0


def worst(subjects: Subjects, most: int) -> list[Group]:
    """The groups with the lowest scores, worst first, at most `most` subjects in all.

    Ungrouped subjects are groups of one. Within a group the copy to keep (score >= 0.5) comes
    first; groups larger than MOST_IN_GROUP show so many members.
    """
    chosen: list[Group] = []
    room = most
    for members in _by_group(subjects):
        shown = members[:MOST_IN_GROUP]
        if len(shown) > room:
            break
        chosen.append(Group(tuple(shown), len(members) - len(shown)))
        room -= len(shown)
    return chosen


def _by_group(subjects: Subjects) -> Iterator[list[int]]:
    """Members of each group, worst group first; ties in the order given."""
    scores = np.asarray(subjects.scores, dtype=np.float64)
    n = len(scores)
    if subjects.groups is None:
        yield from ([int(i)] for i in np.argsort(scores, kind="stable"))
        return
    groups, inverse = np.unique(np.asarray(subjects.groups), return_inverse=True)
    lowest = np.full(len(groups), np.inf)
    np.minimum.at(lowest, inverse, scores)
    order = np.lexsort((np.arange(n), scores, scores < 0.5, inverse))
    ends = np.cumsum(np.bincount(inverse, minlength=len(groups)))
    for g in np.argsort(lowest, kind="stable"):
        start = 0 if g == 0 else int(ends[g - 1])
        yield [int(i) for i in order[start : int(ends[g])]]
