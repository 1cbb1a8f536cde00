"""Which samples does one mean, in which order, and what are they like?

A Filter says which, an Order in which order; a Browser answers both for one state of the results
and the decisions, over vectors in memory (vectors.py). `recipe.browser(workspace)` makes it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from recipe_core.data import clusters, comparing, similar
from recipe_core.data.embedded import Embedded
from recipe_core.data.vectors import Category, Kept, Marks, Mask, Rows, Vectors, ordered, within
from recipe_core.kernel.errors import Misuse, UnknownName
from recipe_core.kernel.progress import Progress, silent

FINDING, TAG, DECISION = "finding", "tag", "decision"
VIRTUAL = (FINDING, TAG, DECISION)
"""Categories beside the sample table's columns. A sample may have several values of each; the value
None stands for samples without a finding or a tag; decisions have `undecided` instead."""
DECISIONS = ("excluded", "kept", "relabelled", "undecided")
MOST_SHOWN = 200
KEPT_BYTES = 96 * 2**20
"""Masks, orders and row vectors together: a row vector of a million samples takes 8 MB."""
FEW = 16
"""Below a 16th of the samples it is faster to sort them than to pick them from all in order."""


@dataclass(frozen=True)
class Filter:
    """Which samples are meant: those that satisfy all parts. Empty: all.

    values   category -> accepted values (None: null), see Browser.categorical and VIRTUAL
    ranges   measured column, lowest, highest value (both included; None: open); excludes nulls
    search   part of the path or the label, in any case
    where    SQL expression over the sample table
    """

    values: tuple[tuple[str, tuple[str | None, ...]], ...] = ()
    ranges: tuple[tuple[str, float | None, float | None], ...] = ()
    search: str = ""
    where: str = ""

    def but(self, **changes: Any) -> Filter:
        """A changed copy."""
        return replace(self, **changes)

    def with_values(self, column: str, values: Sequence[str | None]) -> Filter:
        """Accept only these values of a category; none given: any."""
        others = tuple(v for v in self.values if v[0] != column)
        return self.but(values=(*others, (column, tuple(values))) if values else others)

    def with_range(self, column: str, low: float | None, high: float | None) -> Filter:
        """Accept only low … high of a measured column; both None: any."""
        low, high = (b if b is not None and math.isfinite(b) else None for b in (low, high))
        others = tuple(r for r in self.ranges if r[0] != column)
        bounded = low is not None or high is not None
        return self.but(ranges=(*others, (column, low, high)) if bounded else others)

    def without(self, column: str) -> Filter:
        """The filter without what it says about one column."""
        return self.with_values(column, ()).with_range(column, None, None)

    def chosen(self, column: str) -> tuple[str | None, ...]:
        """The accepted values of a category, () where any is."""
        return next((v for c, v in self.values if c == column), ())

    def range_of(self, column: str) -> tuple[float | None, float | None]:
        """The accepted range of a measured column."""
        return next(((low, high) for c, low, high in self.ranges if c == column), (None, None))

    def to_json(self) -> str:
        """Compact JSON; parts that say nothing are left out."""
        return _compact({k: v for k, v in asdict(self).items() if v})

    @staticmethod
    def from_json(text: str) -> Filter:
        """The filter that `to_json` wrote. Raises Misuse for anything else (links get edited)."""
        stored = _object(text, {"values", "ranges", "search", "where"})
        values = [(_text(c), tuple(_text_or_none(v) for v in vs))
                  for c, vs in _lists(stored, "values", 2)]  # fmt: skip
        ranges = [(_text(c), _bound(low), _bound(high))
                  for c, low, high in _lists(stored, "ranges", 3)]  # fmt: skip
        search, where = _text(stored.get("search", "")), _text(stored.get("where", ""))
        return Filter(tuple(values), tuple(ranges), search, where)


@dataclass(frozen=True)
class Order:
    """In which order: by a column (nulls last, ties in table order), at random, or by likeness.

    seed   random order, the same for every filter
    like   a row: the most similar pictures first, those without a picture last
    """

    column: str = ""
    descending: bool = False
    seed: int | None = None
    like: int | None = None

    def to_json(self) -> str:
        """Compact JSON; parts that say nothing are left out."""
        said = {k: v for k, v in asdict(self).items() if v is not None and v is not False}
        return _compact({k: v for k, v in said.items() if v != ""})

    @staticmethod
    def from_json(text: str) -> Order:
        """The order that `to_json` wrote. Raises Misuse for anything else."""
        stored = _object(text, {"column", "descending", "seed", "like"})
        down = stored.get("descending", False)
        if not isinstance(down, bool):
            raise Misuse(f"{text[:200]!r} is no stored order.")
        seed, like = (_whole(stored.get(k)) for k in ("seed", "like"))
        return Order(_text(stored.get("column", "")), down, seed, like)


EVERYTHING = Filter()
AS_READ = Order()


@dataclass(frozen=True)
class Histogram:
    """How a measured column is spread.

    edges       (b + 1,) float64; whole numbers: of whole width; others: even over the middle 99 %,
                the first and last bin reach to the extremes
    all_counts  (b,) int64 over all samples
    counts      (b,) int64 over the filter without its own range of this column
    """

    edges: npt.NDArray[np.float64]
    all_counts: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Crosstab:
    """How often values of two categories meet in the filtered samples.

    a_values, b_values  at most MOST_SHOWN each, the most frequent ones, in the order of the column
    counts              (len(a_values), len(b_values)) int64
    a_more, b_more      how many further values there are
    """

    a_values: tuple[str | None, ...]
    b_values: tuple[str | None, ...]
    counts: npt.NDArray[np.int64]
    a_more: int = 0
    b_more: int = 0


@dataclass(frozen=True)
class Scatter:
    """Two measured columns against each other.

    rows      (k,) int64 the shown samples, ascending
    x, y      (k,) float32 or float64
    colour    (k,) float (NaN: null) or object of str | None; None where no column was asked for
    n_total   filtered samples with both values, of which k are shown
    density   (bins of y, bins of x) int64 counts of all n_total
    x_edges, y_edges  even, over all samples
    """

    rows: Rows
    x: npt.NDArray[Any]
    y: npt.NDArray[Any]
    colour: npt.NDArray[Any] | None
    n_total: int
    density: npt.NDArray[np.int64]
    x_edges: npt.NDArray[np.float64]
    y_edges: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Decided:
    """What people decided, by row; changes with every decision while the vectors stay.

    state   number of the last decision
    """

    tags: Marks
    decisions: Marks
    state: int = 0


@dataclass(frozen=True)
class Sources:
    """Where a Browser turns for what is not in the vectors; asked only when it is needed."""

    where: Callable[[str], Rows]
    """Row numbers of a SQL expression, ascending. Raises Misuse."""
    descriptors: Callable[[Progress], npt.NDArray[np.float32]]
    """(n, d) float32 of every picture, NaN where there is none; made once, see similar.py."""
    embedded: Callable[[], Embedded | None] = lambda: None
    """What `recipe embed` left, None where it has not been run for these samples."""
    kept: Kept = field(default_factory=lambda: Kept(KEPT_BYTES))
    """Shared by the browsers of one state of the results: a decision leaves it warm."""


class Browser:
    """Answers for one state of the results and decisions; safe to use from many threads."""

    def __init__(self, vectors: Vectors, decided: Decided, sources: Sources) -> None:
        self._vectors = vectors
        self._decided = decided
        self._sources = sources
        self.n = vectors.n
        self.categorical = (*vectors.categorical, *VIRTUAL)
        self.numeric = vectors.numeric
        self.sortable = vectors.sortable

    # -- which, in which order --------------------------------------------------------------------

    def rows(self, filter: Filter = EVERYTHING, order: Order = AS_READ) -> Rows:
        """(k,) int64 rows that the filter means, in that order; do not write into it.

        Raises UnknownName for a column, Misuse for a bad expression.
        """
        key = ("rows", filter, order, self._state(filter))
        return self._sources.kept.get(key, lambda: self._rows(filter, order))

    def _rows(self, filter: Filter, order: Order) -> Rows:
        if order.like is not None:
            return self._picked(filter, ("like", order.like), lambda: self._like(order.like or 0))
        if order.seed is not None:
            seed = order.seed
            return self._picked(filter, ("seed", seed), lambda: self._shuffled(seed))
        if not order.column:
            return np.flatnonzero(self._mask(filter))
        keys = self._vectors.keys(order.column)
        everything = ("order", order.column, order.descending)
        rows = np.flatnonzero(self._mask(filter))
        if len(rows) * FEW < self.n and not self._sources.kept.has(everything):
            return rows[ordered(keys[rows], order.descending)]
        return self._picked(
            filter, everything, lambda: ordered(keys, order.descending).astype(np.int32)
        )

    def _picked(
        self, filter: Filter, key: tuple[Any, ...], make: Callable[[], npt.NDArray[Any]]
    ) -> Rows:
        """The filtered rows in an order of all samples, which is kept."""
        everything = self._sources.kept.get(key, make)
        return np.asarray(everything[self._mask(filter)[everything]], np.int64)

    def _shuffled(self, seed: int) -> npt.NDArray[Any]:
        if seed < 0:
            raise Misuse(f"The seed of a random order must be 0 or more, not {seed}.")
        return np.random.default_rng(seed).permutation(self.n).astype(np.int32)

    def _like(self, row: int) -> npt.NDArray[Any]:
        distances = self._distances(row).copy()
        distances[row] = -1  # itself before its exact copies
        return ordered(distances, False).astype(np.int32)

    def count(self, filter: Filter = EVERYTHING) -> int:
        """How many samples the filter means."""
        return int(np.count_nonzero(self._mask(filter)))

    def _state(self, filter: Filter) -> int | None:
        """Part of a cache's key: only filters by tag or decision change with decisions."""
        decided = any(c in (TAG, DECISION) for c, _ in filter.values)
        return self._decided.state if decided else None

    def _mask(self, filter: Filter) -> Mask:
        key = ("mask", filter, self._state(filter))
        return self._sources.kept.get(key, lambda: self._all_of(filter))

    def _all_of(self, filter: Filter) -> Mask:
        found = np.ones(self.n, bool)
        for column, values in filter.values:
            if values:
                found &= self._category(column).mask(values)
        for column, low, high in filter.ranges:
            if low is not None or high is not None:
                found &= within(self._vectors.numbers(column), low, high)
        if filter.search:
            found &= self._text_mask("search", filter.search)
        if filter.where.strip():
            found &= self._text_mask("where", filter.where)
        return found

    def _text_mask(self, kind: str, text: str) -> Mask:
        """Kept by itself: these are the slow parts, and they stay while facets are clicked."""
        make = self._vectors.contains if kind == "search" else self._where_mask
        return self._sources.kept.get((kind, text), lambda: make(text))

    def _where_mask(self, expression: str) -> Mask:
        mask = np.zeros(self.n, bool)
        mask[self._sources.where(expression)] = True
        return mask

    def _category(self, column: str) -> Category:
        virtual = {
            FINDING: self._vectors.findings,
            TAG: self._decided.tags,
            DECISION: self._decided.decisions,
        }
        if column in virtual:
            return virtual[column]
        if column not in self.categorical:
            raise UnknownName("category", column, self.categorical)
        return self._vectors.codes(column)

    # -- what are they like -----------------------------------------------------------------------

    def facets(self, filter: Filter = EVERYTHING) -> dict[str, list[tuple[str | None, int]]]:
        """Category -> (value, how many samples) with the most frequent first.

        Each ignores its own choice and follows the rest of the filter. At most MOST_SHOWN values,
        chosen ones always among them; values that no filtered sample has count 0 and come last.
        `n_values` says how many there are.
        """
        return {c: self.facet(filter, c) for c in self.categorical}

    def facet(
        self, filter: Filter, column: str, search: str = "", most: int = MOST_SHOWN
    ) -> list[tuple[str | None, int]]:
        """One category of `facets`; only values that contain `search`, in any case."""
        category, chosen = self._category(column), set(filter.chosen(column))
        counts = category.counts(self.rows(filter.with_values(column, ())))
        values = category.values
        listed = np.argsort(-counts, kind="stable")
        if search:
            sought = search.casefold()
            listed = np.array([i for i in listed if sought in (values[i] or "").casefold()], int)
        shown = [(values[i], int(counts[i])) for i in listed[:most]]
        late = [(values[i], int(counts[i])) for i in listed[most:] if values[i] in chosen]
        return shown + late

    def n_values(self, column: str) -> int:
        """How many values a category has in all samples, None included."""
        return len(self._category(column).values)

    def histogram(self, filter: Filter, column: str, bins: int = 40) -> Histogram:
        """How a measured column is spread, over at most `bins` bins. Raises UnknownName."""
        binned = self._vectors.bins(column, "tails", bins)
        rows = self.rows(filter.with_range(column, None, None))
        return Histogram(binned.edges, binned.totals, binned.counts(rows))

    def crosstab(self, filter: Filter, a: str, b: str) -> Crosstab:
        """How often values of two categories meet, over the whole filter. Raises UnknownName."""
        first, second, rows = self._category(a), self._category(b), self.rows(filter)
        i, j = _frequent(first.counts(rows)), _frequent(second.counts(rows))
        counts = _met(first, second, rows)[np.ix_(i, j)] if len(i) and len(j) else np.zeros(
            (len(i), len(j)), np.int64)  # fmt: skip
        a_values, b_values = first.values, second.values
        return Crosstab(
            tuple(a_values[k] for k in i), tuple(b_values[k] for k in j), counts,
            len(a_values) - len(i), len(b_values) - len(j),
        )  # fmt: skip

    def scatter(
        self, filter: Filter, x: str, y: str, colour: str | None = None,
        most: int = 20_000, seed: int = 0, bins: int = 64,
    ) -> Scatter:  # fmt: skip
        """Two measured columns; beyond `most` samples a random part of them, and their density.

        colour   a measured column or a category; of several values the first. Raises UnknownName.
        """
        xs, ys, rows = self._vectors.numbers(x), self._vectors.numbers(y), self.rows(filter)
        rows = rows[np.isfinite(xs[rows]) & np.isfinite(ys[rows])]
        x_bins, y_bins = (self._vectors.bins(c, "uniform", bins) for c in (x, y))
        cells = y_bins.codes[rows].astype(np.int32) * bins + x_bins.codes[rows]
        density = np.bincount(cells, minlength=bins * bins).reshape(bins, bins)
        shown = _some(rows, most, seed)
        return Scatter(
            shown, xs[shown], ys[shown], self._colour(colour, shown) if colour else None,
            len(rows), density, x_bins.edges, y_bins.edges,
        )  # fmt: skip

    def _colour(self, column: str, rows: Rows) -> npt.NDArray[Any]:
        if column in self.numeric and column not in self._vectors.categorical:
            return self._vectors.numbers(column)[rows]
        return _texts(self._category(column), rows)

    def compare(self, first: Filter, second: Filter | None = None) -> list[comparing.Difference]:
        """What is different about the first? Every column, the largest effect first.

        second  what it is compared with; None: all samples that are not in the first
        """
        a = self.rows(first)
        b = np.flatnonzero(~self._mask(first)) if second is None else self.rows(second)
        numbers = ((c, self._vectors.numbers(c)) for c in self.numeric)
        categories = ((c, self._category(c)) for c in self.categorical)
        return comparing.differences(numbers, categories, a, b)

    def similar(self, row: int, most: int = 50) -> tuple[Rows, npt.NDArray[np.float32]]:
        """(rows, distances) of the `most` pictures closest to a row's own, without itself.

        Exact. By the embedding where there is one the distance is 1 - cosine; else it is the root
        mean square difference in levels of 0 … 255, see similar.py; `likeness_by` tells which. Both
        are empty where the row has no picture. Raises Misuse for a row that does not exist.
        """
        return similar.nearest(self._distances(row), row, most)

    def likeness_by(self, row: int) -> str:
        """The embedding by which pictures are like this one, in words; '' for layout and colour."""
        self._check_row(row)
        found = self._sources.embedded()
        return found.name if found is not None and found.place[row] >= 0 else ""

    def clusters(self, k: int) -> npt.NDArray[np.int32]:
        """(n,) int32 cluster of every picture, the largest is 0, -1 without one; see clusters.py.

        Do not write into it.
        """
        make = lambda: clusters.clusters(self._sources.descriptors(silent), k)  # noqa: E731
        return self._sources.kept.get(("clusters", k), make)

    def most_common(self, column: str, rows: Rows) -> tuple[str | None, float]:
        """(value, share) that most of these rows have in a category; (None, 0) of no rows."""
        category = self._category(column)
        counts = category.counts(rows)
        if not len(rows) or not len(counts):
            return None, 0.0
        most = int(np.argmax(counts))
        return category.values[most], float(counts[most] / len(rows))

    def describe(self, progress: Progress = silent) -> None:
        """Works out what `similar` compares where that is still to be done (minutes at 1M)."""
        self._sources.descriptors(progress)

    def _distances(self, row: int) -> npt.NDArray[np.float32]:
        self._check_row(row)
        return self._sources.kept.get(("distances", row), lambda: self._measured(row))

    def _measured(self, row: int) -> npt.NDArray[np.float32]:
        found = self._sources.embedded()
        if found is not None and found.place[row] >= 0:
            return found.distances(row)
        return similar.distances(self._sources.descriptors(silent), row)

    def quantile(self, row: int) -> dict[str, float]:
        """Measured column -> share of the samples with a value that lie below this row's.

        0 … 1; columns that the row has no value in are left out. Raises Misuse.
        """
        self._check_row(row)
        return {c: s for c in self.numeric if (s := self._share_below(c, row)) is not None}

    def _share_below(self, column: str, row: int) -> float | None:
        values = self._vectors.numbers(column)
        if np.isnan(values[row]):
            return None
        return float(np.count_nonzero(values < values[row]) / np.count_nonzero(~np.isnan(values)))

    def _check_row(self, row: int) -> None:
        if not 0 <= row < self.n:
            raise Misuse(f"There is no sample {row}; rows go from 0 to {self.n - 1}.")


