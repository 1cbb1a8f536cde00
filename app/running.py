"""How is a run shown: its status, how far it is, what it uses, what one would type for it?"""

from __future__ import annotations

import math
import shlex
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from app import words
from recipe_core.kernel.nouns import VERDICTS
from recipe_core.reporting.wording import escaped, number, shortened
from recipe_core.runs.watching import Run

LOOKS: Mapping[str, tuple[str, str, str]] = {
    "queued": ("skipped", "…", "Queued"),
    "running": ("running", "▸", "Running"),
    "done": ("pass", "✓", "Done"),
    "failed": ("fail", "✕", "Failed"),
    "oom": ("fail", "✕", "Out of memory"),
    "stopped": ("skipped", "■", "Stopped"),
    "lost": ("warn", "!", "Lost"),
}
"""status -> colour, sign and word"""
HIGHER, LOWER = ("accuracy", "f1", "auroc", "average_precision"), ("loss", "error")
"""What a ledger shows first of a run's results."""


class Progressing(Protocol):
    """How far something is."""

    @property
    def activity(self) -> str: ...
    @property
    def done(self) -> int: ...
    @property
    def total(self) -> int: ...
    @property
    def rate(self) -> float: ...
    @property
    def eta_s(self) -> float | None: ...


def bar(doing: Progressing) -> str:
    """Activity, share, rate and time left."""
    share = min(1.0, doing.done / doing.total) if doing.total else 0.0
    facts = [f"{number(doing.done)} of {number(doing.total)}"] if doing.total else []
    if doing.rate:
        pace = f"{doing.rate:.2g}" if doing.rate < 10 else number(round(doing.rate))
        facts.append(f"{pace} a second")
    if doing.eta_s is not None:
        facts.append(f"{words.duration(doing.eta_s)} left")
    name = escaped((doing.activity[:1].upper() + doing.activity[1:]) or "Starting")
    return (
        f'<div class="r-row" style="justify-content:space-between">'
        f'<b>{name}</b><span class="r-faint">{escaped(" · ".join(facts))}</span></div>'
        f'<div class="r-bar" role="progressbar" aria-label="{name}" aria-valuemin="0" '
        f'aria-valuemax="100" aria-valuenow="{100 * share:.0f}">'
        f'<i style="width:{share:.1%}"></i></div>'
    )


def badge(status: str) -> str:
    """Sign, word and colour of a status, always the three together."""
    colour, sign, word = LOOKS.get(status, LOOKS["lost"])
    return (
        f'<span class="r-verdict r-{colour}"><span class="r-sign" aria-hidden="true">{sign}</span>'
        f"{word}</span>"
    )


def word(status: str) -> str:
    """Sign and word, for a cell of a table."""
    _, sign, name = LOOKS.get(status, LOOKS["lost"])
    return f"{sign} {name}"


def headline(run: Run) -> str:
    """Badge, what it is, where and since when."""
    facts = [run.kind, run.device or "cpu"]
    if run.started:
        facts.append(f"started {when(run.started)}")
    length = took(run)
    if length is not None:
        facts.append(words.duration(length))
    if run.attempt > 1:
        facts.append(f"attempt {run.attempt}")
    return (
        f'<div class="r-row">{badge(run.status)}'
        f'<span class="r-faint">{escaped(" · ".join(facts))} · '
        f'<span class="r-mono">{escaped(run.id)}</span></span></div>'
    )


def when(seconds: float) -> str:
    """21:10 of today; 22 November, 21:10 of another day."""
    moment = datetime.fromtimestamp(seconds)
    today = datetime.now().date() == moment.date()
    return f"{moment:%H:%M}" if today else f"{moment:%d %B, %H:%M}".lstrip("0")


def took(run: Run) -> float | None:
    """Seconds of the attempt so far, or in all; None before it began."""
    if not run.started:
        return None
    return (run.ended if run.ended and not run.live else time.time()) - run.started


def best(result: Mapping[str, Any]) -> tuple[str, float] | None:
    """The figure that stands for a run: its best accuracy, else its lowest loss; None without."""
    at_best = result.get("best")
    values = {**result, **(at_best if isinstance(at_best, Mapping) else {})}
    for name in (*HIGHER, *LOWER):
        value = values.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return name, float(value)
    return None


def best_said(result: Mapping[str, Any]) -> str:
    """accuracy 91.4%; loss 0.213; 2 fail, 14 pass of an examination; – where there is none."""
    checks = result.get("checks")
    if isinstance(checks, list):
        verdicts = [c.get("verdict") for c in checks if isinstance(c, Mapping)]
        counts = {v: verdicts.count(v) for v in VERDICTS}
        return ", ".join(f"{n} {v}" for v, n in counts.items() if n and v != "skipped") or "–"
    found = best(result)
    if found is None:
        return "–"
    name, value = found
    return f"{name} {value:.1%}" if name in HIGHER else f"{name} {value:.4g}"


def tile(title: str, value: str, under: str = "") -> str:
    """A figure with its name."""
    below = f"<i>{escaped(under)}</i>" if under else ""
    return f'<div class="r-tile"><span>{escaped(title)}</span><b>{escaped(value)}</b>{below}</div>'


def uses(run: Run) -> list[tuple[str, str, str]]:
    """(title, value, remark) of what the run uses: its GPU where there is one, else memory and
    processor."""
    seen, found = run.resources, []
    if "gpu_memory_mb" in seen:
        whole = seen.get("gpu_memory_total_mb")
        found.append(("GPU memory", _gib(seen["gpu_memory_mb"]),
                      f"of {_gib(whole)}" if whole else ""))  # fmt: skip
    if "gpu_percent" in seen:
        found.append(("GPU utilisation", f"{seen['gpu_percent']:.0f} %", ""))
    if not found and "cpu_percent" in seen:
        found.append(("Processor", f"{seen['cpu_percent'] / 100:.1f} cores", ""))
    if "memory_mb" in seen:
        whole = seen.get("machine_mb")
        found.append(("Memory", _gib(seen["memory_mb"]), f"of {_gib(whole)}" if whole else ""))
    return found


def _gib(megabytes: float) -> str:
    return f"{megabytes / 1024:.1f} GiB" if megabytes >= 1024 else f"{megabytes:.0f} MiB"


def with_setting(command: str, field: str, value: object) -> str:
    """The command with `--set FIELD=VALUE`, in place of an earlier one."""
    try:
        given = shlex.split(command)
    except ValueError:
        return command
    kept: list[str] = []
    i = 0
    while i < len(given):
        pair = given[i : i + 2]
        if len(pair) == 2 and pair[0] == "--set" and pair[1].startswith(f"{field}="):
            i += 2
            continue
        kept.append(given[i])
        i += 1
    return shlex.join([*kept, "--set", f"{field}={value}"])


def title(run: Run, most: int = 80) -> str:
    """A run's title, as text."""
    return shortened(run.title or run.kind, most)
