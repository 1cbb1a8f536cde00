"""Are the right rows kept, for as long as there is room?"""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.views import Views, among, together_worst_first
from recipe_core.kernel.nouns import Subjects


def rows(n: int) -> np.ndarray:
    return np.arange(n, dtype=np.int64)


def test_the_longest_unused_view_goes_first() -> None:
    kept = Views(most_bytes=3 * 80)
    for name in "abc":
        kept.put(name, rows(10))
    kept.get("a")
    kept.put("d", rows(10))
    assert kept.get("b") is None
    assert all(kept.get(name) is not None for name in "acd")


def test_one_view_larger_than_all_room_is_still_shown() -> None:
    kept = Views(most_bytes=8)
    kept.put("small", rows(1))
    kept.put("large", rows(1000))
    assert kept.get("small") is None and len(kept.get("large")) == 1000  # type: ignore[arg-type]


@given(st.permutations(range(12)), st.lists(st.integers(0, 14), max_size=20))
def test_among_is_the_intersection_in_either_order(order: list[int], wanted: list[int]) -> None:
    given_rows, chosen = np.array(order, np.int64), np.array(wanted, np.int64)
    own = among(given_rows, chosen, worst_first=False).tolist()
    worst = among(given_rows, chosen, worst_first=True).tolist()
    assert own == [r for r in order if r in wanted]
    assert worst == [r for r in dict.fromkeys(wanted) if r in order]


def test_groups_stay_together_and_follow_their_worst() -> None:
    subjects = Subjects(
        rows(6) + 10, np.array([0.9, 0.5, 1.0, 0.1, 0.2, 0.3], np.float32), ("",) * 6,
        np.array([4, 7, 7, 4, 9, 9]),
    )  # fmt: skip
    assert together_worst_first(subjects).tolist() == [13, 10, 14, 15, 11, 12]


def test_ungrouped_subjects_come_worst_first() -> None:
    subjects = Subjects(rows(3), np.array([0.5, 0.1, 0.9], np.float32), ("",) * 3)
    assert together_worst_first(subjects).tolist() == [1, 0, 2]


def test_no_subjects() -> None:
    none = Subjects(rows(0), np.empty(0, np.float32), (), np.empty(0, np.int64))
    assert together_worst_first(none).tolist() == []
