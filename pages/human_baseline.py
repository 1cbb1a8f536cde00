"""How well does a person do it? Pictures to name without their labels, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime

import numpy as np
import streamlit as st

from app import opened, words
from app.cards import chart, link_to_rows
from app.labeller import keys_for, labeller
from app.nothing import report_or_stop
from app.sample import sample_dialog
from app.strip import strip
from app.table import table
from recipe_core.kernel.check import judged
from recipe_core.kernel.errors import RecipeError
from recipe_core.kernel.intervals import accuracy_half_width
from recipe_core.kernel.nouns import Subjects
from recipe_core.kernel.readings import Readings
from recipe_core.reporting.wording import counted, escaped, number, shortened
from recipe_core.skeleton import agreement, labelling
from recipe_core.skeleton.checks import human_baseline as human
from recipe_core.skeleton.labelling import UNASKED, UNTOLD, Outcome
from recipe_core.store.answers import Answers, Labelling

EVERYTHING = ""
SECONDS_A_PICTURE = 3
USUAL = 200
SIZES = (0, 32, 64, 96, 128, 224)
MOST_PICTURES, MOST_CLASSES = 24, 40
WHO, AGAIN, CELL = "labelling-who", "labelling-pass", "labelling-cell"


def main() -> None:
    """The next picture to name, or what came of it; before the first, what it takes."""
    words.title("Human baseline")
    report_or_stop("How well a person does it")
    evidence, log = opened.evidence(), labelling.answers(opened.workspace())
    if len(labelling.class_names(evidence)) < 2 or not len(labelling.askable(evidence)):
        words.html('<p class="r-lead">There is nothing to name: this takes pictures with labels '
                   "of at least two classes.</p>")  # fmt: skip
        return
    asked, found = log.latest(), labelling.outcome(evidence, log)
    if asked is None or found is None or not len(found.rows):
        _introduction()
        _form()
        return
    number = _pass_to_do(found)
    if number:
        _pass(log, asked, found, number)
    else:
        _results(asked, found)
    with st.expander("Begin another labelling", icon=":material/refresh:"):
        st.caption("Other pictures, or the same as the net sees them. What was answered so far "
                   "stays in the workspace; this page shows the newest.")  # fmt: skip
        _form()


def _pass_to_do(found: Outcome) -> int:
    """The pass that is open: 1 until it is done, 2 once it was begun or asked for; 0: none."""
    if not found.done(1):
        return 1
    wanted = 2 in found.people or st.session_state.get(AGAIN) == 2
    return 2 if wanted and not found.done(2) else 0


# -- before -------------------------------------------------------------------------------------


def _introduction() -> None:
    words.html(
        '<p class="r-lead">Before asking what a net can reach, do its task yourself. You see '
        "pictures of the test set one by one, without their labels, and press a key for the class; "
        "then a second time, in another order, best by another person. It shows what accuracy to "
        "expect, whether the classes can be told apart at all, and which labels are wrong.</p>"
    )


def _form() -> None:
    evidence = opened.evidence()
    sizes = labelling.splits(evidence) | {EVERYTHING: len(labelling.askable(evidence))}
    with st.container(border=True, key="labelling-form"):
        left, middle, right = st.columns(3)
        split = left.selectbox(
            "Pictures from", list(sizes), key="labelling-split",
            format_func=lambda s: f"{shortened(s, 40) or 'the whole data set'} ({sizes[s]:,})",
        )  # fmt: skip
        most = sizes[split]
        n = int(middle.number_input("How many", 1, most, min(USUAL, most), 10,
                                    key=f"labelling-n-{split}"))  # fmt: skip
        size = right.selectbox(
            "Shown", SIZES, key="labelling-size",
            format_func=lambda s: f"as the net sees them, {s} px" if s else "as they are",
            help="As the net sees them: the shorter side brought to so many pixels, the centre cut "
            "out, enlarged on the screen. What people cannot tell there, no net should be asked.",
        )  # fmt: skip
        words.html(precision(n))
        with st.container(horizontal=True, vertical_alignment="bottom"):
            who = st.text_input("Who labels first", key="labelling-name", max_chars=80,
                                placeholder="name or initials", width=260)  # fmt: skip
            seed = int(st.number_input("Seed of the order", 0, 2**31 - 1, 0, key="labelling-seed",
                                       width=160))  # fmt: skip
            st.button(
                "Begin", type="primary", icon=":material/play_arrow:", key="labelling-begin",
                disabled=not (who or "").strip(), on_click=_begin, args=(split, n, size, seed),
            )  # fmt: skip
        _keys()
    wrong = st.session_state.pop("labelling-problem", None)
    if wrong:
        words.problem(wrong)


def precision(n: int) -> str:
    """What n answers can show, and what they cost."""
    half = 100 * accuracy_half_width(n)
    minutes = max(1, round(n * SECONDS_A_PICTURE / 60))
    others = ", ".join(f"{m:,}: ±{100 * accuracy_half_width(m):.1f}" for m in (50, 100, 200, 500))
    return (
        f'<p class="r-saw"><b>{counted(n, "picture")}</b> give an accuracy of 80 % to within '
        f"<b>±{half:.1f} points</b> (95 % interval), in about {minutes} min a pass. "
        f'<span class="r-faint">{others} points.</span></p>'
    )


def _keys() -> None:
    names = labelling.class_names(opened.evidence())
    keys = keys_for(names)
    how = (
        " · ".join(f"<b>{escaped(k)}</b> {escaped(shortened(n, 24))}"
                   for k, n in zip(keys, names, strict=True))
        if keys else f"{len(names):,} classes: type a part of the name, Enter takes the first"
    )  # fmt: skip
    words.html(f'<p class="r-faint" style="margin:0">Keys: {how} · <b>space</b> cannot tell · '
               "<b>backspace</b> takes the last one back</p>")  # fmt: skip


def _begin(split: str, n: int, size: int, seed: int) -> None:
    evidence, log = opened.evidence(), labelling.answers(opened.workspace())
    ids = labelling.drawn(evidence, split, n, seed)
    now = datetime.now().astimezone()
    try:
        asked = log.begin(split, seed, size, labelling.class_names(evidence), ids, now)
        log.begin_pass(asked, 1, st.session_state["labelling-name"], now)
    except RecipeError as e:
        st.session_state["labelling-problem"] = str(e)
    st.session_state.pop(AGAIN, None)


# -- naming -------------------------------------------------------------------------------------


def _pass(log: Answers, asked: Labelling, found: Outcome, number: int) -> None:
    who = found.people.get(number)
    if who is None:
        _who(log, asked, found, number)
        return
    where = f" of {escaped(shortened(asked.split, 40))}" if asked.split else ""
    seen = f", as the net sees them at {asked.image_size} px" if asked.image_size else ""
    words.html(
        f'<p class="r-faint" style="margin:0">Pass {number} of 2, by '
        f"<b>{escaped(shortened(who, 40))}</b>: {counted(len(asked.sample_ids), 'picture')}"
        f"{where}{seen}. Every answer is stored at once: close the tab whenever you like.</p>"
    )
    if labeller(asked, number):
        st.rerun()


def _who(log: Answers, asked: Labelling, found: Outcome, number: int) -> None:
    first = found.people.get(1, "")
    with st.container(border=True, key="labelling-second"):
        words.html(
            '<p class="r-saw">The same pictures in another order, without the labels and without '
            f"the first answers ({escaped(shortened(first, 40))}). Another person shows whether "
            "people agree; the same person, whether one agrees with oneself.</p>"
        )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            who = st.text_input("Who labels", key=WHO, max_chars=80, width=260,
                                placeholder="name or initials")  # fmt: skip
            st.button("Begin", type="primary", icon=":material/play_arrow:", key="pass-begin",
                      disabled=not (who or "").strip(), on_click=_begin_pass,
                      args=(log, asked.id, number))  # fmt: skip


def _begin_pass(log: Answers, asked: int, number: int) -> None:
    log.begin_pass(asked, number, st.session_state[WHO], datetime.now().astimezone())


# -- what came of it ----------------------------------------------------------------------------


def _results(asked: Labelling, found: Outcome) -> None:
    if not found.done(2):
        st.session_state.pop(AGAIN, None)
        with st.container(border=True, key="labelling-next"):
            words.html(
                f'<p class="r-saw"><b>The first pass is done</b> '
                f"({counted(len(found.rows), 'picture')}). The second one shows how far people "
                "agree with themselves. Begin it before looking at the results: they would tell "
                "you the labels.</p>"
            )
            st.button("Begin the second pass", type="primary", icon=":material/play_arrow:",
                      key="labelling-again", on_click=_again)  # fmt: skip
        if not st.toggle("Show the results of the first pass", key="labelling-peek"):
            return
    readings = labelling.with_answers(Readings(), opened.evidence(), opened.workspace())
    finding = judged(human.CHECK, readings)
    reading = readings.need(labelling.READING)
    words.html(words.headline(finding, human.CHECK.question))
    words.html(figures(found, human.against_model(human.opened(reading)), reading["model_run"]))
    answers = human.opened(reading)  # the check says nothing of few answers, the page shows them
    _disputed(found, human.subjects(answers))
    _confusion(asked, found)
    for i, drawn in enumerate(human.charts(answers)):
        chart(drawn, f"human-{i}")


def _again() -> None:
    st.session_state[AGAIN] = 2


def figures(found: Outcome, pair: human.Pair | None, run: str) -> str:
    """The shares with their intervals, side by side.

    pair, run  the latest run on the same pictures and its title
    """
    tiles = []
    for number_, title in ((1, "First pass"), (2, "Second pass")):
        asked = found.answered(number_)
        if asked.any():
            share = agreement.accuracy(found.given[asked], found.said[number_][asked])
            who = f"{shortened(found.people.get(number_, ''), 30)}, {speed(found, number_)}"
            tiles.append(_tile(f"{title}: agrees with the labels", share, "%", who))
    both = found.answered(1) & found.answered(2)
    if both.any():
        kappa = agreement.kappa(found.said[1][both], found.said[2][both])
        tiles.append(_tile("The two passes agree (Cohen's kappa)", kappa, "", "1: always, 0: as by "
                           "chance"))  # fmt: skip
    if pair is not None:
        difference = f"p = {pair.p:.2g} of the difference to the first pass"
        tiles.append(_tile(f"Latest run, {shortened(run, 40)}", pair.model, "%", difference))
    return f'<div class="r-tiles">{"".join(tiles)}</div>'


def speed(found: Outcome, number_: int) -> str:
    """2.1 s a picture; the number of pictures that nobody could tell."""
    seconds, untold = found.seconds[number_], int((found.said[number_] == UNTOLD).sum())
    pace = "" if math.isnan(seconds) else f"{seconds:.1f} s a picture"
    return pace + (f", {untold:,} times “cannot tell”" if untold else "")


def _tile(title: str, share: agreement.Share, unit: str, under: str) -> str:
    if math.isnan(share.value):
        value, interval = "–", "not defined: one class only"
    elif unit:
        value, _, interval = human.spoken(share).partition(" % (")
        value, interval = f"{value} %", interval.rstrip(")")
    else:
        value, interval = f"{share.value:.2f}", f"{share.low:.2f} to {share.high:.2f}"
    return (
        f'<div class="r-tile"><span>{escaped(title)}</span><b>{escaped(value)}</b>'
        f"<i>{escaped(interval)}, n = {number(share.n)}</i><i>{escaped(under)}</i></div>"
    )


def _disputed(found: Outcome, subjects: Subjects) -> None:
    if not len(subjects):
        words.note("People named the label of every picture.")
        return
    n, sure = len(subjects), int((subjects.scores == 0).sum())
    words.section(
        f"{counted(n, 'picture')} that people call otherwise than the label",
        f"{sure:,} of them in both passes alike: there the label is likely wrong."
        if found.answered(2).any() else "",
    )  # fmt: skip
    row = strip(subjects, MOST_PICTURES, key="human-disputed")
    link_to_rows(subjects.rows, "Look at them in Browse, relabel or leave out")
    if row is not None:
        sample_dialog(row)


def _confusion(asked: Labelling, found: Outcome) -> None:
    words.section("What was called what", "Label down, answer across; a number shows its pictures.")
    done = [p for p in (1, 2) if found.answered(p).any()]
    number_ = 1
    if len(done) > 1:
        number_ = st.segmented_control(
            "Pass", done, default=1, key="human-pass", required=True, on_change=_forget_cell,
            format_func=lambda p: f"Pass {p}, {shortened(found.people.get(p, ''), 30)}",
            label_visibility="collapsed",
        ) or 1  # fmt: skip
    names = list(asked.class_names)
    mine = found.answered(number_)
    counts = agreement.confusion(found.given[mine], found.said[number_][mine], len(names))
    keep = shown_classes(counts)
    across = [*keep, len(names)]
    table(
        [names[c] for c in keep], [*(names[c] for c in keep), "cannot tell"],
        counts[np.ix_(keep, across)].tolist(), title="Label by answer",
        key=f"human-confusion-{number_}",
        on_pick=lambda i, j: _pick(number_, keep, i, j),
    )  # fmt: skip
    if len(keep) < len(names):
        st.caption(f"The {len(keep)} classes with the most mistakes of {len(names)}.")
    _cell(found, names)


def shown_classes(counts: np.ndarray) -> list[int]:
    """All classes; of many, those with the most mistakes."""
    n = len(counts)
    if n <= MOST_CLASSES:
        return list(range(n))
    right = np.diag(counts)
    wrong = counts.sum(axis=1) + counts[:, :n].sum(axis=0) - 2 * right
    return sorted(np.argsort(-wrong, kind="stable")[:MOST_CLASSES].tolist())


def _pick(number_: int, keep: list[int], i: int | None, j: int | None) -> None:
    given = keep[i] if i is not None else None
    said = None if j is None else (keep[j] if j < len(keep) else UNTOLD)
    st.session_state[CELL] = {"pass": number_, "given": given, "said": said}


def _forget_cell() -> None:
    st.session_state.pop(CELL, None)


def _cell(found: Outcome, names: list[str]) -> None:
    cell = st.session_state.get(CELL)
    if not cell:
        return
    chosen = pictures_of(found, cell)
    given = "any label" if cell["given"] is None else f"labelled {names[cell['given']]}"
    said = {None: "anything", UNTOLD: "“cannot tell”"}.get(cell["said"]) or names[cell["said"]]
    words.html(f'<p class="r-saw"><b>{counted(len(chosen), "picture")}</b> '
               f"{escaped(given)}, called {escaped(said)}</p>")  # fmt: skip
    row = strip(chosen, MOST_PICTURES, key="human-cell")
    if row is not None:
        sample_dialog(row)


def pictures_of(found: Outcome, cell: Mapping[str, int | None]) -> Subjects:
    """The samples of a cell, a line or a column of the table."""
    said = found.said[int(cell["pass"] or 1)]
    wanted = said != UNASKED
    for codes, code in ((found.given, cell["given"]), (said, cell["said"])):
        if code is not None:
            wanted &= codes == code
    rows = found.rows[wanted]
    return Subjects(rows, np.zeros(len(rows), np.float32), [""] * len(rows))


main()
