"""What runs inside a worker process? Chunks in, results out, and a sign of life for each item.

Started by `processes.py`, one per core. Imports only what it needs: its start is paid for by every
scan. Frames on both pipes are HEADER (number, kind, length) and a pickle of that length.

The sign of life is three float64 in shared memory that the driver reads whenever it likes:
[number of the chunk at work or IDLE, item index or -1, time.monotonic() of the last beat].
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import mmap
import os
import pickle
import queue
import signal
import struct
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from recipe_core.execution.executor import Work, last_line
from recipe_core.execution.memory import keep_freed
from recipe_core.execution.without import hide

HEADER = struct.Struct("<qBQ")
READY, UNABLE, RESULT, RAISED = range(4)
IDLE = -1.0
LIFE_BYTES = 24
JOB_NUMBER = -1
SELDOM = 100_000
"""Objects made before Python looks for garbage: imports make many and leave none."""
PR_SET_PDEATHSIG = 1  # linux/prctl.h

Inbox = queue.SimpleQueue[tuple[int, bytes]]


def serve(
    orders: int, answers: int, life: int, driver: int, module: str, without: Sequence[str]
) -> NoReturn:
    """Works until the driver closes the orders or dies; never returns.

    orders, answers   file descriptors of the two pipes
    life              file descriptor of the shared memory
    driver            its process id
    module            imported before there is work, without those modules; '' for none. Where it
                      has a function `warm_up`, that is called too
    """
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches the whole group: the driver decides
    _die_with(driver)
    keep_freed()
    gc.set_threshold(SELDOM)
    inbox: Inbox = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(orders, inbox), daemon=True).start()
    signs = memoryview(mmap.mmap(life, LIFE_BYTES)).cast("d")
    if module:
        hide(without)
        with contextlib.suppress(Exception):  # unpacking the work says the same again, heard
            ready = importlib.import_module(module)
            if hasattr(ready, "warm_up"):
                ready.warm_up()
    try:
        _work_through(inbox, answers, signs)
    except BrokenPipeError:
        os._exit(0)


def _die_with(driver: int) -> None:
    """Has the kernel end this process with its driver, even one killed with SIGKILL.

    The pipe's end of file says the same, but needs this interpreter's lock to be heard.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != driver:  # it died before the line above
        os._exit(0)


def _listen(orders: int, inbox: Inbox) -> None:
    """Takes every order off the pipe at once: the driver can always write, its end is noticed."""
    with os.fdopen(orders, "rb") as pipe:
        while len(head := pipe.read(HEADER.size)) == HEADER.size:
            number, _, length = HEADER.unpack(head)
            inbox.put((number, pipe.read(length)))
    os._exit(0)


def _work_through(inbox: Inbox, answers: int, signs: memoryview[float]) -> NoReturn:
    def beat(index: int) -> None:
        signs[2] = time.monotonic()  # before the index: a new index with an old time looks stalled
        signs[1] = index

    work = _unpack_job(answers, inbox.get()[1])
    while True:
        number, payload = inbox.get()
        if number == JOB_NUMBER:
            work = _unpack_job(answers, payload)
            continue
        beat(-1)
        signs[0] = number
        kind, answer = _answer(work, payload, beat)
        signs[0] = IDLE
        _send(answers, number, kind, answer)
        _forget_output()


def _unpack_job(answers: int, payload: bytes) -> Work[Any, Any]:
    try:
        without, packed = pickle.loads(payload)
        hide(without)
        work: Work[Any, Any] = pickle.loads(packed)
    except BaseException as e:
        _send(answers, JOB_NUMBER, UNABLE, pickle.dumps(last_line(e)))
        os._exit(1)
    _send(answers, JOB_NUMBER, READY, pickle.dumps(""))
    return work


def _answer(work: Work[Any, Any], payload: bytes, beat: Callable[[int], None]) -> tuple[int, bytes]:
    try:
        result = work(pickle.loads(payload), beat)
        return RESULT, pickle.dumps(result, protocol=5)
    except BaseException as e:  # SystemExit too: no item may end the worker politely
        return RAISED, pickle.dumps(last_line(e))


def _send(answers: int, number: int, kind: int, payload: bytes) -> None:
    for part in (HEADER.pack(number, kind, len(payload)), payload):
        rest = memoryview(part)
        while rest:
            rest = rest[os.write(answers, rest) :]


def _forget_output() -> None:
    """Empties the file that stderr goes to; only what a dying chunk said is of interest."""
    os.ftruncate(2, 0)
