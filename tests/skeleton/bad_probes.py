"""Which probes go wrong? Each in its own way; run in the process that they break."""

from __future__ import annotations

import os
import time
from typing import Any

from recipe_core.kernel.errors import MissingInput
from recipe_core.kernel.progress import Progress
from recipe_core.kernel.readings import Reading


def fine(bench: Any, progress: Progress) -> Reading:
    progress("counting", 1, 2)
    return Reading({"pid": os.getpid(), "n": len(bench.train_set)})


def hang(bench: Any, progress: Progress) -> Reading:
    while True:
        time.sleep(0.1)


def die(bench: Any, progress: Progress) -> Reading:
    os.abort()


def eat(bench: Any, progress: Progress) -> Reading:
    raise MemoryError("no more")


def ours(bench: Any, progress: Progress) -> Reading:
    return Reading({"n": 1 // 0})


def theirs(bench: Any, progress: Progress) -> Reading:
    bench.task.evaluate(None, None)
    return Reading()


def nothing(bench: Any, progress: Progress) -> Reading:
    raise MissingInput("build_model takes no width")
