"""Whose turn is it on a device? One run at a time, in the order in which they came.

Each run draws a numbered ticket in the user's cache folder and holds a lock (flock) on it. The
lowest ticket that somebody holds has the device. The kernel lets go of a lock when its process
dies, however it dies, so that nobody waits for the dead.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import json
import os
import re
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from recipe_core.kernel.errors import WorkspaceError

SECONDS_BETWEEN_LOOKS = 0.25
_in_hand: set[int] = set()
"""file descriptors of the tickets that this process holds"""


@dataclass(frozen=True)
class Ticket:
    """A place in a device's queue."""

    number: int
    run: str
    path: Path


def cache_folder() -> Path:
    """`$RECIPE_CACHE`, else the user's cache folder (XDG; ~/Library/Caches on macOS)."""
    if os.environ.get("RECIPE_CACHE"):
        return Path(os.environ["RECIPE_CACHE"])
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "recipe"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "recipe"


def physical(device: str) -> str:
    """The device in the machine that this process calls `device`; '' for the processor.

    "cuda:1" under CUDA_VISIBLE_DEVICES=2,3 is the machine's device 3. "auto" is the first GPU
    where the machine has one.
    """
    if device in ("", "cpu"):
        return ""
    if device == "auto":
        return physical(_first_gpu())
    kind, _, index = device.partition(":")
    if kind != "cuda":
        return device
    visible = [v.strip() for v in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")]
    place = int(index or 0)
    return f"cuda:{visible[place] if place < len(visible) and visible[place] else place}"


def taken(device: str, processes: int = 1) -> tuple[str, ...]:
    """Every device of the machine that a run takes, in the order in which it waits for them.

    processes  that train together, each on a GPU of its own: 0 for one on every GPU
    """
    first = physical(device)
    if processes == 1 or device not in ("auto", "cuda") or not first.startswith("cuda"):
        return (first,) if first else ()
    several = [physical(f"cuda:{i}") for i in range(_gpus())]
    # in one order for all: two runs cannot each hold what the other waits for
    return tuple(sorted(several[: processes or None])) or (first,)


def _gpus() -> int:
    """GPUs that this process sees, without asking a driver."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([v for v in visible.split(",") if v.strip()])
    return sum(re.fullmatch(r"nvidia\d+", p.name) is not None for p in Path("/dev").glob("nvidia*"))


def _first_gpu() -> str:
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    if Path("/dev/nvidia0").exists() or Path("/dev/nvidiactl").exists():
        return "" if hidden else "cuda:0"
    if sys.platform == "darwin" and os.uname().machine == "arm64":
        return "mps"
    return ""


@contextlib.contextmanager
def turn(
    device: str, run: str, waiting: Callable[[tuple[str, ...]], None], folder: Path | None = None
) -> Iterator[None]:
    """Waits for the device and holds it; `device` as `physical` names it.

    run      what the others read of the one they wait for
    waiting  told of the runs before this one, again and again; may raise to give up
    Raises WorkspaceError where the cache folder cannot be written.
    """
    place = (folder or cache_folder()) / "devices" / _file_name(f"{socket.gethostname()}-{device}")
    ticket, handle = _draw(place, run)
    try:
        while before := _before(place, ticket):
            waiting(tuple(t.run for t in before))
            time.sleep(SECONDS_BETWEEN_LOOKS)
        yield
    finally:
        with contextlib.suppress(OSError):
            ticket.path.unlink()
        if handle in _in_hand:  # not in a forked child
            _in_hand.discard(handle)
            os.close(handle)


def _draw(place: Path, run: str) -> tuple[Ticket, int]:
    with _alone(place):
        number = max((t.number for t in _tickets(place)), default=0) + 1
        path = place / f"{number:09d}.ticket"
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        os.write(handle, json.dumps({"run": run, "pid": os.getpid()}).encode())
        fcntl.flock(handle, fcntl.LOCK_EX)
        # a forked loader process must not keep the device when the worker is gone
        _let_go_in_children()
        _in_hand.add(handle)
        return Ticket(number, run, path), handle


def keep_over_exec() -> None:
    """The device stays with this process when it becomes another program."""
    for handle in _in_hand:
        os.set_inheritable(handle, True)


@functools.cache
def _let_go_in_children() -> None:
    os.register_at_fork(after_in_child=_let_go)


def _let_go() -> None:
    for handle in _in_hand:
        with contextlib.suppress(OSError):
            os.close(handle)
    _in_hand.clear()


def _before(place: Path, mine: Ticket) -> list[Ticket]:
    """Tickets before this one that somebody holds; those of the dead are taken away."""
    with _alone(place):
        earlier = [t for t in _tickets(place) if t.number < mine.number]
        return [t for t in earlier if _held(t)]


def _held(ticket: Ticket) -> bool:
    try:
        handle = os.open(ticket.path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        ticket.path.unlink(missing_ok=True)
        return False
    finally:
        os.close(handle)


def _tickets(place: Path) -> list[Ticket]:
    found = []
    for path in sorted(place.glob("*.ticket")):
        with contextlib.suppress(OSError, ValueError, KeyError):
            held = json.loads(path.read_bytes())
            found.append(Ticket(int(path.stem), str(held["run"]), path))
    return found


@contextlib.contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Drawing and looking happen one at a time: a ticket just drawn is not yet locked."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        handle = os.open(place / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as e:
        raise WorkspaceError(
            f"The queue of devices cannot be kept in {place} ({e.strerror}). Name another folder "
            "with RECIPE_CACHE."
        ) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _file_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]+", "_", text)
