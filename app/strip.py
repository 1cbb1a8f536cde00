"""Which pictures does a finding mean? Its worst subjects, copies side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from app import opened
from recipe_core import recipe
from recipe_core.kernel.nouns import Subjects
from recipe_core.reporting.wording import visible

_HERE = Path(__file__).parent
_strip = st.components.v2.component(
    "recipe.strip",
    css=_HERE.joinpath("strip.css").read_text(encoding="utf-8"),
    js="\n".join(_HERE.joinpath(f).read_text(encoding="utf-8") for f in ("reach.js", "strip.js")),
)
IN_A_GROUP = 6
"""Pictures of one group: a group of hundreds shows its first, the link shows them all."""


def _nothing() -> None:
    """A trigger exists only where it has a callback; the rerun itself does the work."""


def strip(subjects: Subjects, most: int, *, key: str, size: int = 104) -> int | None:
    """Draw up to `most` of the worst subjects; the row that was just clicked, None else."""
    chosen = worst(subjects, most)
    data = {
        "token": opened.token(), "size": size, "grouped": subjects.groups is not None,
        "groups": described(subjects, chosen),
    }  # fmt: skip
    result: Any = _strip(key=key, data=data, height="content", on_inspect_change=_nothing)
    return int(result.inspect["row"]) if result.inspect else None


def worst(subjects: Subjects, most: int) -> list[list[int]]:
    """Places in `subjects`, worst first: one list per group, or one each where there are none."""
    order = np.argsort(subjects.scores, kind="stable")
    if subjects.groups is None:
        return [[int(i)] for i in order[:most]]
    chosen: dict[int, list[int]] = {}
    left = most
    for i in order:
        group = int(subjects.groups[i])
        if left <= 0 and group not in chosen:
            break
        members = chosen.setdefault(group, [])
        if not members:
            members += [int(m) for m in np.flatnonzero(subjects.groups == group)[:IN_A_GROUP]]
            left -= len(members)
    return list(chosen.values())


def described(subjects: Subjects, chosen: Sequence[Sequence[int]]) -> list[list[dict[str, Any]]]:
    """What the browser needs to draw each sample; names with invisible characters made visible."""
    places = [i for group in chosen for i in group]
    rows = subjects.rows[places] if places else np.empty(0, np.int64)
    named = dict(zip(places, opened.names().take(rows), strict=True))
    return [[_sample(subjects, i, *named[i]) for i in group] for group in chosen]


def _sample(subjects: Subjects, i: int, path: str, label: str, error: str) -> dict[str, Any]:
    return {
        "row": int(subjects.rows[i]), "path": visible(path), "label": visible(label),
        "error": error, "detail": visible(subjects.details[i]),
        # asked here, so that the browser never asks for one that is not there
        "picture": recipe.thumbnail(opened.workspace(), int(subjects.rows[i])) is not None,
    }  # fmt: skip
