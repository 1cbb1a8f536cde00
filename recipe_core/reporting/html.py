"""What is handed on? One HTML file with verdicts, charts and pictures, that needs nothing else.

No script, no font, no address: a Content-Security-Policy in the file forbids the browser to load
anything, so that a file name made of markup could do nothing even if it were not escaped.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from importlib.resources import files as resources

from recipe_core.kernel.check import Check
from recipe_core.kernel.errors import MissingInput
from recipe_core.kernel.evidence import Evidence, Files
from recipe_core.kernel.nouns import Finding, Note, Picture, Table
from recipe_core.kernel.report import Report
from recipe_core.reporting import facts
from recipe_core.reporting.palette import DARK, LIGHT, Palette
from recipe_core.reporting.pictures import Group, worst
from recipe_core.reporting.svg import svg_figure
from recipe_core.reporting.verdicts import SIGNS, WORDS, tally, worst_first
from recipe_core.reporting.wording import counted, escaped, number, shortened

PICTURES_A_CHECK = 24
ROWS_A_TABLE = 60
PICTURE_BUDGET = 2_200_000
"""Characters of embedded pictures in the whole file: it must go through a mail gate (< 3 MB)."""

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'"


def html_report(
    report: Report, evidence: Evidence, files: Files, checks: Sequence[Check] = ()
) -> str:
    """The report as one self-contained HTML document.

    evidence, files  what the findings' rows refer to: names, and thumbnails as JPEG
    checks           for questions, reasons and defaults; a finding without its check shows its id
    """
    known, ordered = facts.by_id(checks), worst_first(report.findings)
    told = [f for f in ordered if f.verdict != "skipped"]
    budget = PICTURE_BUDGET // max(sum(len(f.subjects) > 0 for f in told), 1)
    album = Album(evidence, files, budget)
    sections = "".join(_section(f, known.get(f.check), album) for f in told)
    skipped = _skipped([f for f in ordered if f.verdict == "skipped"], known)
    title = escaped(report.dataset.get("name", "data set"))
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="referrer" content="no-referrer">'
        f"<title>{title}: data report</title><style>{_style()}</style></head><body>"
        f"{_header(report, title)}<main>{_overview(ordered, known)}"
        f"{_notes(evidence.dataset.notes)}{sections}{skipped}</main>{_footer(report)}</body></html>\n"
    )


def _style() -> str:
    css = (resources("recipe_core.reporting") / "report.css").read_text(encoding="utf-8")
    return css.replace("LIGHT_VARIABLES", _variables(LIGHT)).replace(
        "DARK_VARIABLES", _variables(DARK)
    )


def _variables(p: Palette) -> str:
    plain = {n: getattr(p, n) for n in ("ground", "panel", "ink", "faint", "rule", "limit")}
    series = {f"c{i}": colour for i, colour in enumerate(p.series)}
    return " ".join(f"--{n}: {colour};" for n, colour in (plain | series | dict(p.verdict)).items())


def _badge(verdict: str, text: str = "") -> str:
    sign = f'<i aria-hidden="true">{SIGNS[verdict]}</i>'
    return f'<span class="verdict {verdict}">{sign}{text or WORDS[verdict]}</span>'


def _header(report: Report, title: str) -> str:
    counts = "".join(
        f"<li>{_badge(v, f'{n} {WORDS[v].lower()}')}</li>" for v, n in tally(report.findings)
    )
    day = report.created[:16].replace("T", " ")
    return (
        f'<header><p class="eyebrow">Data report, {escaped(day)}</p><h1>{title}</h1>'
        f'<p class="summary">{escaped(facts.paragraph(report.dataset))}</p>'
        f'<ul class="tally" aria-label="Verdicts">{counts}</ul></header>'
    )


def _overview(findings: Sequence[Finding], known: dict[str, Check]) -> str:
    rows = "".join(_overview_row(f) for f in findings)
    head = "<th>Verdict</th><th>Check</th><th>What was seen</th><th class='n'>Samples</th>"
    return (
        f'<table class="overview"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
        if findings
        else "<p>No check was run.</p>"
    )


def _overview_row(f: Finding) -> str:
    name = escaped(f.check)
    subjects = f"{len(f.subjects):,}" if len(f.subjects) else ""
    return (
        f'<tr><td>{_badge(f.verdict)}</td><td class="name"><a href="#{name}">{_spoken(f)}</a></td>'
        f'<td class="seen">{escaped(f.summary)}</td><td class="n">{subjects}</td></tr>'
    )


def _spoken(f: Finding) -> str:
    return escaped(f.check.replace("_", " ").capitalize())


def _notes(notes: Sequence[Note]) -> str:
    if not notes:
        return ""
    items = "".join(f"<li>{escaped(n.text)}</li>" for n in notes)
    heading = f"While reading: {counted(len(notes), 'remark')}"
    return f"<details><summary>{heading}</summary><ul>{items}</ul></details>"


def _section(f: Finding, check: Check | None, album: Album) -> str:
    step = f'<p class="next"><b>Next:</b> {escaped(f.next_step)}</p>' if f.next_step else ""
    charts = "".join(svg_figure(c) for c in f.charts)
    lines = "".join(
        f"<p>{escaped(text)}</p>" for text in (facts.against(f), facts.explained(f)) if text
    )
    return (
        f'<section class="check {f.verdict}" id="{escaped(f.check)}">{_badge(f.verdict)}'
        f"<h2>{escaped(check.question) if check else _spoken(f)}</h2>"
        f'<p class="summary">{escaped(f.summary)}</p>{lines}{step}'
        + (f'<div class="charts">{charts}</div>' if charts else "")
        + f"{_shown(f)}{_tables(f)}{album.page(f)}{_numbers(f)}{_thresholds(f, check)}"
        f"{_why(check)}</section>"
    )


def _shown(f: Finding) -> str:
    """The finding's own pictures, as PNG."""
    shots = "".join(
        f'<figure class="shown">'
        f'<img src="data:image/png;base64,{_png(p)}" alt="{escaped(p.title)}">'
        f"<figcaption><b>{escaped(p.title)}</b> {escaped(p.caption)}</figcaption></figure>"
        for p in f.pictures
    )
    return f'<div class="strip">{shots}</div>' if shots else ""


