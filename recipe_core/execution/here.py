"""What if there were no workers? The same job in this process, one chunk after the other.

For debugging, for profiling and as the plain answer that the other engines must agree with. There
is no protection: an item that crashes takes this process with it, and the time limit cannot be
enforced.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from recipe_core.execution.executor import Attempt, Done, Job, R, T, last_line, one_by_one


@dataclass(frozen=True)
class Here:
    """Runs every chunk in the calling process and thread."""

    quick: ClassVar[bool] = True

    def map(
        self, job: Job[T, R], chunks: Iterable[Sequence[T]]
    ) -> Generator[Done[T, R], None, None]:
        """See `executor.Executor`; without its protection from crashes and hangs."""
        for chunk in chunks:
            if len(chunk):
                yield from _run(job, Attempt(tuple(chunk)))

    def close(self) -> None:
        """Nobody waits here."""


def _run(job: Job[T, R], attempt: Attempt[T]) -> Iterator[Done[T, R]]:
    try:
        done: Done[T, R] = Done(attempt.items, job.work(attempt.items, _unwatched))
    except Exception as e:
        if len(attempt.items) > 1:
            for single in one_by_one(attempt):
                yield from _run(job, single)
            return
        done = Done(attempt.items, None, "raised", last_line(e))
    yield done


def _unwatched(index: int) -> None:
    """A beat that nobody listens to."""
