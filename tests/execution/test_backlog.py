"""Does every item come out once, whatever happens to whom, without a single process started?"""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipe_core.execution.backlog import IDLE_DEATHS, Backlog
from recipe_core.execution.executor import Attempt, Done, again_after_crash, one_by_one
from recipe_core.kernel.errors import RecipeError

FATES = ("fine", "fine", "fine", "dies", "hangs", "raises")
FAILURE = {"fine": "", "dies": "crashed", "hangs": "timeout", "raises": "raised"}


@given(st.lists(st.integers(0, 7), max_size=12), st.randoms(use_true_random=False), st.booleans())
@settings(deadline=None, max_examples=200)
def test_every_item_comes_out_once_with_its_own_fate(
    sizes: list[int], rng: random.Random, known: bool
) -> None:
    """`known`: the engine hears at which item it happened; else it hears of the attempt only."""
    fate = {i: rng.choice(FATES) for i in range(sum(sizes))}
    items = iter(fate)
    backlog: Backlog[int, Any] = Backlog([[next(items) for _ in range(n)] for n in sizes])
    done: list[Done[int, Any]] = []
    while (attempt := backlog.take()) is not None:
        waiting = backlog.take()
        done += _run(backlog, attempt, fate, known)
        if waiting is not None:
            backlog.put_back([waiting])
    assert sorted(i for d in done for i in d.items) == sorted(fate)
    assert {i: d.failure for d in done for i in d.items} == {i: FAILURE[f] for i, f in fate.items()}


def _run(
    backlog: Backlog[int, Any], attempt: Attempt[int], fate: dict[int, str], known: bool
) -> list[Done[int, Any]]:
    for k, item in enumerate(attempt.items):
        at = k if known else None
        if fate[item] == "raises":
            return list(backlog.answered(attempt, "raised", "ValueError"))
        if fate[item] == "hangs":
            return list(backlog.given_up(attempt, at, 1.0))
        if fate[item] == "dies":
            return list(backlog.died(attempt, again_after_crash(attempt, at), "signal 11"))
    return list(backlog.answered(attempt, "", list(attempt.items)))


def test_what_was_not_begun_goes_first_and_in_order() -> None:
    backlog: Backlog[int, Any] = Backlog([[1], [2], [3]])
    handed_out = [a for a in (backlog.take(), backlog.take()) if a]
    backlog.put_back(handed_out)
    assert [a.items for a in iter(backlog.take, None)] == [(1,), (2,), (3,)]


def test_workers_that_die_idle_end_the_map_unless_one_works_between() -> None:
    backlog: Backlog[int, Any] = Backlog([[1, 2]])
    for _ in range(IDLE_DEATHS - 1):
        assert list(backlog.died(None, [], "exit code 7")) == []
    backlog.someone_works()
    attempt = backlog.take()
    assert attempt is not None
    assert list(backlog.died(attempt, one_by_one(attempt), "signal 9")) == []
    for _ in range(IDLE_DEATHS - 1):
        list(backlog.died(None, [], "exit code 7"))
    with pytest.raises(RecipeError, match=f"{IDLE_DEATHS} workers in a row .* exit code 7"):
        list(backlog.died(None, [], "exit code 7"))
