"""How are a million samples looked at? A grid that fetches what is on screen, 128 at a time.

The browser never holds the data set: a selection is a few ranges of places in the view, so all of
a million selected samples are one pair of numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from app import marks
from app.views import VIEWS, Rows

_HERE = Path(__file__).parent
_grid = st.components.v2.component(
    "recipe.gallery",
    css=_HERE.joinpath("gallery.css").read_text(encoding="utf-8"),
    js=_HERE.joinpath("gallery.js").read_text(encoding="utf-8"),
)
COMMANDS = ("exclude", "undo", "redo", *(f"tag{i}" for i in range(1, 10)))
"""What keys of the grid ask for: x, u, U and the digits. The page decides what it means."""
MOST_GROUPS = 20_000
"""Headings that are sent to the browser (about 1 MB); further groups share the last one."""

Group = tuple[str, int]


@dataclass(frozen=True)
class Selection:
    """Which samples of a view are chosen: ranges of places, half open, in order, apart."""

    view: str = ""
    total: int = 0
    ranges: tuple[tuple[int, int], ...] = ()

    def __len__(self) -> int:
        return sum(last - first for first, last in self.ranges)

    @property
    def all(self) -> bool:
        """Whether everything in the view is chosen."""
        return self.total > 0 and len(self) == self.total

    def rows(self) -> Rows:
        """(k,) int64 row numbers in the view's order; none where the view is gone."""
        order = VIEWS.get(self.view)
        if order is None or not self.ranges:
            return np.empty(0, np.int64)
        return np.concatenate([order[first:last] for first, last in self.ranges])


@dataclass(frozen=True)
class Acted:
    """What was done in the grid just now, and what is selected.

    inspect    row of the sample that was clicked or entered, None where none was
    place      its place in the view
    selection  what is selected now, whatever else was done
    command    one of COMMANDS, None where no key asked for anything
    about      the samples that the command is about: those selected when the key was pressed, else
               the one under the cursor
    """

    inspect: int | None = None
    place: int | None = None
    selection: Selection = Selection()
    command: str | None = None
    about: Selection = Selection()


def gallery(
    view: str,
    total: int,
    *,
    size: int,
    height: str,
    key: str = "gallery",
    question: str = "",
    boxes: bool = False,
    groups: Sequence[Group] = (),
) -> Acted:
    """Draw the view's samples.

    view      key of `views.open_view`, over `total` rows
    size      least width of a cell in CSS pixels; captions from 96 on
    height    CSS length of the grid
    question  what the view answers (filter and order, as text). Where the rows change under the
              same question, say after an exclusion, the grid stays where it was
    boxes     whether annotated boxes are drawn over the pictures
    groups    (title, number of samples) of each section of the view, in its order; together `total`
    """
    data = {
        "view": view, "total": total, "size": size, "height": height, "question": question,
        "boxes": boxes, "groups": headings(groups, total), "marks": marks.state(),
        "badges": marks.badges(), "seen": _seen(key),
    }  # fmt: skip
    result: Any = _grid(
        key=key, data=data, height="content",
        on_inspect_change=_nothing, on_expired_change=_nothing, on_command_change=_nothing,
        on_selection_change=_nothing,
    )  # fmt: skip
    if result.expired:  # the page, not this fragment, knows how to open the view anew
        st.rerun()
    return _acted(result, view, total, key)


def _nothing() -> None:
    """A trigger exists only where it has a callback; the rerun itself does the work."""


def headings(groups: Sequence[Group], total: int) -> list[tuple[str, int]]:
    """The groups as they are sent: at most MOST_GROUPS, and whatever is left over at the end."""
    if not groups:
        return []
    shown = [(str(title), int(n)) for title, n in groups[:MOST_GROUPS] if n > 0]
    left = total - sum(n for _, n in shown)
    if left < 0:
        raise ValueError(f"the groups hold {-left} samples more than the view")
    more = len(groups) - MOST_GROUPS
    return [*shown, (f"{more:,} more groups" if more > 0 else "Others", left)] if left else shown


def selected(sent: object, view: str, total: int) -> Selection:
    """The selection that a browser sent; nothing of it is trusted but numbers within the view."""
    ranges = sent.get("ranges") if isinstance(sent, dict) else None
    if not isinstance(ranges, list):
        return Selection(view, total)
    pairs = [r for r in ranges if isinstance(r, list) and len(r) == 2 and all(map(_whole, r))]
    return Selection(view, total, tuple(_apart(pairs, total)))


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _apart(pairs: Iterable[list[int]], total: int) -> Iterable[tuple[int, int]]:
    """Sorted, cut at 0 and `total`, each place once."""
    reached = 0
    for low, high in sorted(pairs):
        first, last = max(low, reached), min(high, total)
        if first < last:
            yield first, last
            reached = last


def _acted(result: Any, view: str, total: int, key: str) -> Acted:
    row, place = _inspected(result.inspect, view)
    sent = result.selection
    is_this = isinstance(sent, dict) and sent.get("view") == view
    command, about = _commanded(result.command, key)
    return Acted(row, place, selected(sent if is_this else None, view, total), command, about)


def _inspected(sent: object, view: str) -> tuple[int | None, int | None]:
    order = VIEWS.get(view)
    place = sent.get("place") if isinstance(sent, dict) else None
    if order is None or not isinstance(place, int) or not _whole(place):
        return None, None
    return (int(order[place]), place) if 0 <= place < len(order) else (None, None)


def _commanded(sent: object, key: str) -> tuple[str | None, Selection]:
    """The command, once: the browser sends it again until it sees its number in `seen`.

    It is about the view that the person saw, which may be an earlier one than this run's.
    """
    if not isinstance(sent, dict) or sent.get("name") not in COMMANDS:
        return None, Selection()
    number, view = sent.get("id"), sent.get("view")
    order = VIEWS.get(view) if isinstance(view, str) else None
    if not isinstance(number, int) or number <= _seen(key) or order is None:
        return None, Selection()
    st.session_state[_seen_key(key)] = number
    return str(sent["name"]), selected(sent, str(view), len(order))


def _seen(key: str) -> int:
    """The number of the last command that this session took from the grid."""
    return int(st.session_state.get(_seen_key(key), 0))


def _seen_key(key: str) -> str:
    return f"{key}:seen"
