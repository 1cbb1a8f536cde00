"""How is a measure worked out on all cores? Workers take its parts; they come back in order."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

from recipe_core.execution.executor import Executor, Job
from recipe_core.kernel.errors import RecipeError

T = TypeVar("T")
R = TypeVar("R")

SECONDS_PER_PART = 120.0


def shared_out(executor: Executor, work: Callable[[T], R], parts: Iterable[T]) -> Iterator[R]:
    """`work` of every part, in the parts' order; see `kernel.evidence.Files.shared_out`.

    Raises RecipeError where a part has no result: it raised, its process died, or it hung.
    """
    job: Job[tuple[int, T], list[R]] = Job(partial(_worked, work), SECONDS_PER_PART)
    early: dict[int, R] = {}
    due = 0
    with contextlib.closing(executor.map(job, ([part] for part in enumerate(parts)))) as outcomes:
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
