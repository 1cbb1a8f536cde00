"""How does a command speak on a terminal, and with which exit code does it end?"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recipe_core.kernel.nouns import Finding
    from recipe_core.reporting.terminal import Paint

FINE, GATE, BROKE = 0, 1, 3
WIDEST = 120
FILLED = 24


def exit_code(verdicts: Iterable[str], fail_on: str | None = None) -> int:
    """3 where a check broke, 1 where the gate of --fail-on fails, else 0."""
    found = set(verdicts)
    if "error" in found:
        return BROKE
    bad = {"warn": {"warn", "fail"}, "fail": {"fail"}}.get(fail_on or "", set())
    return GATE if found & bad else FINE


def width() -> int:
    """Columns to print in."""
    return min(shutil.get_terminal_size((100, 24)).columns, WIDEST)


def paint() -> Paint:
    """Colours on a terminal that wants them, else none."""
    from recipe_core.reporting.terminal import ANSI, PLAIN

    return ANSI if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else PLAIN


def finding(found: Finding) -> None:
    """Prints a finding in full, in place of the line of progress."""
    from recipe_core.reporting.terminal import finding_block

    clear()
    print(finding_block(found, width(), paint()), flush=True)


def line(activity: str, done: int, total: int, after: str = "") -> None:
    """Draws how far something is as one line of a terminal; elsewhere nothing."""
    if not sys.stderr.isatty():
        return
    filled = int(FILLED * min(1.0, done / total)) if total else 0
    bar = "█" * filled + "░" * (FILLED - filled)
    room = max(20, shutil.get_terminal_size((100, 24)).columns - FILLED - 2 - len(after))
    sys.stderr.write(f"\r\x1b[K{bar} {activity[:room]}{after}")
    sys.stderr.flush()


def clear() -> None:
    """Takes the line of progress away."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
