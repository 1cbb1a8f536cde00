"""How is a verdict, a name or a number written on a page?

Whatever comes from a data set passes `escaped`: only this module and the pages' own literals
make markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import streamlit as st

from recipe_core.kernel.nouns import Finding
from recipe_core.kernel.params import Value
from recipe_core.kernel.report import Report
from recipe_core.reporting.verdicts import SIGNS, WORDS, tally
from recipe_core.reporting.wording import counted, escaped, number, shortened


def html(body: str) -> None:
    """Draw markup that was made here; every name in it must have passed `escaped`."""
    st.html(f'<div class="r">{body}</div>')


def title(text: str) -> None:
    """A page's title, as text."""
    html(f'<h1 class="r-title">{escaped(text)}</h1>')


def section(text: str, under: str = "") -> None:
    """A section's heading and a faint line under it."""
    line = f'<div class="r-faint">{escaped(under)}</div>' if under else ""
    html(f'<h2 class="r-section" style="padding:0">{escaped(text)}</h2>{line}')


def problem(text: object) -> None:
    """What went wrong, in the words of the error."""
    st.html(f'<div class="r r-problem" role="alert">{escaped(text)}</div>')


def badge(verdict: str, n: int | None = None) -> str:
    """Sign, word and colour of a verdict, always the three together."""
    count = f"{n} × " if n is not None else ""
    return (
        f'<span class="r-verdict r-{escaped(verdict)}"><span class="r-sign" aria-hidden="true">'
        f"{SIGNS[verdict]}</span>{count}{WORDS[verdict]}</span>"
    )


def note(text: object) -> None:
    """Something worth a line that is no error."""
    html(f'<div class="r-changed">{escaped(text)}</div>')


def spoken(check_id: str) -> str:
    """near_duplicates -> Near duplicates."""
    return check_id.replace("_", " ").capitalize()


def headline(finding: Finding, question: str) -> str:
    """Badge, question, what was seen, what to do next."""
    after = (
        f'<p class="r-next"><b>Next:</b> {coded(finding.next_step)}</p>'
        if finding.next_step
        else ""
    )
    return (
        f'<div class="r-row">{badge(finding.verdict)}'
        f'<span class="r-check">{escaped(spoken(finding.check))}</span></div>'
        f'<h3 class="r-question" style="padding:0">{escaped(question)}</h3>'
        f'<p class="r-saw">{coded(finding.summary)}</p>{after}'
    )


def coded(text: str) -> str:
    """A sentence with its `names of code` set in another type."""
    return re.sub(r"`([^`\s][^`]*)`", r'<span class="r-mono">\1</span>', escaped(text))


def tallied(findings: Iterable[Finding]) -> str:
    """How many findings of each verdict, worst first."""
    badges = "".join(badge(verdict, n) for verdict, n in tally(findings))
    return f'<div class="r-tally">{badges}</div>'


def paragraph(report: Report) -> str:
    """The data set in one paragraph: how much of what, from where, seen when."""
    given = report.dataset
    size = counted(int(given.get("n_samples", 0)), "picture")
    classes = int(given.get("n_classes") or 0)
    labels = f" in {counted(classes, 'class', 'classes')}" if classes else " without labels"
    source = escaped(shortened(given.get("source", ""), 120))
    return (
        f'<p class="r-lead">{size}{labels}{_splits(given.get("splits") or {})}. '
        f'<span class="r-faint">Read from <span class="r-mono">{source}</span>, judged on '
        f"{escaped(moment(report.created))}.</span></p>"
    )


def _splits(splits: Mapping[str, int]) -> str:
    if not splits:
        return ", not split"
    shown = ", ".join(f"{escaped(shortened(s, 40))} {n:,}" for s, n in list(splits.items())[:6])
    more = f" and {len(splits) - 6} more" if len(splits) > 6 else ""
    return f", {counted(len(splits), 'split')}: {shown}{more}"


def moment(iso: str) -> str:
    """22 November 2026, 21:10; the text itself where it is no time."""
    try:
        when = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    return f"{when.astimezone():%d %B %Y, %H:%M}".lstrip("0")


def duration(seconds: float) -> str:
    """45 s; 3 min 20 s; 2 h 5 min."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def table(values: Mapping[str, Any]) -> str:
    """Names and values in two columns; lists and tables of numbers in short."""
    rows = "".join(
        f"<tr><td>{escaped(shortened(spoken(str(k)), 60))}</td><td>{escaped(_value(v))}</td></tr>"
        for k, v in values.items()
    )
    return f'<table class="r-numbers"><tbody>{rows}</tbody></table>'


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        text = ", ".join(f"{k}: {_value(v)}" for k, v in list(value.items())[:12])
        return text + (f" … {len(value)} in all" if len(value) > 12 else "")
    if isinstance(value, (list, tuple)):
        text = ", ".join(_value(v) for v in value[:8])
        return text + (f" … {len(value)} in all" if len(value) > 8 else "")
    return shortened(number(value), 200)


def settings(values: Mapping[str, Value]) -> str:
    """radius 8, method dhash."""
    return ", ".join(f"{k.replace('_', ' ')} {number(v)}" for k, v in values.items())
