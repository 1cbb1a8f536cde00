"""How does a file that kills its decoder cost that file only? Work runs in processes of our own.

One process per worker, started afresh, for the driver may have threads (not by multiprocessing,
whose spawn runs the driver's __main__ again and takes its environment); those that are started
ahead of the work are copies of the driver where that is safe (forked.py). The driver is one loop
in the caller's thread: hand out chunks, read answers, look at the signs of life, replace the dead.
POSIX only.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import mmap
import os
import pickle
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, ClassVar, Generic, NoReturn

from recipe_core.execution.backlog import IN_FLIGHT, Backlog
from recipe_core.execution.executor import (
    Attempt,
    Done,
    Job,
    R,
    T,
    again_after_crash,
    last_line,
)
from recipe_core.execution.forked import Copy, alone, copy
from recipe_core.execution.worker import (
    HEADER,
    JOB_NUMBER,
    LIFE_BYTES,
    RAISED,
    READY,
    UNABLE,
    serve,
)
from recipe_core.kernel.errors import Misuse, RecipeError

PIPE_BYTES = 1 << 20
"""A worker whose answer fits goes on at once, even while the driver writes a shard."""
TICK = 0.1
AHEAD, COPIED_AHEAD = 4, 16
"""Workers started before it is known how much work there is: afresh, and as copies."""
START_SECONDS = 120.0
"""A worker that has not imported the work by then never will (slow network disks take many)."""
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
     "NUMEXPR_NUM_THREADS", "BLIS_NUM_THREADS"), "1")  # fmt: skip
"""One worker per core already: threads of a linear-algebra library would fight each other."""
BOOT = (
    "import sys, json; a = json.loads(sys.argv[1]); sys.path[:] = a.pop('path'); "
    "from recipe_core.execution.worker import serve; serve(**a)"
)


@dataclass(frozen=True)
class LocalProcesses:
    """Runs chunks in `workers` (>= 1) processes on this machine.

    keep  workers that have done a map's work wait for the next one until `close`
    idle  workers that wait, or were started ahead; they end with this process
    """

    quick: ClassVar[bool] = True

    workers: int
    keep: bool = False
    idle: list[_Member[Any]] = field(default_factory=list, repr=False, compare=False)

    def start_ahead(self, module: str, without: tuple[str, ...] = ()) -> None:
        """Starts workers that have imported the module, or do while we list files; see Job.without.

        The next `map` takes them; a worker whose import fails says so when it is given work.
        """
        copied = alone()
        if copied:
            with contextlib.suppress(Exception):
                importlib.import_module(module)
            copied = alone()
        for _ in range(min(self.workers, COPIED_AHEAD if copied else AHEAD)):
            self.idle.append(_started(module, without, copied))

    def map(
        self, job: Job[T, R], chunks: Iterable[Sequence[T]]
    ) -> Generator[Done[T, R], None, None]:
        """See `executor.Executor`. What the work prints is thrown away."""
        results = self._results(job, chunks)
        next(results)
        return results

    def _results(
        self, job: Job[T, R], chunks: Iterable[Sequence[T]]
    ) -> Generator[Done[T, R], None, None]:
        """What `map` yields, after one value that tells that the first chunks are handed out."""
        crew: _Crew[T, R] = _Crew(job.seconds_per_item, _packed(job), self.idle, Backlog(chunks))
        kept = False
        try:
            going = crew.hand_out(self.workers)
            yield Done((), None)  # for `map` alone
            while going:
                yield from crew.listen()
                yield from crew.give_up_the_stalled()
                going = crew.hand_out(self.workers)
            kept = self.keep
        finally:
            if kept:
                crew.rest()
            else:
                crew.stop()
                self.close()
            crew.selector.close()

    def close(self) -> None:
        """See `executor.Executor`."""
        for member in self.idle:
            member.process.kill()
        while self.idle:
            self.idle.pop().end()


@dataclass(eq=False)
class _Member(Generic[T]):
    """A worker process as the driver sees it. `tasks`: in order, the first one is at work."""

    process: subprocess.Popen[bytes] | Copy
    orders: int
    answers: int
    signs: memoryview[float]
    output: IO[bytes]
    started: float
    ready: bool = False
    tasks: deque[tuple[int, Attempt[T]]] = field(default_factory=deque)
    outbox: bytearray = field(default_factory=bytearray)
    inbox: bytearray = field(default_factory=bytearray)

    def at_work(self) -> tuple[Attempt[T] | None, int | None, float]:
        """The attempt it works on (None: idle), the item's index if known, its last beat."""
        number, index, beat = self.signs[0], int(self.signs[1]), self.signs[2]
        if not self.tasks or self.tasks[0][0] != number:
            return None, None, beat
        attempt = self.tasks[0][1]
        return attempt, index if 0 <= index < len(attempt.items) else None, beat

    def write(self) -> None:
        """Writes what the pipe takes without waiting."""
        try:
            while self.outbox:
                del self.outbox[: os.write(self.orders, self.outbox)]
        except BlockingIOError:
            pass
        except BrokenPipeError:  # it died: its answers' end of file says so in a moment
            self.outbox.clear()

    def read(self) -> bool:
        """Reads all there is; False at the end of the file: the worker is gone."""
        try:
            while data := os.read(self.answers, PIPE_BYTES):
                self.inbox += data
        except BlockingIOError:
            return True
        return False

    def frames(self) -> Iterator[tuple[int, int, Any]]:
        """The complete answers read so far: number, kind, content."""
        while len(self.inbox) >= HEADER.size:
            number, kind, length = HEADER.unpack_from(self.inbox)
            end = HEADER.size + length
            if len(self.inbox) < end:
                return
            content = pickle.loads(memoryview(self.inbox)[HEADER.size : end])
            del self.inbox[:end]
            yield number, kind, content

    def end(self) -> int:
        """Kills it if it still lives, gives everything back; its exit code."""
        self.process.kill()
        code = self.process.wait()
        os.close(self.orders)
        os.close(self.answers)
        self.output.close()
        return code

    def last_words(self) -> str:
        """The last line that it (or a C library inside it) wrote to stderr."""
        self.output.seek(max(0, self.output.seek(0, os.SEEK_END) - 2000))
        lines = self.output.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


