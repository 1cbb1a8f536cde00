"""What goes into a pull request or a wiki? The report as GitHub-flavoured Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from recipe_core.kernel.check import Check
from recipe_core.kernel.errors import MissingInput
from recipe_core.kernel.evidence import Evidence
from recipe_core.kernel.nouns import Finding
from recipe_core.kernel.report import Report
from recipe_core.reporting import facts
from recipe_core.reporting.pictures import worst
from recipe_core.reporting.verdicts import SIGNS, WORDS, tally, worst_first
from recipe_core.reporting.wording import in_markdown as md
from recipe_core.reporting.wording import number

NAMES_A_CHECK = 12
ROWS_A_TABLE = 40


def markdown_report(report: Report, evidence: Evidence, checks: Sequence[Check] = ()) -> str:
    """The report as Markdown: tables and names, no pictures; ends with a line break.

    evidence  what the findings' rows refer to
    checks    for questions and reasons; a finding without its check shows its id
    """
    known, ordered = facts.by_id(checks), worst_first(report.findings)
    blocks = [
        f"# {md(report.dataset.get('name', 'data set'))}: data report",
        md(facts.paragraph(report.dataset)),
        ", ".join(f"{n} {WORDS[v].lower()}" for v, n in tally(ordered)) or "No check was run.",
        _table(("Verdict", "Check", "What was seen", "Samples"), map(_overview_row, ordered)),
    ]
    for f in ordered:
        if f.verdict != "skipped":
            blocks += _section(f, known.get(f.check), evidence)
    return "\n\n".join(filter(None, [*blocks, *_made_from(report)])) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of texts that are already escaped; '' without rows."""
    body = ["| " + " | ".join(cells) + " |" for cells in rows]
    line = "| " + " | ".join("---" for _ in head) + " |"
    return "\n".join(["| " + " | ".join(head) + " |", line, *body]) if body else ""


def _overview_row(f: Finding) -> tuple[str, ...]:
    subjects = f"{len(f.subjects):,}" if len(f.subjects) else ""
    return f"{SIGNS[f.verdict]} {WORDS[f.verdict]}", md(f.check), md(f.summary), subjects


def _section(f: Finding, check: Check | None, evidence: Evidence) -> list[str]:
    return [
        f"## {WORDS[f.verdict]}: {md(check.question if check else f.check)}",
        md(f.summary),
        md(facts.against(f)),
        md(facts.explained(f)),
        f"**Next:** {md(f.next_step)}" if f.next_step else "",
        _names(f, evidence),
        *_tables(f),
        *(f"*Picture in the HTML report: {md(p.title)}*" for p in f.pictures),
        _table(("Number", "Value"), ((md(a), md(b)) for a, b in facts.number_rows(f.numbers))),
        _table(("Threshold", "Used", "Default", "Reason"), _thresholds(f, check)),
    ]


def _tables(f: Finding) -> list[str]:
    """The finding's own tables, each below its title, cut to ROWS_A_TABLE."""
    found = []
    for t in f.tables:
        rows = [[md(number(cell)) for cell in row] for row in t.rows[:ROWS_A_TABLE]]
        rest = len(t.rows) - len(rows)
        found += [f"**{md(t.title)}**", _table([md(c) for c in t.columns], rows)]
        found += [f"And {rest:,} more rows in the JSON report."] if rest else []
    return found


def _thresholds(f: Finding, check: Check | None) -> list[tuple[str, ...]]:
    rows = facts.thresholds(f, check)
    return [(md(t.name), md(t.used), md(t.default), md(t.why)) for t in rows]


def _names(f: Finding, evidence: Evidence) -> str:
    """The worst subjects as a list, groups together."""
    groups = worst(f.subjects, NAMES_A_CHECK)
    places = [p for g in groups for p in g.places]
    lines = [f"- {md(_path(evidence, int(f.subjects.rows[p])))}{_detail(f, p)}" for p in places]
    rest = len(f.subjects) - len(places)
    more = [f"- and {rest:,} more: `{facts.listing_command(f.check)}`"] if rest else []
    return "\n".join(lines + more)


def _detail(f: Finding, place: int) -> str:
    detail = f.subjects.details[place] if place < len(f.subjects.details) else ""
    return f": {md(detail)}" if detail else ""


def _path(evidence: Evidence, row: int) -> str:
    try:
        return str(evidence.column("path")[row].as_py())
    except MissingInput:
        return f"row {row}"


def _made_from(report: Report) -> list[str]:
    rows = [("Created", report.created), ("Fingerprint", report.dataset.get("fingerprint", "–"))]
    rows += [*facts.further(report.dataset), *report.versions.items()]
    return ["## Made from", _table(("What", "Value"), ((md(a), md(b)) for a, b in rows))]
