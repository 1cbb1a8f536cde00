"""What do the executor tests run? Top-level functions that a worker process can import."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


Beat = Callable[[int], None]
WARM: list[bool] = []


def warm_up() -> None:
    """For workers started ahead."""
    WARM.append(True)


def times_warm(items: Sequence[object], beat: Beat) -> int:
    """How often this process was made warm."""
    beat(0)
    return len(WARM)


def squares(items: Sequence[int], beat: Beat) -> list[int]:
    return [_step(i, x, beat) for i, x in enumerate(items)]


def _step(i: int, x: int, beat: Beat) -> int:
    beat(i)
    return x * x


def troubled(items: Sequence[str], beat: Beat) -> list[object]:
    """Does to its process what each item's first word says; "fine 7" comes back."""
    for i, item in enumerate(items):
        beat(i)
        TROUBLES[item.split()[0]]()
    # no pickle takes a function without a name to find it by
    return [(lambda: 1) if item.startswith("secret") else item for item in items]


def _segfault() -> None:
    ctypes.string_at(0)


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def _leave() -> None:
    os._exit(3)


def _hang() -> None:
    time.sleep(1e6)


def _raise() -> None:
    raise ValueError("no\nway")


def _sys_exit() -> None:
    raise SystemExit(5)


TROUBLES: dict[str, Callable[[], None]] = {
    "fine": lambda: None,
    "segfault": _segfault,
    "kill": _kill,
    "leave": _leave,
    "hang": _hang,
    "raise": _raise,
    "exit": _sys_exit,
    "secret": lambda: None,
}
OUTCOME = {
    "fine": "",
    "segfault": "crashed",
    "kill": "crashed",
    "leave": "crashed",
    "hang": "timeout",
    "raise": "raised",
    "exit": "raised",
    "secret": "raised",
}


def silent_hang(items: Sequence[str], beat: Beat) -> list[object]:
    """Like `troubled`, but never says where it is."""
    return troubled(items, lambda index: None)


def killed_once(items: Sequence[str], beat: Beat) -> int:
    """Each item is a path: the first to look at one dies, as by an unlucky OOM killer."""
    for i, item in enumerate(items):
        beat(i)
        if not Path(item).exists():
            Path(item).touch()
            _kill()
    return len(items)


def bulky(items: Sequence[bytes], beat: Beat) -> tuple[pa.Table, list[bytes]]:
    import pyarrow as pa  # most tests start workers that do without it

    beat(0)
    return pa.table({"length": [len(x) for x in items]}), [x[::-1] for x in items]


def environment(items: Sequence[str], beat: Beat) -> list[str]:
    return [os.environ[name] for name in items]


def importable(items: Sequence[str], beat: Beat) -> bool:
    """Whether the one module named can be imported."""
    beat(0)
    with contextlib.suppress(ModuleNotFoundError):
        importlib.import_module(items[0])
        return True
    return False


def late(part: tuple[int, float]) -> int:
    """The first number, after that many seconds."""
    time.sleep(part[1])
    return part[0]


def leave(folder: str) -> str:
    """Leaves a file there."""
    Path(folder, str(os.getpid())).touch()
    return folder


def in_trouble(trouble: str) -> str:
    """What `troubled` does, for one part of a measure."""
    TROUBLES[trouble]()
    return trouble


def chatter(items: Sequence[int], beat: Beat) -> int:
    for i, _ in enumerate(items):
        beat(i)
        print("out loud")
        os.write(2, b"from a C library\n")
    return len(items)


def last_words(items: Sequence[int], beat: Beat) -> int:
    beat(0)
    os.write(2, b"libfoo: heap is on fire\n")
    os.abort()


def sign_and_sleep(items: Sequence[str], beat: Beat) -> int:
    """Each item is a folder: leaves its process id there and stays."""
    beat(0)
    Path(items[0], str(os.getpid())).touch()
    time.sleep(1e6)
    return 0


def sign(items: Sequence[str], beat: Beat) -> int:
    """Each item is a folder: leaves its process id there."""
    beat(0)
    Path(items[0], str(os.getpid())).touch()
    return os.getpid()
