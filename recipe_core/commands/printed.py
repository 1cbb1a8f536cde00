"""How does a command speak on a terminal, and with which exit code does it end?"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recipe_core.kernel.nouns import Finding
    from recipe_core.reporting.terminal import Paint

Tell = Callable[..., None]
"""(activity, done, total), and where known rate and eta_s as `line` takes them."""
FINE, GATE, BROKE = 0, 1, 3
WIDEST = 120
WIDEST_BAR = 24


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


def say(text: str) -> None:
    """Prints a line beside the output: what a terminal cannot show is escaped."""
    print(text.encode("utf-8", "backslashreplace").decode(), file=sys.stderr)


def teller() -> Tell:
    """Tells how far something is: on a terminal as one line, elsewhere each activity once."""
    said: list[str] = []

    def tell(
        activity: str, done: int, total: int, rate: float = 0.0, eta_s: float | None = None
    ) -> None:
        if sys.stderr.isatty():
            columns = os.get_terminal_size(sys.stderr.fileno()).columns or 80
            sys.stderr.write("\r\x1b[K" + line(activity, done, total, rate, eta_s, columns - 1))
            sys.stderr.flush()
        elif activity and activity not in said:
            said.append(activity)
            say(f"{activity} ({total:,}) …" if total else f"{activity} …")

    return tell


def line(
    activity: str, done: int, total: int, rate: float, eta_s: float | None, columns: int
) -> str:
    """How far something is, in at most so many columns.

    rate, eta_s  units per second and seconds left; 0 and None where they are not known
    """
    if not total:
        return activity[:columns]
    bar = min(WIDEST_BAR, columns // 4)
    filled = int(bar * min(1.0, done / total))
    after = f" {'█' * filled}{'░' * (bar - filled)} {done:,}/{total:,}"
    after += f"  {rate:,.0f}/s" if rate >= 1 else ""
    after += f"  {duration(eta_s)} left" if eta_s is not None else ""
    return (activity[: max(12, columns - len(after))] + after)[:columns]


def clear() -> None:
    """Takes the line of progress away."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def duration(seconds: float) -> str:
    """`1:02:03` or `2:03`."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
