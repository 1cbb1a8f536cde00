"""Are the worst shown first, and groups whole?"""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recipe_core.kernel.nouns import NO_SUBJECTS, Subjects
from recipe_core.reporting.pictures import MOST_IN_GROUP, worst


def subjects(scores: list[float], groups: list[int] | None = None) -> Subjects:
    n = len(scores)
    tied = None if groups is None else np.array(groups, np.int64)
    return Subjects(np.arange(n, dtype=np.int64), np.array(scores, np.float32), [""] * n, tied)


def test_single_subjects_come_in_order_of_score() -> None:
    places = [g.places for g in worst(subjects([0.5, 0.1, 0.9, 0.1]), 3)]
    assert places == [(1,), (3,), (0,)]


def test_groups_come_whole_with_the_kept_copy_first() -> None:
    given_ = subjects([0.3, 1.0, 0.2, 1.0, 0.1], [7, 7, 9, 9, 9])
    assert [g.places for g in worst(given_, 5)] == [(3, 4, 2), (1, 0)]
    assert [g.places for g in worst(given_, 4)] == [(3, 4, 2)]


def test_a_huge_group_shows_some_and_counts_the_rest() -> None:
    [group] = worst(subjects([1.0] + [0.0] * 99, [1] * 100), 24)
    assert group.places == tuple(range(MOST_IN_GROUP))
    assert group.hidden == 100 - MOST_IN_GROUP


def test_no_subjects_no_groups() -> None:
    assert worst(NO_SUBJECTS, 24) == []


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 5)), max_size=40), st.integers(8, 30))
def test_nobody_is_shown_twice_and_groups_stay_together(
    rows: list[tuple[float, int]], most: int
) -> None:
    groups = [g for _, g in rows]
    chosen = worst(subjects([s for s, _ in rows], groups), most)
    places = [p for g in chosen for p in g.places]
    assert len(places) == len(set(places)) <= most
    for g in chosen:
        members = {groups[p] for p in g.places}
        assert len(members) == 1
        assert len(g.places) + g.hidden == groups.count(members.pop())
