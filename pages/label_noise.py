"""Which labels are wrong? A queue to decide picture by picture, by keys alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import streamlit as st

from app import decisions_bar, newest_run, opened, task_files, words
from app.cards import chart, full_card, link_to_rows
from app.nothing import report_or_stop
from app.picture import picture
from app.sample import columns_of, no_picture, sample_dialog, shown
from app.strip import strip
from app.table import table
from app.views import Rows
from recipe_core import pipeline, recipe
from recipe_core.data.label_noise import review
from recipe_core.data.label_noise.curve import found_by, look_at
from recipe_core.data.label_noise.measure import NAME
from recipe_core.data.label_noise.review import Queue
from recipe_core.data.properties import percent
from recipe_core.kernel.errors import RecipeError
from recipe_core.kernel.nouns import Chart, Finding, Subjects
from recipe_core.reporting.wording import counted, escaped, shortened
from recipe_core.store.decisions import Kind

PAGES = Path(__file__).resolve().parent
PROBLEM, CELL, SKIPPED = "noise-problem", "noise-cell", "noise-skipped"
LEAST = 0.1  # P(wrong) from which a picture is worth a place in the table of pairs
MOST_CLASSES = 20


def main() -> None:
    """The queue; a run that looks for wrong labels; or what it takes to start one."""
    words.title("Label noise")
    report_or_stop("Which labels are wrong")
    decisions_bar.announce()
    if problem := st.session_state.pop(PROBLEM, None):
        words.problem(problem)
    run = newest_run.newest("noise")
    if run is not None and run.live:
        newest_run.watched(run, "noise", PROBLEM)
        return
    if NAME not in opened.evidence().tables:
        newest_run.ended_badly(run)
        _introduction()
        return
    finding = recipe.judge(opened.workspace(), NAME)
    words.html(words.headline(finding, opened.checks()[NAME].question) + tiles(finding))
    _review()
    with st.expander("Evidence and thresholds", type="compact"):
        full_card(NAME)
    with st.expander("Look again", icon=":material/refresh:", type="compact"):
        _form()


# -- asking --------------------------------------------------------------------------------------


def _introduction() -> None:
    words.html(
        '<p class="r-lead">A classifier that never saw a picture says what it shows; where it is '
        "sure and the label says otherwise, the label is probably wrong. Recipe learns one from "
        "your own pictures, without any downloaded weights, plants known wrong labels to see how "
        "many it finds, and so tells a weak classifier from wrong labels: how many there are, with "
        "an interval, and which to look at first. Mistakes on pictures that the classifier itself "
        "is unsure of leave no trace: the interval says how many of those there may be.</p>"
    )
    _form()


def _form() -> None:
    n = len(opened.evidence())
    with st.container(border=True, key="noise-form"):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            embedding = st.text_input(
                "Pictures described by", "patches", key="noise-embedding", width=320,
                help="patches: learned on the data set itself. backbone:resnet50: torchvision's "
                "weights, from its cache or the network; backbone:resnet50:FILE.pth: from a file. "
                "task:my.py:best.pt: your own model; run:ID: the net of a run. Or the name of an "
                ".npy file with one row per sample.",
            )  # fmt: skip
            given = st.text_input(
                "Your own probabilities", "", key="noise-probabilities", width=320,
                placeholder="FILE.npy, out-of-sample, (n, classes)",
            )  # fmt: skip
            cnn = st.selectbox(
                "A network beside it", ("none", "small_cnn", "resnet18"), key="noise-cnn",
                width=180, help="Trained five times, each time on four fifths of the pictures, and "
                "asked about the fifth part. Minutes on a GPU, much longer on a processor.",
            )  # fmt: skip
            seed = int(st.number_input("Seed", 0, 2**31 - 1, 0, key="noise-seed", width=120))
            st.button("Look for wrong labels", type="primary", icon=":material/play_arrow:",
                      key="noise-start", on_click=_start,
                      args=(embedding or "patches", given or "", seed,
                            "" if cnn == "none" else cnn))  # fmt: skip
        minutes = max(1, round(n / 2500))
        st.caption(f"About {minutes:,} min for {counted(n, 'picture')} on two processor cores.")


def _start(embedding: str, given: str, seed: int, cnn: str) -> None:
    try:
        described = task_files.vetted(task_files.started_in(), embedding)
        pipeline.start_noise(opened.workspace(), embedding=described,
                             probabilities=given.strip(), seed=seed, cnn=cnn)  # fmt: skip
    except RecipeError as e:
        st.session_state[PROBLEM] = str(e)


def tiles(finding: Finding) -> str:
    """The rate, how far the finder can be trusted, how many to look at."""
    n = finding.numbers
    if "noise_rate" not in n:
        return ""
    interval = f"{percent(n['noise_rate_low'])} to {percent(n['noise_rate_high'])}"
    planted = n["auroc_on_planted"]
    found = "–" if planted is None else f"{planted:.2f}"
    half, most = n["look_at_to_find"]["50%"], n["look_at_to_find"]["90%"]
    made = (
        ("Wrong labels", percent(n["noise_rate"]), f"95 % interval {interval}",
         f"of {n['labelled_samples']:,} labels"),
        ("Planted ones are ranked first", found, "area under the ROC curve",
         "1: always, 0.5: as by chance"),
        ("Look at, to find half of them", f"{half:,}", f"{most:,} to find 90 %", "as expected"),
        ("The classifier agrees with the labels", percent(n["classifier_agrees"]),
         shortened(" · ".join(filter(None, (str(n["embedding"]), str(n["probabilities"])))), 60),
         "on pictures that it never saw"),
    )  # fmt: skip
    return '<div class="r-tiles">' + "".join(
        f'<div class="r-tile"><span>{escaped(a)}</span><b>{escaped(b)}</b><i>{escaped(c)}</i>'
        f"<i>{escaped(d)}</i></div>" for a, b, c, d in made
    ) + "</div>"  # fmt: skip


# -- deciding -----------------------------------------------------------------------------------


def _review() -> None:
    found = review.queue(opened.evidence(), recipe.decided(opened.workspace()))
    left, right = st.columns([3, 2], gap="large")
    with left:
        inspected = _now(found)
    with right:
        _progress(found)
        _pairs(found)
    if inspected is not None:
        sample_dialog(inspected)


def _now(found: Queue) -> int | None:
    """The next picture of the queue with what one can do; the row that was clicked beside it."""
    cell = st.session_state.get(CELL)
    mine = np.ones(len(found), bool)
    if cell:
        mine = (found.given == cell[0]) & (found.suggested == cell[1])
        with st.container(horizontal=True, vertical_alignment="center"):
            words.html(f"Only those labelled <b>{escaped(cell[0])}</b> that look like "
                       f"<b>{escaped(cell[1])}</b>")  # fmt: skip
            st.button("All of them", key="noise-all", on_click=_choose, args=(None,))
    open_ = np.flatnonzero(mine & ~found.seen)
    skipped = st.session_state.get(SKIPPED, frozenset())
    ahead = [i for i in open_ if int(found.rows[i]) not in skipped]
    if not ahead:
        words.note("Every picture of this queue has been looked at.")
        return None
    i = int(ahead[0])
    row, given, suggested = int(found.rows[i]), str(found.given[i]), str(found.suggested[i])
    seen = int((mine & found.seen).sum())
    other = suggested != given
    looks = f"looks like <b>{escaped(suggested)}</b>" if other else "looks like its label"
    words.html(
        f'<div class="r-row" style="justify-content:space-between"><span>Labelled '
        f"<b>{escaped(given)}</b>, {looks}</span>"
        f'<span class="r-faint" id="noise-place">{escaped(_chance(found.wrong[i]))} likely wrong · '
        f"{seen + 1:,} of {int(mine.sum()):,}</span></div>"
    )
    values = columns_of(row)
    one = shown(row, values)
    if one is None:
        words.html(no_picture(values))
    else:
        picture(one, None, "one", key="noise-picture", height=340)
    _buttons(row, given, suggested if other else "")
    return _beside(found, i, suggested)


def _chance(p: float) -> str:
    """A probability that is never said to be certainty."""
    return "> 99 %" if p > 0.99 else percent(p)


def _buttons(row: int, given: str, suggested: str) -> None:
    rows = np.array([row])
    with st.container(horizontal=True, key="noise-buttons", vertical_alignment="bottom"):
        _act("Keep", "k", ":material/check:", "include", rows, None)
        label = f"It is {shortened(suggested, 24)}" if suggested else "Relabel"
        _act(label, "s", ":material/edit:", "relabel", rows, suggested, idle=not suggested)
        _act("Unsure", "u", ":material/help:", "tag", rows, review.UNSURE)
        _act("Leave out", "x", ":material/block:", "exclude", rows, None)
        st.button("Skip", key="noise-skip", shortcut="n", on_click=_skip, args=(row,))
        st.button("Undo", key="noise-undo", shortcut="z", icon=":material/undo:",
                  on_click=decisions_bar.undo,
                  disabled=not recipe.reversible(opened.workspace())[0])  # fmt: skip
        names = [c for c in opened.evidence().dataset.class_names if c not in (given, suggested)]
        if names:
            st.selectbox("Another class", names, index=None, key=f"noise-other-{row}", width=200,
                         label_visibility="collapsed", placeholder="Another class",
                         on_change=_relabel, args=(row,))  # fmt: skip


def _act(
    text: str, key: str, icon: str, kind: Kind, rows: Rows, value: str | None, *, idle: bool = False
) -> None:
    st.button(text, key=f"noise-{kind}", shortcut=key, icon=icon, disabled=idle,
              type="primary" if kind == "relabel" else "secondary",
              on_click=decisions_bar.decide, args=(kind, rows, value))  # fmt: skip


def _relabel(row: int) -> None:
    chosen = st.session_state.get(f"noise-other-{row}")
    if chosen:
        decisions_bar.decide("relabel", np.array([row]), chosen)


def _skip(row: int) -> None:
    st.session_state[SKIPPED] = st.session_state.get(SKIPPED, frozenset()) | {row}


def _beside(found: Queue, i: int, suggested: str) -> int | None:
    """Its neighbours, and what the suggested class usually looks like."""
    clicked = None
    near = found.near[i].as_py()
    if near:
        words.html('<div class="r-faint">Looks most like these</div>')
        clicked = strip(_plain(near), 8, key="noise-near", size=84)
    typical = [r for r in found.typical.get(suggested, []) if r != int(found.rows[i])]
    if typical:
        words.html(f'<div class="r-faint">Typical of {escaped(suggested)}</div>')
        picked = strip(_plain(typical), 8, key="noise-typical", size=84)
        clicked = picked if clicked is None else clicked
    return clicked


def _plain(rows: list[int] | tuple[int, ...]) -> Subjects:
    some = np.asarray(rows, np.int64)
    return Subjects(some, np.zeros(len(some), np.float32), [""] * len(some))


def _progress(found: Queue) -> None:
    """How right the queue was so far, what is still to come, when to stop."""
    k, n, low, high = found.precision()
    got, total, ahead = review.advice(found)
    words.section("So far")
    if n:
        words.html(f'<p class="r-saw"><b>{k:,} of {n:,}</b> judged were wrong: {percent(k / n)} '
                   f"(95 % interval {percent(low)} to {percent(high)}). {got:,} of about "
                   f"{total:,.0f} found.</p>")  # fmt: skip
    else:
        words.html('<p class="r-saw">Nobody has judged a picture yet.</p>')
    stop = "Looking on pays little: stop here" if ahead < review.SPARSE else "Go on"
    words.html(f'<p class="r-faint">{stop}. About {percent(ahead)} of the next {review.NEXT} are '
               "expected to be wrong.</p>")  # fmt: skip
    _curve(found)


def _curve(found: Queue) -> None:
    share = found_by(found.wrong, found.decided)
    n = len(share)
    most = min(n, max(50, 2 * look_at(found.wrong, 0.95, found.decided)))
    places = np.unique(np.geomspace(1, most, 80).astype(int))
    drawn = Chart("line", "Look at N to find X", "pictures looked at",
                  "share of wrong labels found", places.tolist(),
                  {"expected": share[places - 1].tolist(), "at random": (places / n).tolist()},
                  )  # fmt: skip
    chart(drawn, "noise-curve")


def _pairs(found: Queue) -> None:
    suspected = found.pairs(LEAST)
    if not suspected.any():
        return
    words.section("What is labelled as what", "Label down, what it looks like across; a number "
                  "brings its pictures into the queue.")  # fmt: skip
    names = _most(found, suspected)
    place = {c: i for i, c in enumerate(names)}
    counts = np.zeros((len(names), len(names)), np.int64)
    for given, looks in zip(found.given[suspected], found.suggested[suspected], strict=True):
        if given in place and looks in place:
            counts[place[given], place[looks]] += 1
    table(names, names, counts.tolist(), title="Label by look", key="noise-pairs",
          on_pick=lambda i, j: _pick(names, i, j))  # fmt: skip
    link_to_rows(found.rows[suspected][:90], "Look at the first of them in Browse")


def _most(found: Queue, suspected: np.ndarray) -> list[str]:
    both = np.concatenate([found.given[suspected], found.suggested[suspected]])
    names, counts = np.unique(both.astype(str), return_counts=True)
    top = set(names[np.argsort(-counts, kind="stable")[:MOST_CLASSES]].tolist())
    return [c for c in opened.evidence().dataset.class_names if c in top]


def _pick(names: list[str], i: int | None, j: int | None) -> None:
    _choose((names[i], names[j]) if i is not None and j is not None else None)


def _choose(cell: tuple[str, str] | None) -> None:
    st.session_state[CELL] = cell


main()
