"""Does the strip show the worst, and copies together?"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from app import opened
from app.sample import columns_of, naming, no_picture, shown
from app.strip import IN_A_GROUP, described, worst
from recipe_core.kernel.nouns import NO_SUBJECTS, Finding, Subjects
from tests.app.making import BROKEN_FILE, HOSTILE_FILE


def subjects(scores: list[float], groups: list[int] | None = None) -> Subjects:
    n = len(scores)
    return Subjects(
        np.arange(n), np.array(scores, np.float32), tuple(f"detail {i}" for i in range(n)),
        None if groups is None else np.array(groups),
    )  # fmt: skip


def test_worst_first() -> None:
    assert worst(subjects([0.5, 0.1, 0.9]), 2) == [[1], [0]]
    assert worst(NO_SUBJECTS, 5) == []


def test_a_group_is_shown_whole_even_where_one_member_is_fine() -> None:
    assert worst(subjects([1.0, 0.2, 0.1, 1.0], [3, 3, 8, 8]), 3) == [[2, 3], [0, 1]]


def test_a_large_group_shows_its_first_and_leaves_room_for_others() -> None:
    many = subjects([0.0] * 50 + [0.5, 0.5], [1] * 50 + [2, 2])
    shown = worst(many, 12)
    assert [len(g) for g in shown] == [IN_A_GROUP, 2]


def test_what_the_browser_gets(workspace: Path) -> None:
    paths = list(opened.evidence().texts("path"))
    row = next(i for i, p in enumerate(paths) if p.endswith(HOSTILE_FILE))
    one = Subjects(np.array([row]), np.zeros(1, np.float32), ("so\nit is",))
    ((sample,),) = described(one, [[0]])
    assert sample["path"] == paths[row] and sample["row"] == row
    assert sample["detail"] == r"so\nit is" and sample["picture"] is True


def test_a_sample_says_which_findings_name_it_and_who_is_with_it() -> None:
    grouped = Finding("fail", "copies", check="copies", subjects=subjects([0, 1, 0], [5, 6, 5]))
    other = Finding("warn", "dark", check="dark", subjects=subjects([0.1, 0.2]))
    assert [(f.check, d, o) for f, d, o in naming(2, [grouped, other])] == [
        ("copies", ["detail 2"], [0])
    ]
    assert list(naming(7, [grouped, other])) == []


def test_a_broken_picture_says_what_is_wrong_with_it(workspace: Path) -> None:
    paths = list(opened.evidence().texts("path"))
    row = next(i for i, p in enumerate(paths) if p.endswith(BROKEN_FILE))
    values = columns_of(row)
    assert values["error"] and values["error"] in no_picture(values)
    found = shown(row, values)
    assert found is None or "api/original" not in found.address


def test_a_sound_picture_is_the_original(workspace: Path) -> None:
    paths = list(opened.evidence().texts("path"))
    row = next(i for i, p in enumerate(paths) if p.endswith(HOSTILE_FILE))
    found = shown(row, columns_of(row))
    assert found is not None and found.address == f"api/original/{opened.token()}/{row}"
    assert found.name.endswith(HOSTILE_FILE), "the component sets it as text"
