"""What leaves the house? The cleaned data set as a new folder, and what it will hold, first."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import streamlit as st

from app import decisions_bar, opened, words
from app.nothing import report_or_stop
from recipe_core import recipe
from recipe_core.data.cleaning import preview
from recipe_core.data.export import ExportSummary, Kind, Link
from recipe_core.kernel.errors import RecipeError
from recipe_core.kernel.nouns import Finding
from recipe_core.reporting.wording import counted, escaped, number, shortened

KINDS: dict[Kind, str] = {
    "imagefolder": "Folders of classes", "manifest": "A CSV and the pictures",
    "coco": "COCO JSON", "yolo": "YOLO",
}  # fmt: skip
LINKS: dict[Link, str] = {
    "copy": "Copies", "hardlink": "Hard links (no room; a change there is a change here)",
    "symlink": "Symbolic links",
}  # fmt: skip
MOST_CLASSES = 200
RESULT = "export-result"


def main() -> None:
    """What to write, what it will hold, and the button."""
    words.title("Export")
    last = report_or_stop("A cleaned copy of the data set")
    words.html(
        '<p class="r-lead">Writes the data set without what was left out, with its new labels, '
        "into a new folder. Your files are not touched; every exclusion and its reason is a line "
        "of <span class='r-mono'>excluded.csv</span>.</p>"
    )
    said = decisions_bar.counts()
    words.html(f'<p class="r-faint">Decided by hand: {escaped(said or "nothing yet")}.</p>')
    drop = _drop(list(last.findings))
    for advice in recipe.better_mended(drop):
        words.html(f'<p class="r-faint" role="note">{escaped(advice)}</p>')
    before_after = _preview(list(last.findings), drop)
    if before_after is None:
        return
    words.html(sizes(before_after))
    with st.expander("Samples per class and split", expanded=True):
        words.html(classes(before_after))
    _write(drop, last.dataset.get("name") or "data")


def _drop(findings: list[Finding]) -> list[str]:
    offered = [
        f.check for f in findings if len(f.subjects) and f.verdict not in ("skipped", "error")
    ]
    counts = {f.check: int((f.subjects.scores < 0.5).sum()) for f in findings}
    return st.multiselect(
        "Also leave out what these findings name (of copies, all but the one to keep)", offered,
        format_func=lambda c: f"{words.spoken(c)} ({counts[c]:,})", key="export-drop",
        help="A sample that someone marked Keep stays in.",
    )  # fmt: skip


def _preview(findings: list[Finding], drop: list[str]) -> pa.Table | None:
    decided = recipe.decisions(opened.workspace()).current()
    try:
        return preview(opened.evidence(), decided, findings, drop)
    except RecipeError as e:
        words.problem(e)
        return None


def sizes(table: pa.Table) -> str:
    """How many samples go out of how many."""
    before, after = (sum(table[c].to_pylist()) for c in ("before", "after"))
    return (
        f'<p class="r-lead"><b>{counted(after, "sample")}</b> of {before:,} will be written; '
        f"{before - after:,} stay out.</p>"
    )


def classes(table: pa.Table) -> str:
    """Before and after per class (lines) and split (columns); classes that change first."""
    rows = table.to_pylist()
    splits = list(dict.fromkeys(r["split"] for r in rows))
    by_class: dict[str | None, dict[str | None, dict[str, Any]]] = {}
    for row in rows:
        by_class.setdefault(row["label"], {})[row["split"]] = row
    ordered = sorted(by_class, key=lambda c: (not _changed(by_class[c]), c or ""))
    head = "".join(f"<td>{escaped(s or 'no split')}</td>" for s in splits)
    lines = "".join(_class_line(c, splits, by_class[c]) for c in ordered[:MOST_CLASSES])
    more = len(ordered) - MOST_CLASSES
    under = f'<p class="r-faint">and {more:,} more classes.</p>' if more > 0 else ""
    return (
        f'<table class="r-numbers"><thead><tr><td></td>{head}</tr></thead>'
        f"<tbody>{lines}</tbody></table>{under}"
    )


def _changed(cells: dict[str | None, dict[str, Any]]) -> bool:
    return any(cell["before"] != cell["after"] for cell in cells.values())


def _class_line(
    label: str | None, splits: list[str | None], cells: dict[str | None, dict[str, Any]]
) -> str:
    shown = "".join(f"<td>{_cell(cells.get(split))}</td>" for split in splits)
    return f"<tr><td>{escaped(shortened(label or 'no label', 60))}</td>{shown}</tr>"


def _cell(cell: dict[str, Any] | None) -> str:
    if cell is None:
        return "–"
    before, after = cell["before"], cell["after"]
    return number(after) if before == after else f"{number(before)} → <b>{number(after)}</b>"


def _write(drop: list[str], name: str) -> None:
    with st.container(border=True, key="export-form"):
        dest = st.text_input(
            "New folder on the machine that runs Recipe", key="export-dest", max_chars=4096,
            placeholder=str(Path.home() / f"{name}-clean"),
        )  # fmt: skip
        with st.container(horizontal=True):
            kind = st.selectbox("Written as", list(KINDS), format_func=KINDS.__getitem__,
                                key="export-kind")  # fmt: skip
            link = st.selectbox("Pictures as", list(LINKS), format_func=LINKS.__getitem__,
                                key="export-link")  # fmt: skip
        target = os.path.expanduser((dest or "").strip())  # noqa: PTH111 -- Path("") becomes "."
        wrong = why_not(target) if target else ""
        if wrong:
            words.problem(wrong)
        if st.button("Export", type="primary", icon=":material/drive_file_move:", key="export-go",
                     disabled=not target or bool(wrong)):  # fmt: skip
            st.session_state[RESULT] = None
            _export(target, kind, link, drop)
    result = st.session_state.get(RESULT)
    if result is not None:
        words.html(summary(result))


def why_not(dest: str) -> str:
    """Why nothing can be written there, '' where it can."""
    path = Path(dest)
    try:
        if "\0" in dest:
            return "A folder's name cannot hold a null character."
        if not path.is_absolute():
            return f"{dest!r} is not a whole path: begin with / (or ~)."
        if path.is_dir() and any(path.iterdir()):
            return f"{dest!r} exists and is not empty. Choose a new folder."
        if path.exists() and not path.is_dir():
            return f"{dest!r} is a file."
    except OSError as e:
        return f"{dest!r} cannot be used: {e.strerror or e}."
    return ""


def _export(dest: str, kind: Kind, link: Link, drop: list[str]) -> None:
    """Write it while the page shows how far it is; leaving the page stops it and leaves nothing."""
    bar = st.progress(0.0, "Writing")

    def progress(activity: str, done: int, total: int) -> None:
        bar.progress(min(1.0, done / total) if total else 0.0, f"{done:,} of {total:,}")

    try:
        st.session_state[RESULT] = recipe.export(
            opened.workspace(), dest, kind=kind, drop=drop, link=link, progress=progress
        )
    except RecipeError as e:
        words.problem(e)
    finally:
        bar.empty()


def summary(result: ExportSummary) -> str:
    """What was written, and what the user should know about it."""
    notes = "".join(f"<li>{escaped(shortened(n, 400))}</li>" for n in result.notes)
    boxes = f", {counted(result.n_boxes, 'box', 'boxes')}" if result.n_boxes else ""
    return (
        f'<div class="r-changed" role="status"><b>{counted(result.n_exported, "sample")}</b> '
        f"written to <span class='r-mono'>{escaped(result.dest)}</span>{boxes}; "
        f"{result.n_excluded:,} left out, {result.n_relabelled:,} relabelled."
        f"{f'<ul>{notes}</ul>' if notes else ''}</div>"
    )


main()