def _png(picture: Picture) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture.pixels).save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _tables(f: Finding) -> str:
    return "".join(_table(t) for t in f.tables)


def _table(t: Table) -> str:
    """A table of the finding, cut to ROWS_A_TABLE."""
    head = "".join(f"<th>{escaped(c)}</th>" for c in t.columns)
    rows = "".join(
        f"<tr>{''.join(f'<td>{escaped(number(cell))}</td>' for cell in row)}</tr>"
        for row in t.rows[:ROWS_A_TABLE]
    )
    rest = len(t.rows) - ROWS_A_TABLE
    more = f'<p class="more">And {rest:,} more rows in the JSON report.</p>' if rest > 0 else ""
    return (
        f'<h3>{escaped(t.title)}</h3><div class="wide"><table><thead><tr>{head}</tr></thead>{rows}'
        f"</table></div>{more}"
    )


def _numbers(f: Finding) -> str:
    rows = "".join(
        f"<tr><td>{escaped(name)}</td><td>{escaped(value)}</td></tr>"
        for name, value in facts.number_rows(f.numbers)
    )
    head = "<thead><tr><th>Number</th><th>Value</th></tr></thead>"
    return (
        _folded("Numbers", f'<div class="wide"><table>{head}{rows}</table></div>') if rows else ""
    )


def _thresholds(f: Finding, check: Check | None) -> str:
    rows = facts.thresholds(f, check)
    body = "".join(_threshold_row(t) for t in rows)
    head = "<th>Threshold</th><th>Used</th><th>Default</th><th>Range</th><th>Reason</th>"
    table = f'<div class="wide"><table><thead><tr>{head}</tr></thead>{body}</table></div>'
    changed = sum(t.changed for t in rows)
    title = "Thresholds" + (f", {changed} changed from the default" if changed else "")
    return _folded(title, table) if rows else ""


def _threshold_row(t: facts.Threshold) -> str:
    used = f"<td{' class=changed' if t.changed else ''}>{escaped(t.used)}</td>"
    rest = "".join(f"<td>{escaped(text)}</td>" for text in (t.default, t.range, t.why))
    return f"<tr><td>{escaped(t.name)}</td>{used}{rest}</tr>"


def _why(check: Check | None) -> str:
    return _folded("Why this is asked", f"<p>{escaped(_joined(check.why))}</p>") if check else ""


