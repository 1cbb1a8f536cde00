"""What does an engine promise? Every item comes back once, whatever an item does to its process."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, Literal, Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")

Failure = Literal["", "crashed", "timeout", "raised"]
Work = Callable[[Sequence[T], Callable[[int], None]], R]


@dataclass(frozen=True)
class Job(Generic[T, R]):
    """What is done to each chunk, and how long one item may take.

    work              (items, beat) -> result; a top-level function (or functools.partial of one)
                      that can be pickled; calls beat(i) right before it starts on item i, so
                      that the item that kills or stalls a worker is known
    seconds_per_item  wall-clock seconds; an item that takes longer is given up
    without           modules that the work does without though a library would import them where
                      it finds them; worker processes hide these names
    """

    work: Work[T, R]
    seconds_per_item: float
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class Done(Generic[T, R]):
    """A chunk's result, or the one item that has none.

    items    the items that `result` is for, in the order of the chunk; one item where it failed
    result   what `work` returned; None where it failed
    failure  '' fine, crashed (its process died), timeout (given up), raised (an exception)
    detail   what happened, in one line: the signal, the limit, the exception; '' where fine
    """

    items: tuple[T, ...]
    result: R | None
    failure: Failure = ""
    detail: str = ""


class Executor(Protocol):
    """Maps a job over chunks. Chunks that had to be run again may come back in smaller pieces.

    quick  a map that lasts a tenth of a second is worth its start
    """

    quick: ClassVar[bool]

    def map(
        self, job: Job[T, R], chunks: Iterable[Sequence[T]]
    ) -> Generator[Done[T, R], None, None]:
        """Yields what is done as it completes, in any order; every item exactly once.

        `chunks` is read lazily: never more than about two chunks per worker ahead. Worker
        processes on this machine have begun when this returns. Closing the iterator (or an
        exception inside it, KeyboardInterrupt too) stops all workers within two seconds and leaves
        no process behind.
        Raises Misuse where the job or an item cannot be pickled, RecipeError where no worker can
        be started.
        """

    def close(self) -> None:
        """Ends the workers that wait for a further map; one that comes starts new ones."""


@dataclass(frozen=True)
class Attempt(Generic[T]):
    """Items to be run together.

    confirming  the one item was at work when a process died and now runs by itself: dying again
                is its own doing. The first time it may have been innocent (another process took
                the memory, an earlier item corrupted the heap), and a false accusation costs
                a sample.
    """

    items: tuple[T, ...]
    confirming: bool = False


def again_after_crash(attempt: Attempt[T], index: int | None) -> list[Attempt[T]]:
    """What to run again after the process died at item `index` (None: not known which).

    Empty where the attempt's only item has now been seen to kill its process: it is to blame.
    Every attempt returned is smaller than the one given, or confirming, so this ends.
    """
    items = attempt.items
    if attempt.confirming:
        return []
    if len(items) == 1:
        return [Attempt(items, confirming=True)]
    if index is None:
        return halves(attempt)
    return [*without(attempt, index), Attempt((items[index],), confirming=True)]


def without(attempt: Attempt[T], index: int) -> list[Attempt[T]]:
    """The items before and after item `index`, as up to two attempts."""
    parts = (attempt.items[:index], attempt.items[index + 1 :])
    return [Attempt(p) for p in parts if p]


def halves(attempt: Attempt[T]) -> list[Attempt[T]]:
    """The same items as two attempts."""
    middle = len(attempt.items) // 2
    return [Attempt(attempt.items[:middle]), Attempt(attempt.items[middle:])]


def one_by_one(attempt: Attempt[T]) -> list[Attempt[T]]:
    """Every item as its own attempt."""
    return [Attempt((item,)) for item in attempt.items]


def last_line(error: BaseException) -> str:
    """The last line of the error's traceback: its type and message, without line breaks."""
    text = "".join(traceback.format_exception_only(error)).strip()
    return " ".join(text.split())


def too_long(seconds: float) -> str:
    """The detail of a timeout."""
    return f"took longer than {seconds:g} s"
