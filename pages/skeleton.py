"""Is the training pipeline right? Every check of the skeleton, with its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from app import examining, opened, words
from app.cards import full_card, question
from app.nothing import report_or_stop
from recipe_core import recipe
from recipe_core.kernel.nouns import Finding
from recipe_core.reporting.verdicts import worst_first
from recipe_core.reporting.wording import counted, escaped, shortened
from recipe_core.runs.watching import Run

EVERY = "All checks"


def main() -> None:
    """The examination that runs, or what the last one found; before the first, what it takes."""
    words.title("Skeleton")
    report_or_stop("What is right and wrong with the training pipeline")
    run = examining.latest()
    if run is None:
        _introduction()
        examining.form(None)
    elif run.live:
        st.fragment(_live, run_every=examining.SECONDS_BETWEEN_LOOKS)(run.id)
    else:
        _ended(run)


def _introduction() -> None:
    words.html(
        '<p class="r-lead">A net with a bug often trains, only worse. Before any tuning, these '
        "checks prove the skeleton: the loss at init, one batch learned by heart, inputs that "
        "matter, gradients that do not leak, the same numbers twice. Each says what it measured, "
        "what it expected and what to do. All of them take about a minute and a half with a small "
        "net on a laptop's processor, some minutes with a ResNet-18 at 64 pixels; each shows as "
        "soon as it is made.</p>"
    )
    known = recipe.checks("skeleton")
    with st.expander(f"What is checked: {counted(len(known), 'question')}", type="compact"):
        rows = "".join(
            f"<div><b>{escaped(words.spoken(c.id))}</b></div><div>{escaped(c.question)}</div>"
            for c in known
        )
        words.html(f'<div class="r-unjudged">{rows}</div>')


def _live(run_id: str) -> None:
    run = examining.latest()
    if run is None or not run.live or run.id != run_id:
        st.rerun()
    examining.progress(run)
    findings = made(run)
    if findings:
        words.html(words.tallied(findings))
    for finding in worst_first(findings):
        _brief(finding)


def made(run: Run) -> list[Finding]:
    """The findings that a live examination has made so far."""
    done = {str(c.get("id")) for c in run.result.get("checks", ())}
    return [f for f in opened.sanity().findings if f.check in done]


def _brief(finding: Finding) -> None:
    with st.container(border=True, key=f"live-{finding.check}"):
        words.html(words.headline(finding, question(finding.check)))


def _ended(run: Run) -> None:
    findings = list(opened.sanity().findings)
    examining.ended(run)
    old = examining.stale(run)
    if old and findings:
        words.note(old)
    _what(run)
    words.html(words.tallied(findings))
    with st.expander("Check again, or another pipeline", icon=":material/refresh:",
                     expanded=all(f.verdict == "skipped" for f in findings)):  # fmt: skip
        examining.form(examining.config_of(run))
    _cards(worst_first(findings))


def _what(run: Run) -> None:
    """The pipeline in one paragraph: what was examined, on what, when."""
    about = opened.sanity().about
    if not about:
        return
    task = str(about.get("task") or "")
    name = shortened(Path(task).name or run.title, 100)
    sizes = " and ".join(
        f"{int(about[key]):,} {noun}"
        for key, noun in (("n_train", "training samples"), ("n_eval", "to evaluate on"))
        if isinstance(about.get(key), int)
    )
    facts = [f"device {about.get('device', '?')}", f"seed {about.get('seed', '?')}", sizes]
    words.html(
        f'<p class="r-lead"><span class="r-mono" title="{escaped(task)}">{escaped(name)}</span> '
        f'<span class="r-faint">· {escaped(" · ".join(filter(None, facts)))}</span></p>'
    )


def _cards(found: Sequence[Finding]) -> None:
    judged = [f for f in found if f.verdict != "skipped"]
    ids = [f.check for f in found]
    one = _chosen(ids)
    for finding in judged if one is None else [f for f in found if f.check == one]:
        full_card(finding.check, folded=one is None and finding.verdict == "pass")
    if one is None:
        _skipped([f for f in found if f.verdict == "skipped"])


def _chosen(ids: list[str]) -> str | None:
    # a bound selectbox puts into the URL what it shows: links to here say "Loss at init" too
    if not ids:
        return None
    chosen = st.selectbox(
        "Show", [EVERY, *ids], key="check", bind="query-params", width=320,
        format_func=lambda check: check if check == EVERY else words.spoken(check),
    )  # fmt: skip
    return chosen if chosen in ids else None


def _skipped(skipped: Sequence[Finding]) -> None:
    if not skipped:
        return
    words.section("Not judged", "These checks lack something they need.")
    rows = "".join(
        f"<div><b>{escaped(words.spoken(f.check))}</b></div>"
        f'<div class="r-faint">{escaped(question(f.check))} {escaped(f.summary)}</div>'
        for f in skipped
    )
    words.html(f'<div class="r-unjudged">{rows}</div>')
    if any(f.check == "human_baseline" for f in skipped):
        st.page_link("../pages/human_baseline.py", label="Name pictures yourself",
                     icon=":material/person_search:")  # fmt: skip


main()
