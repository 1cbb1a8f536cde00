"""How is a measure worked out on all cores? Workers take its parts; they come back in order."""

from __future__ import annotations

import contextlib
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from recipe_core.execution.executor import Done, Executor, Job
from recipe_core.kernel.errors import RecipeError

T = TypeVar("T")
R = TypeVar("R")

SECONDS_PER_PART = 120.0


class Sharing:
    """Hands parts to the workers of one executor, who are at one job at a time.

    A job that is still under way when the next one begins is worked to its end first.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._last: Callable[[], _Answers[Any] | None] = lambda: None

    def shared_out(self, work: Callable[[T], R], parts: Iterable[T]) -> Iterator[R]:
        """`work` of every part, in the parts' order; see `kernel.evidence.Files.shared_out`.

        Raises RecipeError where a part has no result: it raised, its process died, or it hung.
        """
        if (last := self._last()) is not None:
            last.collect()
        job: Job[tuple[int, T], list[R]] = Job(partial(_worked, work), SECONDS_PER_PART)
        numbered = ([part] for part in enumerate(parts))
        answers = _Answers(_in_order(self._executor.map(job, numbered)))
        self._last = weakref.ref(answers)
        return answers

    def close(self) -> None:
        """Stops the workers of a job that is still under way."""
        if (last := self._last()) is not None:
            last.close()


class _Answers(Generic[R]):
    """Results of a job under way. Who stops asking for them ends it, by letting go of this."""

    def __init__(self, coming: Generator[R, None, None]) -> None:
        self._coming = coming
        self._here: deque[R] = deque()

    def collect(self) -> None:
        """Waits for all of them; an error is raised where the result was due."""
        try:
            self._here.extend(self._coming)
        except Exception as e:
            self._coming = _raising(e)

    def close(self) -> None:
        """Ends it: nothing more comes."""
        self._coming.close()

    def __iter__(self) -> Iterator[R]:
        return self

    def __next__(self) -> R:
        return self._here.popleft() if self._here else next(self._coming)


def _raising(error: Exception) -> Generator[Any, None, None]:
    raise error
    yield  # a generator: raises when it is asked


def _in_order(
    outcomes: Generator[Done[tuple[int, T], list[R]], None, None],
) -> Generator[R, None, None]:
    early: dict[int, R] = {}
    due = 0
    with contextlib.closing(outcomes):
        for outcome in outcomes:
            if outcome.result is None:
                how = f"{outcome.failure}: {outcome.detail}"
                raise RecipeError(f"A part of a measure has no result ({how}).")
            early[outcome.items[0][0]] = outcome.result[0]
            while due in early:
                yield early.pop(due)
                due += 1


def _worked(
    work: Callable[[Any], R], parts: Sequence[tuple[int, Any]], beat: Callable[[int], None]
) -> list[R]:
    results = []
    for i, (_, part) in enumerate(parts):
        beat(i)
        results.append(work(part))
    return results