@dataclass
class _Crew(Generic[T, R]):
    """All workers of one map, and the clock."""

    limit: float
    job: bytes
    idle: list[_Member[Any]]
    backlog: Backlog[T, R]
    members: list[_Member[T]] = field(default_factory=list)
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    number: int = 0
    looked: float = field(default_factory=time.monotonic)
    excused_until: float = 0.0

    def hand_out(self, most: int) -> bool:
        """Gives work to whoever has room; hires up to `most`. False where all is done."""
        while True:
            member = min(self.members, key=lambda m: len(m.tasks), default=None)
            room = len(self.members) < most
            if member and len(member.tasks) >= (1 if room else IN_FLIGHT):
                member = None
            if not member and not room:
                return True
            attempt = self.backlog.take()
            if attempt is None:
                break
            self._give(member or self._hire(), attempt)
        return any(m.tasks for m in self.members)

    def listen(self) -> Iterator[Done[T, R]]:
        """Waits up to a tick for answers and passes them on; buries the dead."""
        for key, events in self.selector.select(TICK):
            member = key.data
            if member not in self.members:
                continue
            if events & selectors.EVENT_WRITE:
                member.write()
                self._watch(member)
            elif member.read():
                yield from self._answers(member)
            else:
                yield from self._bury(member)
        # A process that a worker has forked may hold its pipe open after its death.
        for member in [m for m in self.members if m.process.poll() is not None]:
            member.read()
            yield from self._bury(member)

    def give_up_the_stalled(self) -> Iterator[Done[T, R]]:
        """Kills workers whose item has taken longer than the limit."""
        now = time.monotonic()
        if now - self.looked > TICK + self.limit / 2:
            # We were away (Ctrl-Z, a machine put to sleep, a slow consumer) and cannot tell
            # whether the workers were too: everyone's item gets its time anew.
            self.excused_until = now
        self.looked = now
        for member in list(self.members):
            attempt, index, beat = member.at_work()
            if attempt and now - max(beat, self.excused_until) > self.limit:
                yield from self._give_up(member, attempt, index)
            elif not member.ready and now - max(member.started, self.excused_until) > START_SECONDS:
                raise RecipeError(f"A worker process was not ready after {START_SECONDS:g} s.")

    def stop(self) -> None:
        """Ends every worker at once; nothing of theirs needs tidying."""
        for member in self.members:
            member.process.kill()
        while self.members:
            self._dismiss(self.members[-1])

    def rest(self) -> None:
        """Has every worker wait for the next map, now that all is done."""
        while self.members:
            member = self.members.pop()
            self._unwatch(member)
            self.idle.append(member)

    def _give(self, member: _Member[T], attempt: Attempt[T]) -> None:
        self.number += 1
        payload = _pickled("an item", attempt.items)
        member.tasks.append((self.number, attempt))
        self._order(member, self.number, payload)

    def _order(self, member: _Member[T], number: int, payload: bytes) -> None:
        member.outbox += HEADER.pack(number, 0, len(payload))
        member.outbox += payload
        member.write()
        self._watch(member)

    def _watch(self, member: _Member[T]) -> None:
        """Wakes us when the order pipe has room again, as long as there is something to write."""
        watched = member.orders in self.selector.get_map()
        if member.outbox and not watched:
            self.selector.register(member.orders, selectors.EVENT_WRITE, member)
        elif watched and not member.outbox:
            self.selector.unregister(member.orders)

    def _hire(self) -> _Member[T]:
        member: _Member[T] = self.idle.pop() if self.idle else _started()
        member.started, member.ready = time.monotonic(), False
        self.members.append(member)
        self.selector.register(member.answers, selectors.EVENT_READ, member)
        self._order(member, JOB_NUMBER, self.job)
        return member

    def _answers(self, member: _Member[T]) -> Iterator[Done[T, R]]:
        for _, kind, content in member.frames():
            if kind == UNABLE:
                raise RecipeError(f"A worker process cannot load the work: {content}")
            if kind == READY:
                member.ready = True
                self.backlog.someone_works()
                continue
            _, attempt = member.tasks.popleft()
            yield from self.backlog.answered(attempt, "raised" if kind == RAISED else "", content)

    def _bury(self, member: _Member[T]) -> Iterator[Done[T, R]]:
        """After a death: its finished answers count, its other chunks are run again."""
        yield from self._answers(member)
        attempt, index, _ = member.at_work()
        last_words = member.last_words()
        how = _cause(_exit_code(member.process), last_words)
        if attempt:
            member.tasks.popleft()
        self._dismiss(member)
        retry = again_after_crash(attempt, index) if attempt else []
        yield from self.backlog.died(attempt, retry, how)

    def _give_up(
        self, member: _Member[T], attempt: Attempt[T], index: int | None
    ) -> Iterator[Done[T, R]]:
        member.process.kill()
        member.process.wait()
        member.read()
        yield from self._answers(member)
        if not member.tasks or member.tasks[0][1] is not attempt:  # it finished at the last moment
            self._dismiss(member)
            return
        member.tasks.popleft()
        self._dismiss(member)
        yield from self.backlog.given_up(attempt, index, self.limit)

    def _dismiss(self, member: _Member[T]) -> None:
        """Forgets a worker; the chunks it had not begun go back to the front of the queue."""
        self.members.remove(member)
        self.backlog.put_back([attempt for _, attempt in member.tasks])
        self._unwatch(member)
        member.end()

    def _unwatch(self, member: _Member[T]) -> None:
        for fd in (member.orders, member.answers):
            if fd in self.selector.get_map():
                self.selector.unregister(fd)


