"""What does it cost a loop of 1 ms steps to log three values and its progress at every step?

    python benchmarks/logging_overhead.py [--rounds 8] [--steps 4000] [--ms 1.0]

A loop of array code with the log, the heartbeat and the look at the process tree of a real run.
Printed, as processor time per step, median over the rounds with the quartiles: what the calls take
in the loop's own thread (measured on a loop that does nothing else), what the writer's thread and
the heartbeat's thread take; and their sum as a share of a step. Processor time of the threads
themselves, since the difference of two wall times says nothing on a machine that does other work.
All of it is counted as if it held up the loop, which on a second core it mostly does not.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from recipe_core.runs.folder import RunFolder
from recipe_core.runs.heartbeat import Heartbeat
from recipe_core.runs.job import Job
from recipe_core.runs.log import RunLog
from recipe_core.runs.resources import watcher

GOAL_PERCENT = 1.0
VALUES = {"loss": 0.5, "accuracy": 0.25, "learning_rate": 3e-4}
Step = Callable[[], object]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--ms", type=float, default=1.0)
    asked = parser.parse_args()
    step = _array(asked.ms)
    calls = [_seconds(lambda: None, asked.steps, asked.ms)[0] for _ in range(asked.rounds)]
    threads = [_seconds(step, asked.steps, asked.ms)[1:] for _ in range(asked.rounds)]
    writer, heartbeat = zip(*threads, strict=True)
    whole = [1e5 * (c + w + h) / asked.ms for c, w, h in zip(calls, writer, heartbeat, strict=True)]
    print(
        f"{asked.rounds} rounds of {asked.steps} steps of {asked.ms} ms, {len(VALUES)} values and"
    )
    print(f"a progress a step; goal: at most {GOAL_PERCENT:.0f} %\n")
    print("| part | µs a step |\n|---|---|")
    for name, seconds in (("calls", calls), ("writer", writer), ("heartbeat", heartbeat)):
        print(f"| {name} | {_spread([1e6 * s for s in seconds])} |")
    print(f"\nAll of it: {_spread(whole)} % of a step.")


def _spread(values: Sequence[float]) -> str:
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.2f} ({low:.2f} … {high:.2f})"


def _seconds(step: Step, n: int, ms: float) -> tuple[float, float, float]:
    """Processor seconds a step of the loop's thread, the writer's and the heartbeat's.

    The heartbeat works by the clock: its share of a second, whatever else the machine does in it.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = RunFolder(Path(folder))
        log, heartbeat = RunLog(files), Heartbeat(files, 1, watcher(""))
        heartbeat.start()
        job = Job(files, {}, log, heartbeat)
        threads = [_clock(log._thread), _clock(heartbeat._thread)]
        before = [time.clock_gettime(c) for c in threads]
        start, clock = time.thread_time(), time.monotonic()
        for i in range(n):
            step()
            log.scalars(i, VALUES, epoch=i / n)
            job.progress("training", i, n)
        own = time.thread_time() - start
        wall = time.monotonic() - clock
        others = [time.clock_gettime(c) - b for c, b in zip(threads, before, strict=True)]
        heartbeat.stop()
        log.close()
    return own / n, others[0] / n, others[1] / wall * ms / 1000


def _clock(thread: threading.Thread) -> int:
    assert thread.ident is not None
    return time.pthread_getcpuclockid(thread.ident)


def _array(ms: float) -> Step:
    values = np.random.default_rng(0).random((64, 64), dtype=np.float32)

    def step(n: int) -> None:
        for _ in range(n):
            values @ values  # the product's time is spent outside Python's lock

    n = _fitted(step, ms)
    return lambda: step(n)


def _taken(step: Callable[[int], object], n: int) -> float:
    start = time.thread_time()
    step(n)
    return time.thread_time() - start


def _fitted(step: Callable[[int], object], ms: float) -> int:
    """How often it must be done to take so long."""
    n = 1
    while True:
        best = min(_taken(step, n) for _ in range(5))
        if best > ms / 1000:
            return n
        n = max(n + 1, int(n * min(2.0, ms / 1000 / max(best, 1e-9))))


if __name__ == "__main__":
    main()
