"""What of a map is still to be run, and who is to blame for what failed?

The engines know how to start workers, hear of them and end them; which items are run again, in
what pieces and after which failure no more, is the same for all and stands here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Generic

from recipe_core.execution.executor import (
    Attempt,
    Done,
    Failure,
    R,
    T,
    halves,
    one_by_one,
    too_long,
    without,
)
from recipe_core.kernel.errors import RecipeError

IN_FLIGHT = 2
"""Chunks per worker: one at work and one waiting, so that it never waits for the driver."""
IDLE_DEATHS = 3
"""So many workers in a row that die before they do anything: something is wrong with all."""


class Backlog(Generic[T, R]):
    """The chunks of one map as they wait to be run, or run again."""

    def __init__(self, chunks: Iterable[Sequence[T]]) -> None:
        self._source = iter(chunks)
        self._again: deque[Attempt[T]] = deque()
        self._idle_deaths = 0

    def take(self) -> Attempt[T] | None:
        """The next attempt, those to be run again first; None where nothing waits."""
        if self._again:
            return self._again.popleft()
        return next((Attempt(tuple(chunk)) for chunk in self._source if len(chunk)), None)

    def put_back(self, attempts: Sequence[Attempt[T]]) -> None:
        """Attempts that were handed out and not begun: they go to the front, in their order."""
        self._again.extendleft(reversed(attempts))

    def someone_works(self) -> None:
        """A worker has given a sign of life: its kind is able to work at all."""
        self._idle_deaths = 0

    def answered(self, attempt: Attempt[T], failure: Failure, content: R) -> Iterator[Done[T, R]]:
        """A worker's answer: a result, or with `failure` the reason why there is none.

        A chunk with an item that raised is run again item by item.
        """
        self.someone_works()
        if not failure:
            yield Done(attempt.items, content)
        elif len(attempt.items) == 1:
            yield Done(attempt.items, None, failure, str(content))
        else:
            self._again.extend(one_by_one(attempt))

    def died(
        self, attempt: Attempt[T] | None, retry: Sequence[Attempt[T]], how: str
    ) -> Iterator[Done[T, R]]:
        """A worker's death at an attempt (None: it was idle), and what is run again for it.

        Where that is nothing, the attempt's item is to blame. Raises RecipeError after IDLE_DEATHS
        in a row of workers that had not begun anything.
        """
        self._again.extend(retry)
        if attempt is None:
            self._idle_deaths += 1
        elif not retry:
            yield Done(attempt.items, None, "crashed", how)
        if self._idle_deaths >= IDLE_DEATHS:
            raise RecipeError(f"{IDLE_DEATHS} workers in a row ended at once: {how}.")

    def given_up(
        self, attempt: Attempt[T], index: int | None, seconds: float
    ) -> Iterator[Done[T, R]]:
        """An attempt whose item `index` (None: not known which) took longer than `seconds`."""
        if index is None and len(attempt.items) > 1:
            self._again.extend(halves(attempt))
            return
        at = index or 0
        self._again.extend(without(attempt, at))
        yield Done((attempt.items[at],), None, "timeout", too_long(seconds))