def _started(module: str = "", without: tuple[str, ...] = (), copied: bool = False) -> _Member[Any]:
    """A new worker process with its two pipes and its shared memory; see `worker.serve`."""
    orders_out, orders = os.pipe()
    answers, answers_in = os.pipe()
    output = tempfile.TemporaryFile("a+b")  # noqa: SIM115 - lives as long as the worker
    try:
        for fd in (orders, answers):
            os.set_blocking(fd, False)
            _enlarge(fd)
        with tempfile.TemporaryFile() as life:
            life.truncate(LIFE_BYTES)
            shared = mmap.mmap(life.fileno(), LIFE_BYTES)
            signs = memoryview(shared).cast("d")
            signs[0] = signs[1] = -1.0
            fds = {"orders": orders_out, "answers": answers_in, "life": life.fileno()}
            told = {**fds, "driver": os.getpid(), "module": module, "without": without}
            start = _copied if copied else _afresh
            process = start(told, tuple(fds.values()), output)
    except OSError as e:
        os.close(orders)
        os.close(answers)
        output.close()
        raise RecipeError(f"A worker process cannot be started: {e}") from e
    finally:
        os.close(orders_out)
        os.close(answers_in)
    return _Member(process, orders, answers, signs, output, time.monotonic())


def _afresh(
    told: dict[str, Any], fds: tuple[int, ...], output: IO[bytes]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-c", BOOT, json.dumps({"path": sys.path, **told})],
        stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        pass_fds=fds, env={**os.environ, **ONE_THREAD},
    )  # fmt: skip


def _copied(told: dict[str, Any], fds: tuple[int, ...], output: IO[bytes]) -> Copy:
    def run() -> NoReturn:
        os.environ.update(ONE_THREAD)
        serve(**told)

    return copy(run, fds, output.fileno())


def _exit_code(process: subprocess.Popen[bytes] | Copy) -> int:
    """The code of a process whose pipe has closed: it ends, or it has lost its mind."""
    try:
        return process.wait(timeout=1)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _enlarge(fd: int) -> None:
    """Gives the pipe room for a whole answer, where the system allows it (64 kB otherwise)."""
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def _packed(job: Job[T, R]) -> bytes:
    """The work inside a pickle of its own: a worker hides modules before it imports the work's."""
    return _pickled("the job", (job.without, _pickled("the work", job.work)))


def _pickled(what: str, value: object) -> bytes:
    try:
        return pickle.dumps(value, protocol=5)
    except Exception as e:
        raise Misuse(f"Workers are processes, and {what} cannot be pickled: {last_line(e)}") from e


def _cause(code: int, last_words: str) -> str:
    """How a process ended, in words: its exit code or signal, and what it said last."""
    said = f": {last_words}" if last_words else ""
    if code >= 0:
        return f"exit code {code}{said}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = "unknown"
    hint = ", which is what running out of memory looks like" if -code == signal.SIGKILL else ""
    return f"signal {-code} ({name}){hint}{said}"
