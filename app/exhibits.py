"""What does a finding show beside its sentence? Value against expectation, pictures, tables."""

from __future__ import annotations

import base64
import io
from functools import lru_cache

from PIL import Image

from recipe_core.kernel.nouns import Finding, Picture, Table
from recipe_core.reporting.wording import counted, escaped, number, shortened

MOST_PICTURES = 24
MOST_ROWS = 200
LONGEST_TRACEBACK = 20_000


def against(finding: Finding) -> str:
    """What was measured and what was expected, side by side; '' where there is neither."""
    parts = []
    if finding.value is not None:
        shown = escaped(shortened(number(finding.value), 160))
        parts.append(f"<span>Measured</span><b>{shown}</b>")
    if finding.expected:
        parts.append(f"<span>Expected</span><b>{escaped(shortened(finding.expected, 200))}</b>")
    return f'<div class="r-against">{"".join(parts)}</div>' if parts else ""


def pictures(finding: Finding) -> str:
    """The finding's own pictures, small ones enlarged without smoothing."""
    if not finding.pictures:
        return ""
    shots = "".join(_shot(p) for p in finding.pictures[:MOST_PICTURES])
    more = len(finding.pictures) - MOST_PICTURES
    rest = f'<p class="r-faint">and {counted(more, "more picture")}</p>' if more > 0 else ""
    return f'<div class="r-shots">{shots}</div>{rest}'


def _shot(picture: Picture) -> str:
    caption = f"<i>{escaped(shortened(picture.caption, 160))}</i>" if picture.caption else ""
    return (
        f'<figure><img src="data:image/png;base64,{_png(picture)}" alt="{escaped(picture.title)}">'
        f"<figcaption>{escaped(shortened(picture.title, 80))}{caption}</figcaption></figure>"
    )


@lru_cache(maxsize=256)  # a Picture is compared by identity: findings are kept while they stand
def _png(picture: Picture) -> str:
    out = io.BytesIO()
    Image.fromarray(picture.pixels).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode("ascii")


def tables(finding: Finding) -> str:
    """The finding's tables; long ones scroll."""
    return "".join(_table(t) for t in finding.tables)


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{escaped(shortened(c, 40))}</th>' for c in table.columns)
    rows = "".join(
        f"<tr>{''.join(f'<td>{_cell(cell)}</td>' for cell in row)}</tr>"
        for row in table.rows[:MOST_ROWS]
    )
    more = len(table.rows) - MOST_ROWS
    rest = f'<p class="r-faint">and {counted(more, "more row")}</p>' if more > 0 else ""
    return (
        f'<figure class="r-table"><figcaption>{escaped(table.title)}</figcaption>'
        f'<div tabindex="0" role="region" aria-label="{escaped(table.title)}"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>{rest}</figure>"
    )


def _cell(value: object) -> str:
    return escaped(shortened(number(value), 120))


def traceback(finding: Finding) -> str:
    """Where the user's code raised, its own lines first; '' where nothing did."""
    return str(finding.numbers.get("traceback") or "")[:LONGEST_TRACEBACK]
