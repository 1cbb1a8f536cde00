"""How does the same job run on a cluster? As Ray actors, one per worker, with the same promises.

Ray is optional (`pip install "recipe-workbench[ray]"`) and imported in this file only. RAY_ADDRESS
names a running cluster, whose machines must see the same files and have Recipe installed; without
it Ray is started on this machine for the length of one map. Slower per chunk than local
processes: use it for more machines, not for more speed on one.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

from recipe_core.execution.executor import (
    Attempt,
    Done,
    Job,
    R,
    T,
    again_after_crash,
    halves,
    last_line,
    one_by_one,
    too_long,
    without,
)
from recipe_core.execution.processes import IDLE_DEATHS, IN_FLIGHT, START_SECONDS, TICK
from recipe_core.execution.worker import ONE_THREAD
from recipe_core.kernel.errors import Misuse, RecipeError


class RayEngine:
    """Runs chunks in `workers` Ray actors of one CPU each; by default as many as Ray has CPUs."""

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers
        self._ray = _imported()

    def map(self, job: Job[T, R], chunks: Iterable[Sequence[T]]) -> Iterator[Done[T, R]]:
        """See `executor.Executor`. A crash costs a second run of its chunk, item by item."""
        ours = not self._ray.is_initialized()
        try:
            cpus = _connected(self._ray, self.workers)
            yield from _mapped(self._ray, job, chunks, min(self.workers or cpus, cpus))
        finally:
            if ours:
                self._ray.shutdown()


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
    crew: _Crew[T, R] = _Crew(ray, job, _actor_class(ray))
    source = iter(chunks)
    try:
        while crew.hand_out(source, workers):
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


def _actor_class(ray: Any) -> Any:
    return ray.remote(
        num_cpus=1, max_restarts=0, max_task_retries=0, concurrency_groups={"watch": 1},
        runtime_env={"env_vars": ONE_THREAD},
    )(_Worker)  # fmt: skip


@dataclass(eq=False)
class _Member(Generic[T]):
    """An actor as the driver sees it. `tasks`: answer reference -> number and attempt, in order."""

    actor: Any
    hello: Any
    started: float
    ready: bool = False
    tasks: dict[Any, tuple[int, Attempt[T]]] = field(default_factory=dict)
    question: Any = None
    asked: float = 0.0
    last_answer: float = 0.0


@dataclass
class _Crew(Generic[T, R]):
    """All actors of one map and what is to be run again."""

    ray: Any
    job: Job[T, R]
    actor_class: Any
    members: list[_Member[T]] = field(default_factory=list)
    again: deque[Attempt[T]] = field(default_factory=deque)
    number: int = 0
    idle_deaths: int = 0
