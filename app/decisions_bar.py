"""What is to become of these samples? Tag, leave out, keep, relabel, note; and take it back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc
import streamlit as st

from app import opened, words
from app.views import Rows
from recipe_core import recipe
from recipe_core.kernel.errors import RecipeError
from recipe_core.reporting.wording import counted, escaped, in_markdown, shortened
from recipe_core.store.decisions import Batch, Kind

DONE: dict[str, str] = {
    "exclude": "Left out", "include": "Kept", "tag": "Tagged", "untag": "Tag taken off",
    "relabel": "Relabelled", "note": "Noted",
}  # fmt: skip
OWN_LABEL = "(the data set's own)"
MOST_LENGTH = 400


def bar(rows: Rows, key: str) -> None:
    """Draw what can be decided about these rows; nothing is offered where there are none.

    key  tells several bars on one page apart
    """
    idle = not len(rows)
    with st.container(
        horizontal=True, key=f"decide-{key}", gap="small", vertical_alignment="center"
    ):
        _button("Leave out", "exclude", rows, key, ":material/block:", "X in the grid")
        _button("Keep", "include", rows, key, ":material/check:",
                "It stays in whatever a finding says.")  # fmt: skip
        with st.popover("Tag", icon=":material/sell:", disabled=idle):
            _tagging(rows, key)
        with st.popover("Relabel", icon=":material/edit:", disabled=idle):
            _relabelling(rows, key)
        with st.popover("Note", icon=":material/sticky_note_2:", disabled=idle):
            _noting(rows, key)
        back, forth = recipe.reversible(opened.workspace())
        st.button("Undo", key=f"undo-{key}", icon=":material/undo:", on_click=undo,
                  help="Takes back the last decision, whoever made it.",
                  disabled=not back)  # fmt: skip
        st.button("Redo", key=f"redo-{key}", icon=":material/redo:", on_click=redo,
                  disabled=not forth)  # fmt: skip


def _button(text: str, kind: Kind, rows: Rows, key: str, icon: str, why: str) -> None:
    st.button(text, key=f"{kind}-{key}", icon=icon, help=why, disabled=not len(rows),
              on_click=decide, args=(kind, rows, None))  # fmt: skip


def _tagging(rows: Rows, key: str) -> None:
    known = tags()
    tag = st.selectbox("Tag", known, index=None, accept_new_options=True, key=f"tag-name-{key}",
                       placeholder="Choose or type a new one")  # fmt: skip
    tag = (tag or "").strip()[:MOST_LENGTH]
    with st.container(horizontal=True):
        st.button("Add", key=f"tag-{key}", disabled=not tag, on_click=decide,
                  args=("tag", rows, tag), type="primary")  # fmt: skip
        st.button("Take off", key=f"untag-{key}", disabled=not tag, on_click=decide,
                  args=("untag", rows, tag))  # fmt: skip
    if known:
        named = ", ".join(f"{i} {escaped(shortened(t, 24))}" for i, t in enumerate(known[:9], 1))
        words.html(f'<span class="r-faint">Keys in the grid: {named}</span>')


def _relabelling(rows: Rows, key: str) -> None:
    _as_suggested(rows, key)
    names = [*opened.evidence().dataset.class_names, OWN_LABEL]
    label = st.selectbox(
        "Its class", names, index=None, accept_new_options=True, key=f"relabel-name-{key}",
        placeholder="Choose or type a new one",
    )  # fmt: skip
    value = None if label == OWN_LABEL else (label or "").strip()[:MOST_LENGTH]
    st.button("Relabel", key=f"relabel-{key}", disabled=value == "", on_click=decide,
              args=("relabel", rows, value), type="primary")  # fmt: skip


def _as_suggested(rows: Rows, key: str) -> None:
    """Offer each sample's own suggestion, where label noise was estimated and has another one."""
    if not opened.evidence().has(recipe.SUGGESTED):
        return
    chosen, labels = recipe.suggested(opened.evidence(), rows)
    counts = Counter(labels).most_common(3)
    text = ", ".join(f"{escaped(shortened(label, 40))} for {n:,}" for label, n in counts)
    more = f" and {len(set(labels)) - 3} more labels" if len(set(labels)) > 3 else ""
    told = f"Suggested: {text}{more}" if labels else "No other label is suggested for these."
    words.html(f'<span class="r-faint">{told}</span>')
    st.button(
        f"Relabel {counted(len(chosen), 'sample')} as suggested", key=f"suggested-{key}",
        disabled=not labels, on_click=relabel_as_suggested, args=(rows,),
    )  # fmt: skip


