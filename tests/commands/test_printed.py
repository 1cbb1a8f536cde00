"""Is it told how far a command is, on a terminal of any width and elsewhere?"""

from __future__ import annotations

import os
import pty
import re
import struct
import subprocess
import sys
import termios
from fcntl import ioctl
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from recipe_core.commands.printed import duration, line, teller


@given(st.text(st.characters(codec="ascii", categories=["L", "N"]), max_size=90),
       st.integers(0, 10**7), st.integers(0, 10**7), st.floats(0, 1e6),
       st.none() | st.floats(0, 1e6), st.integers(20, 200))  # fmt: skip
def test_a_line_fits_its_terminal(
    activity: str, done: int, total: int, rate: float, eta_s: float | None, columns: int
) -> None:
    said = line(activity, done, total, rate, eta_s, columns)
    assert len(said) <= columns
    assert said.startswith(activity[:12])


def test_a_line_tells_count_rate_and_time_left() -> None:
    said = line("reading images", 1_000, 4_000, 1_512.3, 75.0, 100)
    assert re.fullmatch(r"reading images █{6}░{18} 1,000/4,000  1,512/s  1:15 left", said)
    assert line("listing files", 0, 0, 0.0, None, 100) == "listing files"
    assert line("training", 1, 2, 0.2, None, 100).endswith(" 1/2")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (75.4, "1:15"), (3723, "1:02:03"), (-3, "0:00")]
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_elsewhere_each_activity_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    tell = teller()
    for done in range(3):
        tell("listing files", 0, 0)
        tell("reading images", done, 3, 10.0, 0.1)
    assert capsys.readouterr().err == "listing files …\nreading images (3) …\n"


def test_a_scan_draws_one_line_and_takes_it_away(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for i in range(6):
        Image.effect_noise((60, 40), 40 + i).save(photos / f"{i}.png")
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 50, 0, 0))
    command = [sys.executable, "-m", "recipe_core.cli", "scan", photos, "-w", tmp_path / "w"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs) as scan:
        os.close(theirs)
        drawn = b""
        try:
            while some := os.read(ours, 1 << 16):
                drawn += some
        except OSError:  # the last end of the terminal was closed
            pass
    os.close(ours)
    assert scan.returncode == 0
    lines = drawn.decode().split("\r\x1b[K")
    assert any(re.match(r"reading images █+░* \d/6", said) for said in lines)
    assert max(map(len, lines)) < 50 and "\n" not in drawn.decode()
    assert lines[-1] == ""
