"""Which rows does the grid show, in which order?

A view is one vector of row numbers. It is worked out once for a filter and a sort, kept for all
sessions, and cut into windows; a million rows are 8 MB.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from app import marks, opened
from recipe_core.kernel.nouns import Subjects

Rows = npt.NDArray[np.int64]
MOST_BYTES = 256 * 2**20
"""What all views together may hold before the one longest unused goes: 32 views of a million."""


class Views:
    """Row vectors by key, the least recently used dropped first; safe between threads."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._kept: OrderedDict[str, Rows] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> Rows | None:
        """The rows behind a key, None where it was dropped or never was."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: str, rows: Rows) -> None:
        """Keep the rows; older views go until all fit, this one stays whatever its size."""
        with self._lock:
            self._kept[key] = rows
            self._kept.move_to_end(key)
            while len(self._kept) > 1 and self._bytes() > self.most_bytes:
                self._kept.popitem(last=False)

    def _bytes(self) -> int:
        return sum(rows.nbytes for rows in self._kept.values())


VIEWS = Views(MOST_BYTES)
ANSWERS = 4096
"""Questions whose view's key is remembered: a key is 32 characters."""
_answers: OrderedDict[str, str] = OrderedDict()
_answers_lock = threading.Lock()


def open_view(parts: tuple[object, ...], rows: Callable[[], Rows]) -> tuple[str, int]:
    """(key, number of rows) of the view that `parts` describe; `rows` is asked only if it is new.

    The key stands for the rows and the results they are of: two questions with one answer share a
    view, and a decision that moves no row out of the view leaves its key as it was. After another
    scan an old key shows nothing wrong, it shows nothing.
    """
    question = opened.key("question", *_place(), marks.state(), *parts)
    with _answers_lock:
        key = _answers.get(question)
    kept = VIEWS.get(key) if key else None
    if key is None or kept is None:
        kept = rows()
        key = _key_of(kept)
        VIEWS.put(key, kept)
        _remember(question, key)
    return key, len(kept)


def _place() -> tuple[str, str]:
    return str(opened.workspace()), opened.state()


def _key_of(rows: Rows) -> str:
    narrow = np.ascontiguousarray(rows, np.int32)  # half the bytes to go over; rows fit
    digest = hashlib.blake2b(narrow.data, digest_size=16).hexdigest()
    return opened.key("view", *_place(), digest)


def _remember(question: str, key: str) -> None:
    with _answers_lock:
        _answers[question] = key
        while len(_answers) > ANSWERS:
            _answers.popitem(last=False)


def among(rows: Rows, wanted: Rows, *, worst_first: bool) -> Rows:
    """(k,) those of `rows` that are in `wanted`, once each: in `wanted`'s order or their own."""
    if not worst_first:
        return rows[np.isin(rows, wanted)]
    _, first = np.unique(wanted, return_index=True)
    in_order = wanted[np.sort(first)]
    return in_order[np.isin(in_order, rows)]


def together_worst_first(subjects: Subjects) -> Rows:
    """(k,) the subjects' rows, worst first; members of a group follow its worst one."""
    if subjects.groups is None:
        return subjects.rows[np.argsort(subjects.scores, kind="stable")]
    _, group = np.unique(subjects.groups, return_inverse=True)
    worst = np.full(group.max(initial=-1) + 1, np.inf)
    np.minimum.at(worst, group, subjects.scores)
    return subjects.rows[np.lexsort((subjects.scores, group, worst[group]))]