def _joined(text: str) -> str:
    """A text that was wrapped in source code, on one line."""
    return " ".join(text.split())


def _folded(title: str, body: str) -> str:
    return f"<details><summary>{escaped(title)}</summary>{body}</details>"


def _skipped(findings: Sequence[Finding], known: dict[str, Check]) -> str:
    if not findings:
        return ""
    rows = "".join(
        f'<tr id="{escaped(f.check)}"><td class="name">{_spoken(f)}</td>'
        f"<td>{escaped(f.summary)}</td></tr>"
        for f in findings
    )
    return (
        f'<section class="check skipped">{_badge("skipped")}<h2>Not judged</h2>'
        f"<table><thead><tr><th>Check</th><th>Reason</th></tr></thead>{rows}</table></section>"
    )


def _footer(report: Report) -> str:
    rows = [("Fingerprint of the data", str(report.dataset.get("fingerprint", "–")))]
    rows += facts.further(report.dataset)
    rows += [(f"Version of {name}", version) for name, version in report.versions.items()]
    body = "".join(f"<tr><td>{escaped(a)}</td><td>{escaped(b)}</td></tr>" for a, b in rows)
    said = "Pictures are thumbnails embedded in this file; the file loads nothing."
    return f'<footer><h2>Made from</h2><table>{body}</table><p class="note">{said}</p></footer>'


class Album:
    """Pictures of the worst subjects of each finding, within an equal share of the budget."""

    def __init__(self, evidence: Evidence, files: Files, budget: int) -> None:
        self.evidence = evidence
        self.files = files
        self.budget = budget

    def page(self, f: Finding) -> str:
        """The finding's worst subjects with their names, and how many more there are."""
        if not len(f.subjects):
            return ""
        shown, n_shown = self._afforded(f, worst(f.subjects, PICTURES_A_CHECK))
        rest = len(f.subjects) - n_shown
        command = f"<code>{escaped(facts.listing_command(f.check))}</code>"
        more = f'<p class="more">And {rest:,} more: {command}</p>' if rest else ""
        heading = "Worst first" if len(f.subjects) > 1 else "The sample"
        return f'<h3>{heading}</h3><div class="strip">{shown}</div>{more}'

    def _afforded(self, f: Finding, groups: Sequence[Group]) -> tuple[str, int]:
        """The groups that the budget pays for (the first in any case), and how many subjects."""
        pages, spent, n = "", 0, 0
        for group in groups:
            shots = [self._shot(f, place) for place in group.places]
            spent += sum(map(len, shots))
            if n and spent > self.budget:
                break
            pages += _framed(shots, group) if f.subjects.groups is not None else shots[0]
            n += len(shots)
        return pages, n

    def _shot(self, f: Finding, place: int) -> str:
        row = int(f.subjects.rows[place])
        path, label = self._text("path", row), self._text("label", row)
        detail = f.subjects.details[place] if place < len(f.subjects.details) else ""
        said = f"{path}, labelled {label}" if label else path
        lines = f"<span>{escaped(detail)}</span>" if detail else ""
        return (
            f'<figure class="shot">{self._picture(row, said)}<figcaption>'
            f'<bdi title="{escaped(path)}">{_breakable(shortened(path, 64))}</bdi>{lines}'
            f"</figcaption></figure>"
        )

    def _picture(self, row: int, said: str) -> str:
        jpeg = self.files.thumbnail(row)
        if not jpeg:
            error = self._text("error", row) or "no picture"
            return f'<div class="blank">{escaped(error.replace("_", " "))}</div>'
        data = base64.b64encode(jpeg).decode("ascii")
        return f'<img src="data:image/jpeg;base64,{data}" alt="{escaped(said)}">'

    def _text(self, column: str, row: int) -> str:
        try:
            value = self.evidence.column(column)[row].as_py()
        except MissingInput:
            return ""
        return "" if value is None else str(value)


def _breakable(path: str) -> str:
    """A path that may break after a slash, rather than within a name."""
    return escaped(path).replace("/", "/<wbr>")


def _framed(shots: Sequence[str], group: Group) -> str:
    hidden = f'<p class="note">and {group.hidden:,} more in this group</p>' if group.hidden else ""
    return f'<div class="group">{"".join(shots)}{hidden}</div>'
