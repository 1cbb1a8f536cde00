"""How does the same job run on a cluster? As Ray actors, one per worker, with the same promises.

Ray is optional (`pip install "recipe-workbench[ray]"`) and imported in this file only. RAY_ADDRESS
names a running cluster, whose machines must see the same files and have Recipe installed; without
it Ray is started on this machine for the length of one map. Slower per chunk than local
processes: use it for more machines, not for more speed on one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic

from recipe_core.execution.backlog import IN_FLIGHT, Backlog
from recipe_core.execution.executor import (
    Attempt,
    Done,
    Job,
    R,
    T,
    again_after_crash,
    last_line,
    one_by_one,
)
from recipe_core.execution.processes import ONE_THREAD, START_SECONDS, TICK
from recipe_core.kernel.errors import Misuse, RecipeError


class RayEngine:
    """Runs chunks in `workers` Ray actors of one CPU each; by default as many as Ray has CPUs."""

    quick: ClassVar[bool] = False

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers
        self._ray = _imported()

    def map(
        self, job: Job[T, R], chunks: Iterable[Sequence[T]]
    ) -> Generator[Done[T, R], None, None]:
        """See `executor.Executor`. After a crash its chunk is run again item by item."""
        ours = not self._ray.is_initialized()
        try:
            cpus = _connected(self._ray, self.workers)
            yield from _mapped(self._ray, job, chunks, min(self.workers or cpus, cpus))
        finally:
            if ours:
                self._ray.shutdown()

    def close(self) -> None:
        """Every map ends its own actors."""


def _imported() -> Any:
    try:
        import ray
    except ImportError:
        raise Misuse(
            'The engine "ray" needs Ray: pip install "recipe-workbench[ray]", '
            'or use the engine "local".'
        ) from None
    return ray


def _connected(ray: Any, workers: int | None) -> int:
    """Connects to RAY_ADDRESS, or starts Ray here; the CPUs that it has, >= 1."""
    here: dict[str, Any] = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": workers}
    try:
        ray.init(ignore_reinit_error=True, include_dashboard=False, log_to_driver=False,
                 logging_level="ERROR", **here)  # fmt: skip
    except (ConnectionError, RuntimeError, ValueError, OSError) as e:
        raise RecipeError(f"Ray does not start: {last_line(e)}") from e
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def _mapped(
    ray: Any, job: Job[T, R], chunks: Iterable[Sequence[T]], workers: int
) -> Iterator[Done[T, R]]:
    crew: _Crew[T, R] = _Crew(ray, job, _actor_class(ray), Backlog(chunks))
    try:
        while crew.hand_out(workers):
            yield from crew.listen()
            yield from crew.give_up_the_stalled()
    finally:
        crew.stop()


class _Worker:
    """The actor: runs chunks one after the other, and says on another thread where it is."""

    def __init__(self, work: Any) -> None:
        self._work = work
        self._at = (-1, -1, time.monotonic())

    def ready(self) -> bool:
        """Answers once the work has been imported."""
        return True

    def run(self, number: int, items: Any) -> tuple[str, Any]:
        """("", result), or ("raised", the traceback's last line)."""

        def beat(index: int) -> None:
            self._at = (number, index, time.monotonic())

        beat(-1)
        try:
            return "", _checked(self._work(items, beat))
        except BaseException as e:
            return "raised", last_line(e)
        finally:
            self._at = (-1, -1, time.monotonic())

    def where(self) -> tuple[int, int, float]:
        """Number of the chunk at work (-1: none), index of the item, seconds spent on it."""
        number, index, since = self._at
        return number, index, time.monotonic() - since


def _checked(result: Any) -> Any:
    """The result, if plain pickle takes it: what one engine returns the others must too."""
    import pickle

    pickle.dumps(result, protocol=5)
    return result


def _cause(error: Exception) -> str:
    """How an actor ended, without the advice that Ray adds to it."""
    _, _, detail = last_line(error).partition("Worker exit detail: ")
    return f"its process died: {detail.partition(' Some common causes')[0] or last_line(error)}"


def _actor_class(ray: Any) -> Any:
    return ray.remote(
        num_cpus=1, max_restarts=0, max_task_retries=0, concurrency_groups={"watch": 1},
        runtime_env={"env_vars": ONE_THREAD},
    )(_Worker)  # fmt: skip


@dataclass(eq=False)
class _Member(Generic[T]):
    """An actor as the driver sees it.

    hello     the reference that is answered once it has imported the work
    moved     when it last gave an answer (monotonic seconds), before that when it was started
    tasks     answer reference -> number and attempt; in order, the first one is at work
    question  the reference of a `where` that is still open, asked at `asked`
    """

    actor: Any
    hello: Any
    moved: float
    ready: bool = False
    tasks: dict[Any, tuple[int, Attempt[T]]] = field(default_factory=dict)
    question: Any = None
    asked: float = 0.0

    def head(self) -> tuple[int, Attempt[T]]:
        """Number and attempt at work."""
        return next(iter(self.tasks.values()))

    def confirms(self) -> bool:
        """Whether an item is at work that must be alone."""
        return any(attempt.confirming for _, attempt in self.tasks.values())


@dataclass
class _Crew(Generic[T, R]):
    """All actors of one map."""

    ray: Any
    job: Job[T, R]
    actor_class: Any
    backlog: Backlog[T, R]
    members: list[_Member[T]] = field(default_factory=list)
    number: int = 0

    def hand_out(self, most: int) -> bool:
        """Gives work to whoever is ready and has room; False when all is done.

        Hires one actor a call, up to `most`. An actor that has not said that it is ready gets no
        work: if it dies, the work's import is to blame and not an item. An item that confirms its
        guilt has an actor to itself: the answer to a finished item is lost when the next one dies.
        """
        while (attempt := self.backlog.take()) is not None:
            full = 1 if len(self.members) < most or attempt.confirming else IN_FLIGHT
            able = [m for m in self.members if m.ready and len(m.tasks) < full and not m.confirms()]
            if not able:
                self.backlog.put_back([attempt])
                if len(self.members) < most:
                    self._hire()
                return True
            self._give(min(able, key=lambda m: len(m.tasks)), attempt)
        return any(m.tasks for m in self.members)

    def listen(self) -> Iterator[Done[T, R]]:
        """Waits up to a tick for an answer and passes it on; buries the dead."""
        waiting = {ref: m for m in self.members for ref in (*self._hello(m), *m.tasks)}
        done, _ = self.ray.wait(list(waiting), num_returns=1, timeout=TICK)
        for ref in done:
            member = waiting[ref]
            try:
                answer = self.ray.get(ref)
            except self.ray.exceptions.RayActorError as e:
                yield from self._bury(member, _cause(e))
                continue
            except self.ray.exceptions.RayError as e:
                raise RecipeError(f"Ray cannot run the work: {last_line(e)}") from e
            yield from self._answered(member, ref, answer)

    def give_up_the_stalled(self) -> Iterator[Done[T, R]]:
        """Kills actors whose item has taken longer than the limit."""
        now = time.monotonic()
        for member in list(self.members):
            away = now - member.moved
            if not member.ready and away > START_SECONDS:
                raise RecipeError(f"A Ray actor was not ready after {START_SECONDS:g} s.")
            if member.ready and member.tasks and away > self.job.seconds_per_item:
                yield from self._questioned(member, now)

    def stop(self) -> None:
        """Ends every actor at once; nothing of theirs needs tidying."""
        while self.members:
            self._dismiss(self.members[-1])

    def _hello(self, member: _Member[T]) -> tuple[Any, ...]:
        return () if member.ready else (member.hello,)

    def _hire(self) -> None:
        try:
            actor = self.actor_class.remote(self.job.work)
        except TypeError as e:
            raise Misuse(f"The work cannot be pickled: {last_line(e)}") from e
        self.members.append(_Member(actor, actor.ready.remote(), time.monotonic()))

    def _give(self, member: _Member[T], attempt: Attempt[T]) -> None:
        self.number += 1
        try:
            ref = member.actor.run.remote(self.number, attempt.items)
        except TypeError as e:
            raise Misuse(f"An item cannot be pickled: {last_line(e)}") from e
        if not member.tasks and member.ready:
            member.moved = time.monotonic()
        member.tasks[ref] = self.number, attempt

    def _answered(self, member: _Member[T], ref: Any, answer: Any) -> Iterator[Done[T, R]]:
        member.ready, member.moved, member.question = True, time.monotonic(), None
        self.backlog.someone_works()
        if ref is not member.hello:
            _, attempt = member.tasks.pop(ref)
            yield from self.backlog.answered(attempt, *answer)

    def _finished(self, member: _Member[T]) -> Iterator[Done[T, R]]:
        """The answers that it gave before it died."""
        for ref in list(member.tasks):
            if not self.ray.wait([ref], timeout=0)[0]:
                return
            try:
                answer = self.ray.get(ref)
            except self.ray.exceptions.RayError:
                return
            yield from self._answered(member, ref, answer)

    def _bury(self, member: _Member[T], how: str) -> Iterator[Done[T, R]]:
        yield from self._finished(member)
        head = member.head()[1] if member.ready and member.tasks else None
        if head:
            del member.tasks[next(iter(member.tasks))]
        self._dismiss(member)
        yield from self.backlog.died(head, _retry(head), how)

    def _questioned(self, member: _Member[T], now: float) -> Iterator[Done[T, R]]:
        """Asks a silent actor where it is, and gives up its item if that is where it was before."""
        limit = self.job.seconds_per_item
        if member.question is None:
            member.question, member.asked = member.actor.where.remote(), now
        elif self.ray.wait([member.question], timeout=0)[0]:
            number, index, seconds = self._told(member)
            member.question = None
            if number == member.head()[0] and seconds > limit:
                yield from self._give_up(member, index if index >= 0 else None)
        elif now - member.asked > limit:  # the item does not even let another thread answer
            yield from self._give_up(member, None)

    def _told(self, member: _Member[T]) -> tuple[int, int, float]:
        try:
            number, index, seconds = self.ray.get(member.question)
        except self.ray.exceptions.RayError:  # it died: `listen` hears of it too
            return -1, -1, 0.0
        return number, index, seconds

    def _give_up(self, member: _Member[T], index: int | None) -> Iterator[Done[T, R]]:
        ref, (_, attempt) = next(iter(member.tasks.items()))
        yield from self._finished(member)
        if ref not in member.tasks:  # it finished at the last moment
            return
        del member.tasks[ref]
        self._dismiss(member)
        yield from self.backlog.given_up(attempt, index, self.job.seconds_per_item)

    def _dismiss(self, member: _Member[T]) -> None:
        """Kills an actor; the chunks it had not begun go back to the front of the queue."""
        self.members.remove(member)
        self.backlog.put_back([attempt for _, attempt in member.tasks.values()])
        self.ray.kill(member.actor, no_restart=True)


def _retry(head: Attempt[T] | None) -> list[Attempt[T]]:
    """Item by item, for nobody knows at which of them the actor died."""
    if head is None:
        return []
    return one_by_one(head) if len(head.items) > 1 else again_after_crash(head, None)
