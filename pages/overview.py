"""Where does this data set stand, what is worst about it, and what comes next?"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

import streamlit as st

from app import checklist, examining, opened, scanning, words
from app.cards import brief_card
from recipe_core import recipe
from recipe_core.kernel.nouns import Finding
from recipe_core.kernel.report import Report
from recipe_core.reporting.verdicts import SIGNS, worst_first
from recipe_core.reporting.wording import counted, escaped, shortened

WORST = 4


def main() -> None:
    """The first scan, or the data set and its findings."""
    last = opened.report() if opened.has_results() else None
    if last is None:
        _first_scan()
    else:
        _data_set(last)
        _worst(last)
    _recipe(last)


def _first_scan() -> None:
    words.title("Look at the data first")
    words.html(
        '<p class="r-lead">Point Recipe at a data set of images. It reads every file once, never '
        "changes any, and shows what is wrong with the data, with pictures.</p>"
    )
    if scanning.running():
        scanning.progress()
    else:
        scanning.ended()
        scanning.form()


def _data_set(last: Report) -> None:
    words.title(shortened(last.dataset.get("name") or "Data set", 80))
    words.html(words.paragraph(last) + words.tallied(last.findings))
    if scanning.running():
        scanning.progress()
        return
    updated, changed = checklist.outdated(last, recipe.versions()), opened.changes()
    if updated:
        words.note(f"Updated since: {', '.join(updated)}. Scan again to judge with it.")
    if changed:
        words.note(f"The files differ from what was scanned: {changed}. Scan again to see them.")
    scanning.ended()
    _notes(last)
    with st.expander("Scan again, or another data set", icon=":material/refresh:"):
        scanning.form()


def _notes(last: Report) -> None:
    notes = last.dataset.get("notes") or []
    if notes:
        with st.expander(
            f"How it was read: {counted(len(notes), 'note')}", icon=":material/notes:"
        ):
            lines = "".join(f"<li>{escaped(shortened(n['text'], 600))}</li>" for n in notes)
            words.html(f"<ul>{lines}</ul>")


def _worst(last: Report) -> None:
    found = [*last.findings, *opened.sanity().findings, *opened.overfit()]
    asking = checklist.next_steps(found)
    bad = [f for f in worst_first(found) if f.verdict in ("fail", "warn", "error")]
    if not bad:
        judged = [f for f in found if f.verdict == "pass"]
        words.section(
            "Nothing found that needs mending", f"{counted(len(judged), 'check')} passed."
        )
        return
    words.section("Worst first", f"{counted(len(asking), 'finding')} to act on.")
    for finding in bad[:WORST]:
        brief_card(finding.check)
    for stage, page in PAGES.items():
        rest = sum(f.stage == stage for f in bad[WORST:])
        if rest:
            more = counted(rest, "more finding needs a look", "more findings need a look")
            st.page_link(f"../pages/{page}.py", label=f"{more}: {stage}",
                         icon=":material/fact_check:")  # fmt: skip


def _recipe(last: Report | None) -> None:
    words.section("The recipe", "Every item, with the evidence there is for it so far.")
    findings = {f.check: f for f in last.findings} if last else {}
    old = bool(last and (checklist.outdated(last, recipe.versions()) or opened.changes()))
    of_pipeline = {f.check: f for f in opened.sanity().findings} if last else {}
    # what was never asked for is no evidence: not yet, as before the first examination
    of_pipeline = {c: f for c, f in of_pipeline.items() if f.verdict != "skipped" or _asked(c)}
    of_runs = {f.check: f for f in opened.overfit() if f.verdict != "skipped"} if last else {}
    known = {"skeleton": (of_pipeline, _pipeline_is_old()), "overfit": (of_runs, False)}
    stages = "".join(_stage(s, *known.get(s.id, (findings, old))) for s in _stages())
    words.html(f'<div class="r-stages">{stages}</div>')


def _asked(check_id: str) -> bool:
    return check_id != "human_baseline"


def _pipeline_is_old() -> bool:
    run = examining.latest() if opened.has_results() else None
    return run is not None and not run.live and bool(examining.stale(run))


def _stages() -> list[checklist.Stage]:
    known = recipe.checks()
    return [
        checklist.with_unlisted(
            stage, ((c.id, words.spoken(c.id)) for c in known if c.stage == stage.id)
        )
        for stage in checklist.RECIPE
    ]


def _stage(stage: checklist.Stage, findings: Mapping[str, Finding], old: bool) -> str:
    page = PAGES.get(stage.id, "")
    items = "".join(_item(item, findings, old, page) for item in stage.items)
    return (
        f'<section class="r-stage"><h4>{escaped(stage.title)}</h4><p>{escaped(stage.aim)}</p>'
        f"<ul>{items}</ul></section>"
    )


PAGES = {
    "data": "findings",
    "skeleton": "skeleton",
    "overfit": "overfit",
}  # with the cards of a stage's checks


def _linked(item: checklist.Item, findings: Mapping[str, Finding], page: str) -> str:
    """The item's title, leading to what there is on it."""
    check = checklist.telling(item, findings)
    if item.checks == ("human_baseline",):
        target = "human_baseline"
    elif page and check:
        target = f"{page}?check={quote(words.spoken(check))}"
    else:
        target = page if page == "skeleton" else ""
    title = escaped(item.title)
    return f'<a href="{target}" target="_self">{title}</a>' if target else title


def _item(item: checklist.Item, findings: Mapping[str, Finding], old: bool, page: str) -> str:
    state = checklist.item_state(item, findings, outdated=old)
    verdict, word = checklist.LOOKS[state]
    faint = ' class="r-todo"' if state == "not yet" else ""
    sign = "○" if state == "not yet" else SIGNS[verdict]
    return (
        f'<li class="r-{verdict}"><span class="r-sign" aria-hidden="true">{sign}</span>'
        f"<span{faint}>{_linked(item, findings, page)}</span>"
        f'<span class="r-state">{word}</span></li>'
    )


main()
