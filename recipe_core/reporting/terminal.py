"""What does a person read at the prompt? One block per check, worst first, wrapped to the width."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from recipe_core.kernel.nouns import Finding
from recipe_core.kernel.report import Report
from recipe_core.reporting import facts
from recipe_core.reporting.verdicts import SIGNS, WORDS, tally, worst_first
from recipe_core.reporting.wording import visible

Paint = Mapping[str, str]
"""verdict -> the escape sequence that begins its colour; also `end`"""

PLAIN: Paint = MappingProxyType({})
ANSI: Paint = MappingProxyType({
    "fail": "\x1b[1;31m", "warn": "\x1b[1;33m", "error": "\x1b[1;35m", "pass": "\x1b[32m",
    "skipped": "\x1b[2m", "end": "\x1b[0m",
})  # fmt: skip
NAME_WIDTH = 23


def terminal_report(report: Report, width: int = 80, paint: Paint = PLAIN) -> str:
    """The report as lines of at most `width` columns (40 at least), ending with a line break.

    paint   PLAIN, or ANSI where the caller knows that the stream is a colour terminal
    """
    width = max(width, 40)
    head = f"{report.dataset.get('name', 'data set')}: {facts.paragraph(report.dataset)}"
    blocks = [finding_block(f, width, paint) for f in worst_first(report.findings)]
    return (
        "\n".join([_wrapped(head, width, ""), "", *blocks, "", tally_line(report.findings, paint)])
        + "\n"
    )


def finding_block(f: Finding, width: int = 80, paint: Paint = PLAIN) -> str:
    """Sign and id in a column of their own, the sentence beside them (below, if it is narrow)."""
    name = f"{SIGNS[f.verdict]} {f.check}"
    narrow = width < NAME_WIDTH + 40
    indent = "    " if narrow else " " * (NAME_WIDTH + 1)
    body = _wrapped(f.summary, width, indent)
    for line in filter(None, (facts.against(f), facts.explained(f))):
        body += "\n" + _wrapped(line, width, indent)
    if f.next_step and f.verdict not in ("pass", "skipped"):
        body += "\n" + _wrapped(f"→ {f.next_step}", width, indent)
    lead = _painted(visible(name), f.verdict, paint)
    if narrow or len(name) > NAME_WIDTH:
        return f"{lead}\n{body}"
    return lead + " " * (NAME_WIDTH - len(name)) + body[NAME_WIDTH:]


def _wrapped(text: str, width: int, indent: str) -> str:
    whole = visible(text).replace(" %", "\0%")  # no line begins with a per cent sign
    return textwrap.fill(
        whole, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    ).replace("\0%", " %")


def _painted(text: str, verdict: str, paint: Paint) -> str:
    return f"{paint.get(verdict, '')}{text}{paint.get('end', '')}"


def tally_line(findings: Iterable[Finding], paint: Paint = PLAIN) -> str:
    """How many findings have each verdict: "2 fail, 1 warning, 18 pass"."""
    counts = (_painted(f"{n} {WORDS[v].lower()}", v, paint) for v, n in tally(findings))
    return ", ".join(counts) or "No check was run."