def decided_by_row(table: Any, n: int, state: int = 0) -> Decided:
    """Decisions (DECISION_FIELDS and `row`) as marks; rows that are null are left out."""
    known = table.filter(table["row"].is_valid())
    rows = np.asarray(known["row"].to_numpy(), np.int64)
    excluded = known["excluded"].to_pylist()
    kinds: dict[str, Mask] = {
        "excluded": np.array([e is True for e in excluded], bool),
        "kept": np.array([e is False for e in excluded], bool),
        "relabelled": np.asarray(known["label"].is_valid().to_numpy(), bool),
    }
    undecided = np.ones(n, bool)
    for mask in kinds.values():
        undecided[rows[mask]] = False
    members = {k: np.sort(rows[m]) for k, m in kinds.items()}
    members["undecided"] = np.flatnonzero(undecided)
    return Decided(_tags(known["tags"].to_pylist(), rows, n), Marks(members, n), state)


def _tags(tags: Sequence[Sequence[str]], rows: Rows, n: int) -> Marks:
    found: dict[str, list[int]] = {}
    for names, row in zip(tags, rows.tolist(), strict=True):
        for name in names or ():
            found.setdefault(name, []).append(row)
    return Marks({t: np.array(sorted(r), np.int64) for t, r in sorted(found.items())}, n)


