"""What does every sample have in a column, as one vector that filters and counts run over?

A category is a code per sample (1 or 2 bytes for up to 65,536 values), a number a float32 where
that is exact. Both are made when first asked for and kept: about 150 MB at a million samples with
every column in use.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from recipe_core.kernel.errors import UnknownName
from recipe_core.kernel.evidence import Evidence, is_number

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.float32] | npt.NDArray[np.float64]
T = TypeVar("T")

NAMES_OF_ONE = ("sample_id", "path", "content_hash", "error_detail", "warning", "file")
"""Texts that tell single samples apart: nothing to count."""
NOT_NUMBERS = ("phash", "dhash", "member", "thumb_offset", "thumb_length", "mtime_ns", "row")
"""Integers that measure nothing."""
MOST_VALUES = 20_000
"""A text column of a manifest with more values than this, or with more than half as many values as
rows, is a name or a caption, not a category. Labels and splits always count as categories."""
EXACT_IN_FLOAT32 = 2**24


@dataclass(frozen=True)
class Codes:
    """A category per sample: `values[codes[row]]`; a null is the value None, the last one.

    codes   (n,) unsigned, as narrow as the number of values allows
    values  labels and splits in the data set's order, others sorted
    totals  (len(values),) int64: how many samples have each
    """

    codes: npt.NDArray[Any]
    values: tuple[str | None, ...]
    totals: npt.NDArray[np.int64]

    def mask(self, accepted: Sequence[str | None]) -> Mask:
        """(n,) which samples have one of these values; values that nobody has accept nothing."""
        wanted = np.isin(np.arange(len(self.values)), self.places(accepted))
        return wanted[self.codes] if len(wanted) else np.zeros(len(self.codes), bool)

    def places(self, accepted: Sequence[str | None]) -> list[int]:
        """The codes of these values."""
        chosen = set(accepted)
        return [i for i, v in enumerate(self.values) if v in chosen]

    def counts(self, rows: Rows) -> npt.NDArray[np.int64]:
        """(len(values),) int64: how many of these rows have each value."""
        if len(rows) == len(self.codes):
            return self.totals
        return np.bincount(self.codes[rows], minlength=len(self.values)).astype(np.int64)


@dataclass(frozen=True)
class Marks:
    """A property that a sample may have several of, or none (the value None).

    members  value -> (k,) int64 rows, ascending
    n        samples in all
    """

    members: Mapping[str, Rows]
    n: int

    @cached_property
    def values(self) -> tuple[str | None, ...]:
        """Every value that some sample has, then None where some sample has no value."""
        some: tuple[str | None, ...] = tuple(self.members)
        return (*some, None) if len(self._without) else some

    @cached_property
    def _without(self) -> Rows:
        """(k,) int64 rows that have no value."""
        bare = np.ones(self.n, bool)
        for rows in self.members.values():
            bare[rows] = False
        return np.flatnonzero(bare)

    def mask(self, accepted: Sequence[str | None]) -> Mask:
        """(n,) which samples have at least one of these values (None: which have no value)."""
        found = np.zeros(self.n, bool)
        for value in accepted:
            found[self.of(value)] = True
        return found

    def counts(self, rows: Rows) -> npt.NDArray[np.int64]:
        """(len(values),) int64: how many of these rows have each value."""
        among = np.zeros(self.n, bool)
        among[rows] = True
        return np.array([np.count_nonzero(among[self.of(v)]) for v in self.values], np.int64)

    def of(self, value: str | None) -> Rows:
        """(k,) int64 rows that have the value (None: that have none)."""
        if value is None:
            return self._without
        return self.members.get(value, np.empty(0, np.int64))


Category = Codes | Marks


@dataclass(frozen=True)
class Bins:
    """Which bin does every sample fall into?

    edges   (b + 1,) float64, ascending
    codes   (n,) unsigned; b where the sample has no number
    totals  (b,) int64
    """

    edges: npt.NDArray[np.float64]
    codes: npt.NDArray[Any]
    totals: npt.NDArray[np.int64]

    def counts(self, rows: Rows) -> npt.NDArray[np.int64]:
        """(b,) int64: how many of these rows fall into each bin."""
        b = len(self.totals)
        if len(rows) == len(self.codes):
            return self.totals
        return np.bincount(self.codes[rows], minlength=b + 1)[:b].astype(np.int64)


class Kept:
    """Vectors by key, the least recently used dropped first; safe between threads."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._held: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()
        self._bytes = 0

    def get(self, key: Hashable, make: Callable[[], npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """The vector behind the key, made where it is missing; nobody can write into it.

        Two threads may both make it: that costs time and does no harm, a lock held meanwhile
        would stop everybody.
        """
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                there: npt.NDArray[Any] = self._held[key][0]
                return there
        made = make()
        made.flags.writeable = False
        with self._lock:
            if key not in self._held:
                self._held[key] = (made, made.nbytes)
                self._bytes += made.nbytes
            while self._bytes > self._most and len(self._held) > 1:
                self._bytes -= self._held.popitem(last=False)[1][1]
        return made

    def has(self, key: Hashable) -> bool:
        """Whether the vector is there."""
        with self._lock:
            return key in self._held


class Vectors:
    """The columns of one sample table as vectors; safe to use from many threads."""

    def __init__(self, found: Evidence, findings: Mapping[str, Rows]) -> None:
        """`findings`: check id -> rows that it blames (Subjects.blamed)."""
        self._found = found
        self._held: dict[tuple[str, Hashable], Any] = {}
        self._lock = threading.RLock()
        self.n = len(found)
        self.findings = Marks({k: np.unique(v) for k, v in findings.items() if len(v)}, self.n)
        fields = [f for f in found.samples.schema if found.has(f.name) or f.name == "label"]
        self.categorical = tuple(f.name for f in fields if self._is_category(f))
        self.numeric = tuple(
            f.name for f in fields if is_number(f.type) and f.name not in NOT_NUMBERS
        )

    def _is_category(self, field: pa.Field) -> bool:
        if field.name in ("label", "split"):
            return True
        kind = field.type
        if pa.types.is_boolean(kind) or pa.types.is_int8(kind):
            return True
        if not _is_text(kind) or field.name in NAMES_OF_ONE:
            return False
        different = pc.count_distinct(self._found.samples[field.name]).as_py()
        return bool(different <= min(MOST_VALUES, max(20, self.n // 2)))

    @property
    def sortable(self) -> tuple[str, ...]:
        """Columns that an order may name."""
        return tuple(dict.fromkeys(("path", *self.categorical, *self.numeric)))

    def codes(self, column: str) -> Codes:
        """A category. Raises UnknownName."""
        if column not in self.categorical:
            raise UnknownName("category", column, self.categorical)
        return self._once("codes", column, lambda: self._codes(column))

    def _codes(self, column: str) -> Codes:
        if _is_text(self._found.samples[column].type):
            raw, names = self._found.codes(column)
        else:
            raw, names = _coded(self._found.samples[column])
        counted = np.bincount(raw + 1, minlength=len(names) + 1).astype(np.int64)
        values: tuple[str | None, ...] = names
        if counted[0]:
            raw, values = np.where(raw < 0, len(names), raw), (*names, None)
        totals = np.append(counted[1:], counted[:1] if counted[0] else [])
        return Codes(raw.astype(_narrow(len(values))), values, totals.astype(np.int64))

    def numbers(self, column: str) -> Numbers:
        """(n,) float32 where that is exact, else float64; NaN where null. Raises UnknownName."""
        if column not in self.numeric:
            raise UnknownName("measured column", column, self.numeric)
        return self._once("numbers", column, lambda: _numbers(self._found.samples[column]))

    def bins(self, column: str, how: str, n_bins: int) -> Bins:
        """How a column falls into bins: `tails` (for people) or `uniform` (for plots)."""
        make = _tail_edges if how == "tails" else _uniform_edges
        return self._once(
            "bins",
            (column, how, n_bins),
            lambda: _binned(self.numbers(column), make(self.numbers(column), n_bins)),
        )

    def contains(self, text: str) -> Mask:
        """(n,) which paths or labels contain the text; upper and lower case are the same.

        Letters are lowered one by one, as Arrow's utf8_lower does it.
        """
        text = text.encode("utf-8", "replace").decode()  # half a surrogate pair is in no name
        sought = pc.utf8_lower(pa.scalar(text)).as_py()
        lowered = self._once("lowered", "path", self._lowered)
        found = pc.match_substring(lowered, sought)
        in_path = np.asarray(pc.fill_null(found, False).to_numpy(), dtype=bool)
        if "label" not in self.categorical:
            return in_path
        labels = self.codes("label")
        texts = pa.array([v or "" for v in labels.values], pa.string())
        hits = pc.match_substring(pc.utf8_lower(texts), sought).to_numpy(zero_copy_only=False)
        named = hits & np.array([v is not None for v in labels.values], bool)
        return in_path | named[labels.codes] if len(named) else in_path

    def _lowered(self) -> pa.ChunkedArray:
        return pc.utf8_lower(self._found.samples["path"])

    def keys(self, column: str) -> Numbers:
        """(n,) numbers that sort as the column does, NaN where null. Raises UnknownName."""
        if column in self.numeric:
            return self.numbers(column)
        if column not in self.sortable:
            raise UnknownName("column to sort by", column, self.sortable)
        return self._once("keys", column, lambda: self._text_keys(column))

    def _text_keys(self, column: str) -> Numbers:
        if column == "path":
            return _ranks(self._found.samples["path"])
        found = self.codes(column)
        keys = found.codes.astype(np.float32)
        if found.values and found.values[-1] is None:
            keys[found.codes == len(found.values) - 1] = np.nan
        return keys

    def _once(self, kind: str, key: Hashable, make: Callable[[], T]) -> T:
        with self._lock:
            if (kind, key) not in self._held:
                self._held[kind, key] = make()
            kept: T = self._held[kind, key]
            return kept


def ordered(keys: Numbers, descending: bool) -> npt.NDArray[np.int64]:
    """(k,) positions that sort the keys; equal ones stay in order, NaN come last both ways.

    Where a key fits 32 bits, key and position are sorted as one 64-bit number: three to five times
    as fast as a stable argsort (NumPy sorts plain numbers with vector instructions).
    """
    if keys.dtype == np.float32:
        bits = sortable_bits(keys.astype(np.float32))
    else:
        whole = _as_uint32(np.asarray(keys, np.float64))
        if whole is None:
            return np.argsort(-keys if descending else keys, kind="stable").astype(np.int64)
        bits = whole
    missing = np.isnan(keys)
    bits = ~bits if descending else bits
    bits[missing] = np.uint32(0xFFFFFFFF)
    packed = bits.astype(np.uint64) << np.uint64(32)
    packed |= np.arange(len(keys), dtype=np.uint64)
    packed.sort()
    return (packed & np.uint64(0xFFFFFFFF)).astype(np.int64)


def sortable_bits(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint32]:
    """(k,) uint32 in the order of the numbers: of a negative float all bits turned, else the sign.

    0 and -0 are the same; NaN come out anywhere.
    """
    bits = (values + np.float32(0)).view(np.uint32)
    flips = (bits.view(np.int32) >> 31).view(np.uint32)  # all bits of a negative number
    flips |= np.uint32(0x80000000)
    bits ^= flips
    return bits


def from_sortable_bits(bits: npt.NDArray[np.uint32]) -> npt.NDArray[np.float32]:
    """The numbers whose `sortable_bits` these are."""
    positive = (bits >> np.uint32(31)).astype(bool)
    raw = np.where(positive, bits & np.uint32(0x7FFFFFFF), ~bits)
    return raw.astype(np.uint32).view(np.float32)


def within(values: Numbers, low: float | None, high: float | None) -> Mask:
    """(n,) which numbers lie in low … high, both included; NaN never.

    A bound is moved to the nearest float32 inside, so that comparing in float32 is exact.
    """
    found = ~np.isnan(values)
    if low is not None:
        found &= values >= _inside(values, low, up=1)
    if high is not None:
        found &= values <= _inside(values, high, up=-1)
    return found


def _inside(values: Numbers, bound: float, up: int) -> Any:
    if values.dtype == np.float64:
        return np.float64(bound)
    with np.errstate(over="ignore"):
        near = np.float32(bound)
    outside = float(near) < bound if up > 0 else float(near) > bound
    return np.nextafter(near, np.float32(up * np.inf)) if outside else near


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _coded(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int32], tuple[str, ...]]:
    """A boolean or small integer column as codes, values in ascending order."""
    values = sorted(v for v in pc.unique(column).to_pylist() if v is not None)
    found = pc.fill_null(pc.index_in(column, pa.array(values, column.type)), -1)
    codes = np.asarray(found.to_numpy(), np.int32)
    return codes, tuple(_spoken(v) for v in values)


def _spoken(value: bool | int) -> str:
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)


def _narrow(n_values: int) -> type[np.unsignedinteger[Any]]:
    if n_values <= 2**8:
        return np.uint8
    return np.uint16 if n_values <= 2**16 else np.uint32


def _numbers(column: pa.ChunkedArray) -> Numbers:
    if pa.types.is_float32(column.type) and not column.null_count and column.num_chunks == 1:
        return np.asarray(column.chunk(0).to_numpy(), np.float32)  # the table's own memory
    wide = np.asarray(
        pc.fill_null(pc.cast(column, pa.float64(), safe=False), np.nan).to_numpy(), np.float64
    )
    if pa.types.is_float32(column.type) or pa.types.is_float16(column.type):
        return wide.astype(np.float32)
    whole = pa.types.is_integer(column.type)
    if whole and np.nanmax(np.abs(wide), initial=0) <= EXACT_IN_FLOAT32:
        return wide.astype(np.float32)
    return wide


def _as_uint32(keys: npt.NDArray[np.float64]) -> npt.NDArray[np.uint32] | None:
    """Whole numbers that lie within 2³² of each other, from 0 on; None for any others."""
    known = keys[~np.isnan(keys)]
    if not len(known):
        return np.zeros(len(keys), np.uint32)
    low, high = known.min(), known.max()
    if not (np.isfinite(low) and np.isfinite(high) and high - low < 2**32 - 2
            and np.array_equal(known, np.floor(known))):  # fmt: skip
        return None
    return np.asarray(np.nan_to_num(keys, nan=low) - low + 1, np.uint32)


def _ranks(column: pa.ChunkedArray) -> Numbers:
    """(n,) dense ranks of texts by code point, NaN where null."""
    n = len(column)
    order = np.arange(n)
    if column.null_count or not _ascending(column):
        order = pc.sort_indices(column).to_numpy().astype(np.int64)
        column = column.take(pa.array(order))
    ranks = np.full(n, np.nan)
    known = n - column.null_count
    if known:
        texts = column.slice(0, known).combine_chunks()
        new = pc.not_equal(texts[1:], texts[:-1]).to_numpy(zero_copy_only=False)
        ranks[order[:known]] = np.concatenate([[0], np.cumsum(new)])
    return ranks.astype(np.float32) if n <= EXACT_IN_FLOAT32 else ranks


def _ascending(column: pa.ChunkedArray) -> bool:
    """Whether the texts are sorted already, as most data sets are listed."""
    texts = column.combine_chunks()
    return len(texts) < 2 or bool(pc.all(pc.less_equal(texts[:-1], texts[1:])).as_py())


def _tail_edges(values: Numbers, n_bins: int) -> npt.NDArray[np.float64]:
    """Even bins over the middle 99 %; the first and the last reach out to the extremes.

    Whole numbers get bins of whole width. Without this a single huge file would leave one bar.
    """
    known = values[np.isfinite(values)].astype(np.float64)
    if not len(known):
        return np.array([0.0, 1.0])
    low, high = float(known.min()), float(known.max())
    if np.array_equal(known, np.floor(known)) and high - low < 2**31:
        return _whole_edges(known, low, high, n_bins)
    step = max(1, len(known) // 200_000)
    inner_low, inner_high = np.quantile(known[::step], (0.005, 0.995))
    if n_bins < 3 or not inner_low < inner_high:
        return _uniform_edges(values, n_bins)
    edges = np.linspace(inner_low, inner_high, n_bins + 1)
    edges[0], edges[-1] = low, high
    return edges if np.all(np.diff(edges) > 0) else _uniform_edges(values, n_bins)


def _whole_edges(
    known: npt.NDArray[np.float64], low: float, high: float, n_bins: int
) -> npt.NDArray[np.float64]:
    step = max(1, len(known) // 200_000)
    inner = min(high, float(np.ceil(np.quantile(known[::step], 0.995))))
    width = max(1.0, np.ceil((inner - low + 1) / n_bins))
    edges = np.arange(low - 0.5, inner + width, width)
    edges[-1] = max(edges[-1], high + 0.5)
    return np.asarray(edges, np.float64)


def _uniform_edges(values: Numbers, n_bins: int) -> npt.NDArray[np.float64]:
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    return np.asarray(np.histogram_bin_edges(np.empty(0), n_bins, (low, high)), np.float64)


def _binned(values: Numbers, edges: npt.NDArray[np.float64]) -> Bins:
    """Bins include their lower edge, the last both; infinities count in the bins at the ends."""
    b = len(edges) - 1
    places = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, b - 1)
    places[np.isnan(values)] = b
    codes = places.astype(_narrow(b + 1))
    return Bins(edges, codes, np.bincount(codes, minlength=b + 1)[:b].astype(np.int64))
