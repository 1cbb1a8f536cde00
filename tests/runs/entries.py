"""Which little training processes do the tests run? Each is a real one, without torch."""

from __future__ import annotations

import ctypes
import importlib.util
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from recipe_core.runs.job import Job
from recipe_core.store.workspace import replaced


def counts(job: Job) -> None:
    """Counts to `n`, `pause` seconds a step, and writes a curve; a resumed one goes on."""
    n, at = job.config["n"], job.folder / "checkpoint"
    start = int(at.read_text()) if job.resuming else 0
    if job.resuming:
        job.log.rewind(start - 1)
    for step in range(start, n):
        job.log.flush()  # the curves must never end before the checkpoint
        replaced(at, lambda p, step=step: p.write_text(str(step)))  # type: ignore[misc]
        job.progress("counting", step, n)
        job.log.scalars(step, {"loss": 1 / (step + 1)}, epoch=step / n)
        time.sleep(job.config.get("pause", 0))
    job.log.epoch(0, {"accuracy": 0.5})
    job.progress("counting", n, n)
    job.result({"counted": n, "attempts": 1 + job.resuming})


def prints_its_environment(job: Job) -> None:
    """What the worker was started with, as a result."""
    session = {"session": os.getsid(0), "group": os.getpgrp(), "parent": os.getppid()}
    hashed = hash("a text")
    job.result({"environment": dict(os.environ), **session, "hash": hashed, "path": sys.path})


def _sleeps() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)


def has_children(job: Job) -> None:
    """Starts processes in every way there is, one in a session of its own, and waits."""
    with multiprocessing.get_context("fork").Pool(2) as pool:
        spawned = multiprocessing.get_context("spawn").Process(target=_sleeps)
        spawned.start()
        sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
        plain = subprocess.Popen(sleep)
        apart = subprocess.Popen(sleep, start_new_session=True)
        pids = [p.pid for p in (*pool._pool, spawned, plain, apart)]  # type: ignore[attr-defined]
        (job.folder / "children.json").write_text(json.dumps(pids))
        for step in range(10**6):
            job.progress("waiting", step + 1, 10**6)
            time.sleep(0.02)


def runs_the_users_file(job: Job) -> None:
    """Imports the file that the config names and calls its `train`."""
    spec = importlib.util.spec_from_file_location("users", job.config["task"])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.train()


def ignores_a_stop(job: Job) -> None:
    """Hears neither the flag nor SIGTERM; its child neither."""
    child = multiprocessing.get_context("fork").Process(target=_sleeps)
    child.start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    (job.folder / "children.json").write_text(json.dumps([child.pid]))
    job._heartbeat.progress("ignoring", 1, 0)
    while True:
        time.sleep(0.05)


def is_deaf_in_its_first_batch(job: Job) -> None:
    """Looks for no stop; SIGTERM interrupts it."""
    job._heartbeat.progress("first batch", 1, 0)
    time.sleep(600)


def crashes(job: Job) -> None:
    """Reads where no memory is."""
    ctypes.string_at(0)


def leaves(job: Job) -> None:
    """Ends the process behind everyone's back."""
    os._exit(3)


def says_goodbye(job: Job) -> None:
    """A user's file that calls sys.exit."""
    sys.exit("enough")


def fills_the_disk(job: Job) -> None:
    """Logs until there is no room left."""
    job.log.scalars(0, {"loss": 1.0})
    job.log.flush()
    for step in range(1, 10**7):
        job.log.scalars(step, {f"metric {k}": step / 7 for k in range(20)})
        if step % 10 == 0:
            job.progress("filling", step, 0)
            time.sleep(0.01)


def allocates(job: Job) -> None:
    """Takes 10 MB more at each step."""
    kept = []
    for step in range(1000):
        job.progress("allocating", step, 1000)
        job.log.scalars(step, {"loss": 1.0})
        kept.append(np.ones(10 * 2**20 // 8))


def lies_about_memory(job: Job) -> None:
    """An error of the user's own whose text mentions memory."""
    raise ValueError("the memory of the museum is not enough")


def logs_odd_things(job: Job) -> None:
    """Values that are no numbers, and numbers that are not finite."""
    job.log.scalars(0, {"loss": float("nan"), "up": float("inf"), "words": "many"})  # type: ignore[dict-item]
    job.log.scalars(1, {"loss": np.float32(2.0), "up": np.array(3.0)})  # type: ignore[dict-item]
    job.picture("a/b: c", b"png", step=3, caption="three")
    job.result({"loss": float("nan"), "path": Path("x")})
