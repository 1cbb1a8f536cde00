"""How does a test start the app as a user would, and be sure that it is gone afterwards?"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

PATIENCE_S = 300.0
"""How long a start may take: an installation is part of `make app`."""


def clean_environment(**changes: str) -> dict[str, str]:
    """The environment without anything that points at this checkout or at a screen."""
    foreign = (
        "PYTHONPATH",
        "VIRTUAL_ENV",
        "DISPLAY",
        "WAYLAND_DISPLAY",
        "MAKEFLAGS",
        "MAKELEVEL",
        "DATA",
        "PORT",
        "WORKSPACE",
    )
    prefixes = ("RECIPE_", "STREAMLIT_", "PYTEST_")
    kept = {k: v for k, v in os.environ.items() if k not in foreign and not k.startswith(prefixes)}
    return {**kept, "BROWSER": "true", **changes}


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@contextlib.contextmanager
def served(command: Sequence[str], folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """The address that the command prints, once it answers; the process group ends with the block.

    Raises AssertionError with the output where the command ends or stays silent.
    """
    log = folder / "served.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=out, stderr=out,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    try:
        yield _answering(process, log)
    finally:
        _end(process)


def _answering(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        said = log.read_text(encoding="utf-8", errors="replace")
        assert process.poll() is None, f"it ended with {process.returncode}:\n{said}"
        address = re.search(r"http://127\.0\.0\.1:\d+", said)
        if address and status_of(address.group()) == 200:
            return address.group()
        time.sleep(0.2)
    raise AssertionError(f"no page within {PATIENCE_S:.0f} s:\n{said}")


def status_of(url: str) -> int:
    """The HTTP status that a GET is answered with; 0 where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as e:
        return e.code
    except OSError:
        return 0


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)


@contextlib.contextmanager
def scan_ended(workspace: Path) -> Iterator[None]:
    """A scan that the app started outlives it: at the end of the block, stop what still runs."""
    try:
        yield
    finally:
        for launch in workspace.rglob("launch.json"):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(json.loads(launch.read_text(encoding="utf-8"))["pid"], signal.SIGKILL)
