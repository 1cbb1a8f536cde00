"""Is every answer kept once, in order, and can the last one be taken back?"""

from __future__ import annotations

import multiprocessing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from recipe_core.kernel.errors import Misuse, UnknownName
from recipe_core.store.answers import CANNOT_TELL, Answers

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
IDS = tuple(f"{i:016x}" for i in range(6))


@pytest.fixture
def log(tmp_path: Path) -> Answers:
    log = Answers(tmp_path / "answers.db")
    log.begin("test", 7, 64, ("cat", "dog"), IDS, NOW)
    log.begin_pass(1, 1, "Anna", NOW)
    return log


def said(log: Answers, number: int = 1) -> list[tuple[str, str]]:
    return [(a.sample_id, a.name) for a in log.answered(1, number)]


def answer(log: Answers, place: int, name: str | None, key: str, number: int = 1) -> None:
    log.answer(1, number, IDS[place], name, seconds=1.5, key=key, now=NOW)


def test_before_the_first_there_is_nothing_and_no_file(tmp_path: Path) -> None:
    log = Answers(tmp_path / "answers.db")
    assert log.latest() is None and log.answered(1, 1) == () and log.state() == ""
    assert not log.path.exists()


def test_a_labelling_comes_back_as_it_was(log: Answers) -> None:
    found = log.latest()
    assert found is not None
    assert (found.split, found.seed, found.image_size) == ("test", 7, 64)
    assert (found.class_names, found.sample_ids) == (("cat", "dog"), IDS)
    assert log.people(1) == {1: "Anna"}


def test_answers_stand_in_the_order_in_which_they_were_given(log: Answers) -> None:
    for place, name in ((3, "dog"), (0, "cat"), (5, CANNOT_TELL)):
        answer(log, place, name, f"key-{place}")
    assert said(log) == [(IDS[3], "dog"), (IDS[0], "cat"), (IDS[5], "")]
    assert said(log, 2) == []


def test_what_is_taken_back_is_gone_and_can_be_answered_anew(log: Answers) -> None:
    answer(log, 0, "cat", "a")
    answer(log, 1, "cat", "b")
    answer(log, 1, None, "c")
    assert said(log) == [(IDS[0], "cat")]
    answer(log, 1, "dog", "d")
    assert said(log) == [(IDS[0], "cat"), (IDS[1], "dog")]


def test_an_answer_that_is_sent_twice_counts_once(log: Answers) -> None:
    answer(log, 0, "cat", "same")
    answer(log, 0, None, "undo")
    answer(log, 0, "cat", "same")  # a late copy of the first must not undo the undo
    assert said(log) == []


def test_whoever_begins_a_pass_first_has_it(log: Answers) -> None:
    log.begin_pass(1, 1, "Berta", NOW)
    assert log.people(1) == {1: "Anna"}


def test_what_makes_no_sense_is_refused(log: Answers) -> None:
    with pytest.raises(UnknownName):
        answer(log, 0, "horse", "x")
    with pytest.raises(Misuse, match="not begun"):
        answer(log, 0, "cat", "x", number=2)
    with pytest.raises(Misuse, match="not on the list"):
        log.answer(1, 1, "f" * 16, "cat", seconds=0, key="x", now=NOW)
    with pytest.raises(Misuse):
        log.begin_pass(1, 2, "  ", NOW)
    with pytest.raises(Misuse):
        log.begin("test", 0, 0, ("cat",), IDS, NOW)
    assert said(log) == []


def _many(path: Path, first: int) -> None:
    log = Answers(path)
    for i in range(40):
        log.answer(1, 1, IDS[(first + i) % 6], "dog", seconds=0, key=f"{first}-{i}", now=NOW)


def test_two_tabs_at_once_lose_nothing(log: Answers) -> None:
    spawn = multiprocessing.get_context("spawn")
    both = [spawn.Process(target=_many, args=(log.path, i)) for i in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
        assert process.exitcode == 0
    assert len(said(log)) == 6 and log.state().endswith("-80")
