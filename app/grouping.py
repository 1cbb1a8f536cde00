"""Which samples does the grid show, and which of them stand together under one heading?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from app import filters, opened, views
from app.gallery import Group
from app.views import Rows
from recipe_core.data.browse import Browser, Filter, Order
from recipe_core.data.embedded import CLUSTER
from recipe_core.kernel.nouns import Finding
from recipe_core.reporting.wording import counted, shortened

UNGROUPED, BY_FINDING, BY_LIKENESS = "", "finding group", "cluster"
Numbers = np.ndarray


@dataclass(frozen=True)
class Grouping:
    """What samples have in common that stand together.

    by          a column, BY_FINDING, BY_LIKENESS, or UNGROUPED
    n_clusters  how many, by likeness
    """

    by: str = UNGROUPED
    n_clusters: int = 0


@dataclass(frozen=True)
class View:
    """What the grid shows: key and length of the view, headings, the finding it is about."""

    key: str
    total: int
    groups: tuple[Group, ...]
    finding: Finding | None


def open_view(
    place: Browser, filter: Filter, order: Order, group: Grouping, *, whole: bool = True
) -> View:
    """The view of this filter and order; members of a group stand together.

    whole  whether a finding brings along the members of its groups that it does not blame
    """
    finding = single_finding(filter)
    moved = tuple(sorted(finding.thresholds.items())) if finding else ()
    parts = (filter, order, group, whole, finding.check if finding else "", moved)
    key, total = views.open_view(parts, lambda: grouped(
        place, rows_of(place, filter, order, finding, whole=whole), group, finding))  # fmt: skip
    rows = views.VIEWS.get(key)
    headings = sections(place, rows, group, finding) if rows is not None and group.by else ()
    return View(key, total, headings, finding)


def single_finding(filter: Filter) -> Finding | None:
    """The finding that the filter asks for, under this session's thresholds; None for several."""
    chosen = filter.chosen("finding")
    return opened.finding(chosen[0]) if len(chosen) == 1 and chosen[0] else None


def rows_of(
    place: Browser, filter: Filter, order: Order, finding: Finding | None, *, whole: bool
) -> Rows:
    """The filtered rows in order; those of one finding, as it is now, worst first."""
    if finding is None:
        return place.rows(filter, order)
    others = place.rows(filter.with_values("finding", ()), order)
    wanted = views.together_worst_first(finding.subjects)
    if not whole:
        wanted = wanted[np.isin(wanted, finding.subjects.blamed())]
    return views.among(others, wanted, worst_first=order == Order())


def not_blamed(finding: Finding) -> int:
    """How many samples are in the finding's groups without being to blame."""
    return len(np.unique(finding.subjects.rows)) - len(finding.subjects.blamed())


def blame(finding: Finding, whole: bool) -> str:
    """Which of the shown samples the finding blames."""
    blamed = counted(len(finding.subjects.blamed()), "sample")
    fine = counted(not_blamed(finding), "sample")
    if whole:
        return f"It blames {blamed}; beside them {fine} that may stay, without its mark."
    return f"It blames {blamed}. Not shown: {fine} that may stay."


# -- groups -------------------------------------------------------------------------------------


def group_numbers(
    place: Browser, group: Grouping, finding: Finding | None
) -> tuple[Numbers, Callable[[int], str]]:
    """(n,) int64 group of every sample, and what each group is called; -1: in none."""
    found = opened.evidence()
    if group.by == BY_LIKENESS:
        numbers = place.clusters(group.n_clusters)
        return numbers.astype(np.int64), cluster_names(place, numbers)
    if group.by == BY_FINDING and finding is not None and finding.subjects.groups is not None:
        numbers = np.full(len(found), -1, np.int64)
        numbers[finding.subjects.rows] = finding.subjects.groups
        return numbers, lambda number: f"Group {number + 1}" if number >= 0 else "In no group"
    if group.by not in found.samples.column_names:
        return np.zeros(len(found), np.int64), lambda _: ""
    codes, names = found.codes(group.by)
    if group.by == CLUSTER:
        return codes.astype(np.int64), cluster_names(place, codes)
    return codes.astype(np.int64), lambda code: filters.value_name(
        group.by, names[code] if code >= 0 else None, 80
    )


def cluster_names(place: Browser, numbers: Numbers) -> Callable[[int], str]:
    """Each cluster by its number and the label that most of its samples have, with its share."""

    def name(number: int) -> str:
        if number < 0:
            return "Without a picture"
        label, share = place.most_common("label", np.flatnonzero(numbers == number))
        mostly = f": {share:.0%} {shortened(label, 60)}" if label else ""
        return f"Cluster {number + 1}{mostly}"

    return name


def grouped(place: Browser, rows: Rows, group: Grouping, finding: Finding | None) -> Rows:
    """The rows with the members of each group together, groups in order, those in none last."""
    if not group.by:
        return rows
    numbers, _ = group_numbers(place, group, finding)
    mine = numbers[rows]
    if group.by == BY_FINDING:  # in the order in which the view reaches them: the worst group first
        _, first, reached = np.unique(mine, return_index=True, return_inverse=True)
        mine = first[reached]
    return rows[np.argsort(np.where(numbers[rows] < 0, len(numbers), mine), kind="stable")]


def sections(
    place: Browser, rows: Rows, group: Grouping, finding: Finding | None
) -> tuple[Group, ...]:
    """(title, number of samples) of each group along the rows."""
    if not len(rows):
        return ()
    numbers, name = group_numbers(place, group, finding)
    mine = numbers[rows]
    starts = np.concatenate([[0], np.flatnonzero(np.diff(mine)) + 1])
    lengths = np.diff(np.append(starts, len(mine)))
    return tuple((name(int(mine[s])), int(n)) for s, n in zip(starts, lengths, strict=True))