def _frequent(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
    """The places of the MOST_SHOWN largest counts, ascending; values that nobody has stay in."""
    return np.sort(np.argsort(-counts, kind="stable")[:MOST_SHOWN])


def _met(first: Category, second: Category, rows: Rows) -> npt.NDArray[np.int64]:
    """(values of first, values of second) int64: how often they meet in these rows."""
    if isinstance(first, Marks):
        among = np.zeros(first.n, bool)
        among[rows] = True
        marked = (first.of(v) for v in first.values)
        return np.array([second.counts(m[among[m]]) for m in marked], np.int64)
    if isinstance(second, Marks):
        return _met(second, first, rows).T
    n, m = len(first.values), len(second.values)
    if n * m > 2**24:
        raise Misuse(f"A table of {n:,} × {m:,} values is too large; choose another column.")
    pairs = first.codes[rows].astype(np.int64) * m + second.codes[rows]
    return np.bincount(pairs, minlength=n * m).reshape(n, m)


def _some(rows: Rows, most: int, seed: int) -> Rows:
    """At most so many of the rows, at random without replacement, ascending."""
    if len(rows) <= most:
        return rows
    picked = np.random.default_rng(seed).choice(len(rows), most, replace=False, shuffle=False)
    return rows[np.sort(picked)]


def _texts(category: Category, rows: Rows) -> npt.NDArray[np.object_]:
    """(k,) the value of each row, the first one where it has several."""
    if not isinstance(category, Marks):
        values = np.array([*category.values, None], dtype=object)
        return np.asarray(values[category.codes[rows]], dtype=object)
    found = np.full(category.n, None, dtype=object)
    for value in reversed(tuple(category.members)):
        found[category.members[value]] = value
    return found[rows]


# -- JSON -----------------------------------------------------------------------------------------


def _compact(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _object(text: str, keys: set[str]) -> dict[str, Any]:
    try:
        stored = json.loads(text or "{}")
    except (ValueError, RecursionError):
        stored = None
    if not isinstance(stored, dict) or not set(stored) <= keys:
        raise Misuse(f"{text[:200]!r} is no stored filter or order.")
    return stored


def _lists(stored: Mapping[str, Any], key: str, length: int) -> list[list[Any]]:
    value = stored.get(key, [])
    whole = isinstance(value, list) and all(isinstance(v, list) and len(v) == length for v in value)
    if not whole or (key == "values" and not all(isinstance(v[1], list) for v in value)):
        raise Misuse(f"{key} of a stored filter must be a list of lists of {length}.")
    return list(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Misuse(f"{value!r} in a stored filter must be a text.")
    return value


def _text_or_none(value: Any) -> str | None:
    return None if value is None else _text(value)


def _bound(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not _finite(value):
        raise Misuse(f"{value!r} in a stored filter must be a number.")
    return float(value)


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond any float
        return False


def _whole(value: Any) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise Misuse(f"{value!r} in a stored order must be a whole number.")
    return value