def _noting(rows: Rows, key: str) -> None:
    text = st.text_area("Note", key=f"note-text-{key}", max_chars=2000, placeholder="What to know")
    st.button("Save the note", key=f"note-{key}", type="primary", on_click=decide,
              args=("note", rows, (text or "").strip() or None))  # fmt: skip


# -- doing it -----------------------------------------------------------------------------------


def decide(kind: Kind, rows: Rows, value: str | None) -> None:
    """Write it down for all of these rows as one act, and say so."""
    if not len(rows):
        return
    if kind == "tag" and value:
        _remember(value)
    _told(lambda: recipe.decide(opened.workspace(), kind, rows, value), DONE[kind])


def relabel_as_suggested(rows: Rows) -> None:
    """Give each of these rows its suggested label, as one act, and say so."""
    _told(lambda: recipe.relabel_as_suggested(opened.workspace(), rows), DONE["relabel"])


def undo() -> None:
    """Take the last act back, and say what it was."""
    _told(lambda: recipe.undo(opened.workspace()), "Taken back")


def redo() -> None:
    """Bring back what was taken back last, and say what it was."""
    _told(lambda: recipe.redo(opened.workspace()), "Brought back")


def _told(act: Callable[[], Batch | None], done: str) -> None:
    """Do it; the page says what was done, or why it could not be, when it is drawn next."""
    try:
        batch = act()
    except RecipeError as e:
        st.session_state["decided-problem"] = str(e)
        return
    st.session_state["decided"] = said(batch, done)


def said(batch: Batch | None, done: str) -> str:
    """An act as Markdown: what, about how many samples, with which value."""
    if batch is None:
        return "There is nothing to take back or to bring back."
    again = done not in DONE.values()
    what = f"{done}: {DONE.get(batch.kind, batch.kind).lower()}" if again else done
    value = f" “{in_markdown(shortened(batch.value, 60))}”" if batch.value else ""
    return f"{what}{value}: {counted(batch.n, 'sample')}."


def announce() -> None:
    """Say what was decided since the page was drawn last."""
    text = st.session_state.pop("decided", None)
    if text:
        st.toast(text)
    wrong = st.session_state.pop("decided-problem", None)
    if wrong:
        words.problem(wrong)


def command(name: str, rows: Rows) -> None:
    """What a key in the grid means: exclude, include, undo, redo, tag1 … tag9."""
    if name in ("exclude", "include"):
        decide(name, rows, None)  # type: ignore[arg-type]
    elif name == "undo":
        undo()
    elif name == "redo":
        redo()
    elif name.removeprefix("tag").isdigit():
        _tag_by_number(int(name.removeprefix("tag")), rows)


def _tag_by_number(number: int, rows: Rows) -> None:
    known = tags()
    if not 1 <= number <= len(known):
        st.session_state["decided"] = (
            f"There is no tag {number} yet: add one under Tag, then this key sets it."
        )
        return
    decide("tag", rows, known[number - 1])


# -- what there is ------------------------------------------------------------------------------


def tags() -> list[str]:
    """Every tag in use. In a session a tag keeps its number: its key must not change meaning."""
    kept: list[str] = st.session_state.setdefault("tags", [])
    for tag in sorted(_tags_in(recipe.decided(opened.workspace()))):
        _remember(tag)
    return kept


def _remember(tag: str) -> None:
    kept: list[str] = st.session_state.setdefault("tags", [])
    if tag not in kept:
        kept.append(tag)


def _tags_in(decided: pa.Table) -> set[str]:
    return (
        set(pc.unique(pc.list_flatten(decided["tags"])).to_pylist()) if decided.num_rows else set()
    )


def counts() -> str:
    """How many samples something is decided about, in a line; '' where nothing is."""
    decided = recipe.decided(opened.workspace())
    if not decided.num_rows:
        return ""
    excluded = decided["excluded"]
    numbers = {
        "left out": pc.sum(excluded).as_py() or 0,
        "kept": pc.sum(pc.invert(excluded)).as_py() or 0,
        "relabelled": decided.num_rows - decided["label"].null_count,
        "tagged": pc.sum(pc.greater(pc.list_value_length(decided["tags"]), 0)).as_py() or 0,
        "with a note": decided.num_rows - decided["note"].null_count,
    }
    return " · ".join(f"{n:,} {name}" for name, n in numbers.items() if n)
