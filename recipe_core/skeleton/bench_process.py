"""How does the pipeline under test run in a process of its own, one that may hang or die?

`python -m recipe_core.skeleton.bench_process FD` is the process: torch is loaded once, the bench is
opened once, and probe after probe comes through the connection FD. `BenchProcess` is the other end:
where a probe hangs, crashes or eats the memory, that process is ended with all its children and the
next probe gets a fresh one.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

from recipe_core.kernel.check import Probe
from recipe_core.kernel.errors import Misuse, RecipeError
from recipe_core.kernel.progress import Progress
from recipe_core.kernel.readings import Reading

OPENING_S = 900.0
"""Seconds without a sign of life while the pictures are decoded and the task is loaded."""
LONGEST = 10.0
"""A probe that does report may take so many times its limit in all."""
TICK_S = 0.2


class BenchProcess:
    """One pipeline under test, in a process that is replaced when a probe breaks it."""

    def __init__(self, workspace: Path, config: dict[str, Any]) -> None:
        self.workspace = workspace
        self.config = config
        self.about: dict[str, Any] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection[Any, Any] | None = None

    def open(self, progress: Progress) -> dict[str, Any]:
        """Starts the process and opens the bench; facts of the pipeline.

        Raises Misuse where the task or the configuration is wrong, with the user's own line first,
        RecipeError where it does not start, and whatever `progress` raises to stop.
        """
        mine, theirs = Pipe()
        command = [
            sys.executable,
            "-P",
            "-m",
            "recipe_core.skeleton.bench_process",
            str(theirs.fileno()),
        ]
        self._process = subprocess.Popen(
            command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL
        )
        theirs.close()
        self._connection = mine
        mine.send((self.workspace, self.config))
        kind, told = self._answer("starting", OPENING_S, progress)
        if kind != "about":
            self.end()
            raise (Misuse if told.whose == "task" else RecipeError)(_opening(told))
        self.about = told
        return self.about

    def probe(self, probe: Probe, progress: Progress) -> Reading:
        """What the probe reads; a hang, a crash or exhausted memory is a reading too.

        Raises whatever `progress` raises to stop: the process is then ended.
        """
        if self._connection is None:
            self.open(progress)
        assert self._connection is not None
        try:
            self._connection.send(probe)
        except OSError:  # it died between two probes
            self.end()
            return self._died(0.0)
        kind, told = self._answer(probe.name, probe.seconds, progress)
        reading: Reading = told
        if kind != "reading" or reading.whose == "memory":
            self.end()
        return reading

    def _answer(self, activity: str, limit_s: float, progress: Progress) -> tuple[str, Any]:
        """The process's answer; a Reading of whose limit or death it was where there is none."""
        start = alive = time.monotonic()
        try:
            while True:
                kind, told = self._heard(start)
                now = time.monotonic()
                if kind == "progress":
                    alive = now
                    progress(*told)
                elif kind:
                    return kind, told
                else:
                    progress("", 0, 0)
                if now - alive > limit_s or now - start > LONGEST * limit_s:
                    return "hung", self._hung(activity, now - start, now - alive)
        except BaseException:
            self.end()
            raise

    def _heard(self, start: float) -> tuple[str, Any]:
        """One message; ("", None) where none came within a tick."""
        assert self._connection is not None
        try:
            if not self._connection.poll(TICK_S):
                return "", None
            message: tuple[str, Any] = self._connection.recv()
            return message
        except (EOFError, OSError):
            return "died", self._died(time.monotonic() - start)

    def _hung(self, activity: str, seconds: float, silent_s: float) -> Reading:
        said = f"{activity} gave no sign of life for {silent_s:.0f} s"
        if silent_s < seconds / LONGEST:
            said = f"{activity} was not done after {seconds:.0f} s"
        return Reading(error=said, whose="time", seconds=seconds)

    def _died(self, seconds: float) -> Reading:
        code = self._process.wait() if self._process else 0
        if code == -signal.SIGKILL:
            said = "the system ended the process, most likely because memory ran out"
            return Reading(error=said, whose="memory", seconds=seconds)
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return Reading(error=f"the process ended with {how}", whose="crash", seconds=seconds)

    def end(self) -> None:
        """Ends the process and everything it started."""
        process, self._process = self._process, None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        if process is not None:
            _end_family(process)


def _end_family(process: subprocess.Popen[bytes]) -> None:
    import psutil

    try:
        parent = psutil.Process(process.pid)
        family = [*parent.children(recursive=True), parent]
    except psutil.NoSuchProcess:
        family = []
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait()


def _opening(told: Reading) -> str:
    if told.whose in ("task", "recipe"):
        return told.error
    return f"The pipeline could not be opened: {told.error}."


# -- in the process -----------------------------------------------------------------------------


def main() -> None:
    """Opens the bench and answers until the other end is gone."""
    connection: Connection[Any, Any] = Connection(int(sys.argv[1]))
    asked: queue.Queue[Any] = queue.Queue()
    threading.Thread(target=_listen, args=(connection, asked), daemon=True).start()
    workspace, config = asked.get()
    try:
        bench = opened(Path(workspace), config)
    except BaseException as e:
        connection.send(("broken", _broken(e)))
        return
    connection.send(("about", about(bench)))
    tell = _Teller(connection)
    while True:
        answer(asked.get(), bench, connection, tell)


def _listen(connection: Connection[Any, Any], asked: queue.Queue[Any]) -> None:
    """Puts what is asked into the queue; ends the process when nobody can ask any more."""
    while True:
        try:
            asked.put(connection.recv())
        except (EOFError, OSError):
            os._exit(0)


def opened(workspace: Path, config: dict[str, Any]) -> Any:
    """The bench of this configuration (JSON of a RunConfig)."""
    from recipe_core.training.bench import open_bench
    from recipe_core.training.config import RunConfig
    from recipe_core.training.devices import device_of, limit_memory

    asked = RunConfig.from_json(config)
    limit_memory(asked.memory_limit_mb, device_of(asked.device))
    return open_bench(workspace, asked)


def answer(probe: Probe, bench: Any, connection: Connection[Any, Any], progress: Progress) -> None:
    """Sends what the probe reads."""
    from recipe_core.skeleton.probing import probed

    connection.send(("reading", probed(probe, bench, progress)))


def about(bench: Any) -> dict[str, Any]:
    """Facts of the pipeline that no probe measures, as JSON values."""
    task, config = bench.task, bench.config
    return {
        "task": str(task.path or ""), "given": sorted(task.given), "device": str(bench.device),
        "seed": bench.seed, "num_classes": task.num_classes,
        "class_names": list(task.class_names), "takes_width": task.takes_width,
        "n_train": len(bench.train_set), "n_eval": len(bench.eval_set), "model": config.model,
        "batch_size": config.batch_size, "epochs": config.epochs,
    }  # fmt: skip


def _broken(error: BaseException) -> Reading:
    whose = "task" if isinstance(error, Misuse) else "recipe"
    said = str(error) if isinstance(error, RecipeError) else f"{type(error).__name__}: {error}"
    return Reading(error=said, whose="task" if whose == "task" else "recipe")


class _Teller:
    """A Progress that sends at most ten messages a second."""

    def __init__(self, connection: Connection[Any, Any]) -> None:
        self._connection = connection
        self._last = 0.0

    def __call__(self, activity: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._last > 0.1:
            self._last = now
            self._connection.send(("progress", (activity, done, total)))


if __name__ == "__main__":
    main()
