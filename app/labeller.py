"""What is this? One picture after another, one key each; the browser does not wait for the server.

The given label never goes to the browser, nor does a file name, which often holds it. Answers are
sent one by one and kept in the browser until the server has stored them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from app import answering, opened
from recipe_core.reporting.wording import visible
from recipe_core.skeleton import labelling
from recipe_core.store.answers import Labelling

_HERE = Path(__file__).parent
_labeller = st.components.v2.component(
    "recipe.labeller",
    css=_HERE.joinpath("labeller.css").read_text(encoding="utf-8"),
    js=_HERE.joinpath("labeller.js").read_text(encoding="utf-8"),
)
DIGITS, LETTERS = "1234567890", "abcdefghijklmnopqrstuvwxyz"
MOST_KEYS = len(DIGITS) + len(LETTERS)


def labeller(asked: Labelling, number: int) -> bool:
    """Draw the pass where it stands; whether its last picture has just been answered."""
    result: Any = _labeller(
        key=f"labeller-{asked.id}-{number}", data=given(asked, number), height="content",
        on_done_change=_nothing,
    )  # fmt: skip
    return bool(result.done)


def _nothing() -> None:
    """A trigger exists only where it has a callback; the rerun itself does the work."""


def given(asked: Labelling, number: int) -> dict[str, Any]:
    """What the browser gets: rows in the order of the pass, and what was answered, as codes.

    answered  places in the order in which they were answered, with the code of the answer
    """
    ids = labelling.order(asked, number)
    rows = labelling.rows_of(opened.evidence(), ids)
    places = {sample: i for i, sample in enumerate(ids) if rows[i] >= 0}
    code = {name: i for i, name in enumerate(asked.class_names)}
    found = labelling.answers(opened.workspace()).answered(asked.id, number)
    return {
        "address": f"api/answer/{asked.id}/{number}/{answering.key(asked.id, number)}",
        "token": opened.token(), "size": asked.image_size,
        "rows": [int(rows[i]) for i in range(len(ids))],
        "classes": [visible(name) for name in asked.class_names],
        "keys": keys_for(asked.class_names),
        "answered": [[places[a.sample_id], code.get(a.name, labelling.UNTOLD)] for a in found
                     if a.sample_id in places],
    }  # fmt: skip


def keys_for(names: Sequence[str]) -> list[str]:
    """A key for every class: digits for up to ten; then letters, where one can a letter of the
    name; [] where there are more classes than keys, and the name is typed."""
    if len(names) <= len(DIGITS):
        return list(DIGITS[: len(names)])
    if len(names) > MOST_KEYS:
        return []
    taken: dict[str, int] = {}
    for letters in (lambda n: n[:1], lambda n: n[1:], lambda n: LETTERS + DIGITS):
        for i, name in enumerate(names):
            if i not in taken.values():
                free = [c for c in letters(name.lower()) if c in LETTERS + DIGITS]
                first = next((c for c in free if c not in taken), None)
                if first is not None:
                    taken[first] = i
    by_class = {i: c for c, i in taken.items()}
    return [by_class[i] for i in range(len(names))]
