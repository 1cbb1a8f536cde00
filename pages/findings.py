"""What is wrong with the data, how do we know, and what would another threshold say?"""

from __future__ import annotations

import streamlit as st

from app import words
from app.cards import full_card, question
from app.nothing import report_or_stop
from recipe_core.kernel.nouns import Finding
from recipe_core.reporting.verdicts import worst_first
from recipe_core.reporting.wording import escaped

EVERY = "All checks"


def main() -> None:
    """A card per check, worst first; skipped ones at the end."""
    words.title("Data findings")
    last = report_or_stop("What is wrong with the data")
    words.html(words.tallied(last.findings))
    found = worst_first(last.findings)
    one = _chosen(found)
    judged = [f for f in found if f.verdict != "skipped"]
    for finding in judged if one is None else [f for f in found if f.check == one]:
        full_card(finding.check)
    if one is None:
        _skipped([f for f in found if f.verdict == "skipped"])


def _chosen(found: list[Finding]) -> str | None:
    # a bound selectbox puts into the URL what it shows: links to here say "Near duplicates" too
    ids = [f.check for f in found]
    chosen = st.selectbox(
        "Show", [EVERY, *ids], key="check", bind="query-params", width=320,
        format_func=lambda check: check if check == EVERY else words.spoken(check),
    )  # fmt: skip
    return chosen if chosen in ids else None


def _skipped(skipped: list[Finding]) -> None:
    if not skipped:
        return
    words.section("Not judged", "These checks lack something they need.")
    rows = "".join(
        f"<div><b>{escaped(words.spoken(f.check))}</b></div>"
        f'<div class="r-faint">{escaped(question(f.check))} {escaped(f.summary)}</div>'
        for f in skipped
    )
    words.html(f'<div class="r-unjudged">{rows}</div>')


main()
