"""How does a worker begin with everything imported? It is the copy of a process that has it.

A fresh Python takes a sixth of a second to import what reads pictures; a copy takes a hundredth of
that, and shares its memory. Copies are made only while the process has a single thread: what
another one holds at that moment, such as a lock of the allocator, would be held for ever in them.
Linux only: elsewhere system libraries start threads that nobody sees.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NoReturn

QUIET = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
"""Keeps NumPy's linear algebra, and an allocator that Arrow brings and does not use, from starting
threads when they are imported."""
TASKS = Path("/proc/self/task")
POLL_S = 0.005


def import_quietly() -> None:
    """From now on the libraries of a scan start no thread when they are imported.

    Settings that the user has made stay as they are.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)


def alone() -> bool:
    """Whether this process may be copied: on Linux, with one thread, counting those in C."""
    return sys.platform == "linux" and len(list(TASKS.iterdir())) == 1


class Copy:
    """A process that was forked; answers as subprocess.Popen does."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code. Raises subprocess.TimeoutExpired after that many seconds."""
        if timeout is None and self.returncode is None:
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        end = time.monotonic() + (timeout or 0)
        while (code := self.poll()) is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
            time.sleep(POLL_S)
        return code

    def kill(self) -> None:
        """Sends SIGKILL, unless it is known to have ended."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


def copy(run: Callable[[], NoReturn], keep: Collection[int], output: int) -> Copy:
    """A copy of this process that does nothing but `run`, with its own standard streams.

    keep    file descriptors that stay open in it beside the standard streams
    output  file descriptor that its stdout and stderr go to; its stdin is empty
    Raises OSError where the system allows no further process. Ask `alone` first.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return Copy(pid)
    try:
        gc.freeze()  # nothing that stands now is looked through, which would copy its memory
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        for stream in (1, 2):
            os.dup2(output, stream)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        _close_all_but({0, 1, 2, *keep})
        run()
    except BaseException:
        os.write(2, traceback.format_exc().encode(errors="replace"))
    finally:
        os._exit(1)


def _close_all_but(kept: Collection[int]) -> None:
    """Other workers' pipes above all: an end left open here would hide that their driver died."""
    for number in [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]:
        if number not in kept:
            with contextlib.suppress(OSError):
                os.close(number)
