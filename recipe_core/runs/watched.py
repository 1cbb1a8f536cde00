"""Which process is that, and is it still the same one?"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil


@dataclass(frozen=True)
class Identity:
    """A process: its number alone is not enough, numbers are used again."""

    pid: int
    started: float
    """when it started, in seconds of a clock that nobody sets; see `started`"""


def myself() -> Identity:
    """This process."""
    return identity(os.getpid())


def identity(pid: int) -> Identity:
    """The process that has this number now; `started` is 0 where none has."""
    try:
        return Identity(pid, _seen(pid)[0])
    except OSError:
        return Identity(pid, 0.0)


def machine() -> str:
    """This machine since its last start; numbers of processes mean something only here."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        import psutil

        boot = f"{psutil.boot_time():.0f}"
    return f"{socket.gethostname()} {boot}"


def alive(who: Identity) -> bool:
    """Whether exactly this process runs (a zombie does not)."""
    try:
        started, zombie = _seen(who.pid)
    except OSError:
        return False
    return abs(started - who.started) < 0.05 and not zombie


def _seen(pid: int) -> tuple[float, bool]:
    """When the process started, and whether it is a zombie. Raises OSError where there is none.

    On Linux in seconds since the machine's start: seconds since the epoch are worked out from the
    clock and change with each correction of it, and a run that lives would be called lost.
    """
    if not sys.platform.startswith("linux"):
        return _asked(pid)
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return int(fields[19]) / os.sysconf("SC_CLK_TCK"), fields[0] in (b"Z", b"X")


def _asked(pid: int) -> tuple[float, bool]:
    import psutil  # takes a hundredth of a second, and a scan on Linux does without it

    try:
        process = psutil.Process(pid)
        return process.create_time(), process.status() == psutil.STATUS_ZOMBIE
    except psutil.Error as e:
        raise ProcessLookupError(str(e)) from e


def stop(who: Identity, *, grace_s: float = 3.0) -> None:
    """Asks it to stop (SIGINT, as Ctrl-C does), then ends its tree; returns when it is gone."""
    if not alive(who):
        return
    import psutil

    tree = _tree(who.pid)
    deadline = time.monotonic() + grace_s
    while _deaf(who.pid) and alive(who) and time.monotonic() < deadline:
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.kill(who.pid, signal.SIGINT)
    if _gone(who, grace_s):
        return
    for process in tree:
        with contextlib.suppress(psutil.Error):
            process.kill()
    _gone(who, grace_s)


def _deaf(pid: int) -> bool:
    """Whether it ignores SIGINT, as what a shell started in the background does until it has
    begun; False where that cannot be read (not Linux)."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
        ignored = next(line for line in status.splitlines() if line.startswith("SigIgn:"))
    except (OSError, StopIteration):
        return False
    return bool(int(ignored.split()[1], 16) >> (signal.SIGINT - 1) & 1)


def _tree(pid: int) -> list[psutil.Process]:
    import psutil

    try:
        process = psutil.Process(pid)
        return [*process.children(recursive=True), process]
    except psutil.Error:
        return []


def _gone(who: Identity, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while alive(who):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
