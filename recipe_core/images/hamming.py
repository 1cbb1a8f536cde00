"""Which 64-bit hashes lie within a few bits of each other, among a million of them?

Pigeonhole: cut the 64 bits into m blocks; two hashes within r bits agree on at least m - r whole
blocks. So for every choice of m - r blocks, sort by those bits and compare only hashes that agree
on them (Manku, Jain & Sarma 2007, "Detecting near-duplicates for web crawling"). A pair that
agrees on more blocks is taken at the first choice only, so nothing is found twice.

The bits are dealt to the blocks by how balanced they are in these very hashes, and m is chosen by
the cost expected from them: hashes of real pictures are far from uniform, and a block of bits that
never change would otherwise make every table slow. With m = r + 1 one block has to agree, and few
values make large groups: those are compared each with each, without looking anything up.

Crowds: k hashes around one centre make k² / 2 pairs, and no machine holds those of k = 100,000.
Above MOST_PAIRS the result is thinned, the same way each time, and says so (`Pairs.complete`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import numpy.typing as npt

from recipe_core.kernel.progress import Progress, silent

Hashes = npt.NDArray[np.uint64]
Indices = npt.NDArray[np.int64]
Found = tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32], npt.NDArray[np.uint8]]
"""Indices a and b of k pairs, and their distances."""

BITS = 64
MOST_PAIRS = 20_000_000
"""Pairs kept before a crowd is thinned: 17 bytes each, so that a million hashes stay below 1 GB."""
EVERY = 100_000_000
"""Pairs of hashes up to which all are compared: a tenth of a second, as long as choosing tables."""
SAMPLED = 256  # hashes whose neighbours are counted to foresee a crowd
FEW = 32  # neighbours that never make a crowd: n × FEW / 2 is below MOST_PAIRS at a million hashes
CHUNK = 1 << 18  # candidates compared at once: 2 MB arrays stay in a core's cache
SORTED_BITS, BUCKET_BITS = 32, 22  # of a key: half a number with an index; 32 MB of buckets
GROUPED_BITS = 16  # of a block that has to agree alone: more would make groups of one
TILE = 1 << 15  # pairs of a group compared at once: 256 kB
THREADS = 2  # numpy lets go of the interpreter in sort, gather and popcount
SORTING, COMPARING = 60e-9, 12e-9  # seconds a hash and a candidate; only their ratio matters
IN_GROUPS, GROUP = 1.5e-9, 10e-6  # the same for a candidate of a group, and for a group


@dataclass(frozen=True)
class Pairs:
    """Pairs of hashes that lie close together, each once, in the order of (a, b).

    a, b       (k,) int64 indices; from `pairs_within` a < b
    distance   (k,) uint8 differing bits
    complete   every pair within this many bits is here; less than the radius asked for where a
               crowd was thinned: of the pairs farther apart, those with a hub are here, and those
               between hashes that have no hub
    hubs       (h,) int64 indices of the hubs, empty where nothing was thinned
    """

    a: Indices
    b: Indices
    distance: npt.NDArray[np.uint8]
    complete: int
    hubs: Indices

    def __len__(self) -> int:
        return len(self.a)


def collapse(hashes: Hashes) -> tuple[Hashes, Indices, Indices]:
    """Each different hash once: (unique, representative, inverse).

    `representative[u]` is the first index that has `unique[u]`; `unique[inverse]` is `hashes`.
    """
    unique, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    return unique, first.astype(np.int64), inverse.astype(np.int64)


def pairs_within(
    hashes: Hashes, radius: int, progress: Progress = silent, most: int = MOST_PAIRS
) -> Pairs:
    """All pairs a < b among (n,) different hashes that differ in at most `radius` bits (0 … 16).

    Exact unless more than about `most` pairs are expected. Then the hash with the most neighbours
    becomes a hub: it keeps its pair with every neighbour, the neighbours keep only those pairs
    among themselves and with others that lie within half the radius; and so on with what is left
    until the rest fits. So no hash of a crowd loses its tie to the crowd's centre.

    Raises ValueError where a hash comes twice: collapse them first.
    """
    if len(np.unique(hashes)) < len(hashes):
        raise ValueError("pairs_within takes different hashes; collapse equal ones first")
    if radius <= 0 or len(hashes) < 2:
        return _nothing(radius)
    alive, stars = _thinned(hashes, radius, most)
    rest = np.flatnonzero(alive)
    a, b, d = _search(hashes[rest], len(rest), radius, progress)
    found = [(rest[a], rest[b], d), *stars]
    complete = radius
    if stars:
        near = pairs_within(hashes, radius // 2, progress, most)
        found.append((near.a, near.b, near.distance))
        complete = near.complete
    hubs = np.array([star[0][0] for star in stars], np.int64)
    return _together(found, len(hashes), complete, hubs)


def pairs_across(
    left: Hashes, right: Hashes, radius: int, progress: Progress = silent, most: int = MOST_PAIRS
) -> Pairs:
    """All pairs (a of left, b of right) that differ in at most `radius` bits (0 … 16).

    Each side holds different hashes. Where more than about `most` pairs are expected, the radius
    is lowered until they fit, and `complete` is the radius used; there are no hubs here.
    """
    if not len(left) or not len(right):
        return _nothing(radius)
    counts = np.zeros(radius + 1)
    sample = _spread(right, SAMPLED)
    for one in sample:
        near = _distance(left, one)
        counts += np.bincount(near[near <= radius], minlength=radius + 1)
    expected = np.cumsum(counts) * (len(right) / len(sample))
    fitting = np.flatnonzero(expected <= most)
    reached = int(fitting[-1]) if len(fitting) else 0
    pool = np.concatenate([left, right])
    a, b, d = _search(pool, len(left), reached, progress)
    found = [(a, b - len(left), d)]
    return _together(found, max(len(left), len(right)), reached, np.empty(0, np.int64))


def products(
    a_start: Indices, a_end: Indices, b_start: Indices, b_end: Indices, most: int | None = None
) -> tuple[Indices, Indices]:
    """Every place of run a with every place of run b, for k pairs of runs.

    With `most`, runs whose product exceeds most² meet by their first places only: the first of
    each with all of the other.
    """
    if most is not None:
        big = (a_end - a_start) * (b_end - b_start) > most * most
        small = products(a_start[~big], a_end[~big], b_start[~big], b_end[~big])
        one = products(a_start[big], a_start[big] + 1, b_start[big], b_end[big])
        two = products(a_start[big] + 1, a_end[big], b_start[big], b_start[big] + 1)
        together = [np.concatenate(x) for x in zip(small, one, two, strict=True)]
        return together[0], together[1]
    wide = b_end - b_start
    count = (a_end - a_start) * wide
    each = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    wide = np.repeat(wide, count)
    return np.repeat(a_start, count) + each // wide, np.repeat(b_start, count) + each % wide


def _nothing(radius: int) -> Pairs:
    none = np.empty(0, np.int64)
    return Pairs(none, none, np.empty(0, np.uint8), radius, none)


def _together(
    found: Sequence[tuple[Indices, Indices, npt.NDArray[np.uint8]]], n: int, complete: int,
    hubs: Indices,
) -> Pairs:  # fmt: skip
    a, b, d = _joined(found)
    if len(found) > 1:
        a, b = np.minimum(a, b), np.maximum(a, b)
        _, first = np.unique(a * n + b, return_index=True)
    else:
        first = np.argsort(a * n + b)
    return Pairs(a[first], b[first], d[first], complete, hubs)


def _distance(hashes: Hashes, one: np.uint64) -> npt.NDArray[np.uint8]:
    return np.asarray(np.bitwise_count(hashes ^ one), dtype=np.uint8)


def _spread(hashes: Hashes, k: int) -> Hashes:
    return hashes[np.linspace(0, len(hashes) - 1, min(k, len(hashes))).astype(np.int64)]


def _thinned(
    hashes: Hashes, radius: int, most: int
) -> tuple[npt.NDArray[np.bool_], list[tuple[Indices, Indices, npt.NDArray[np.uint8]]]]:
    """Which hashes are searched in full, and (hub, neighbours, distances) of the others."""
    alive = np.ones(len(hashes), np.bool_)
    sample = _spread(hashes, SAMPLED)
    degree = np.array([np.count_nonzero(_distance(hashes, s) <= radius) - 1 for s in sample])
    stars = []
    while degree.sum() / len(sample) * len(hashes) / 2 > most and degree.max() > FEW:
        hub = _centre(hashes, alive, sample[degree.argmax()], radius)
        d = _distance(hashes, hashes[hub])
        ball = np.flatnonzero(alive & (d <= radius))
        alive[ball] = False
        members = ball[ball != hub]
        stars.append((np.full(len(members), hub), members, d[members]))
        # An emptied ball takes its pairs along: those of sampled hashes in it, and those with it.
        gone = hashes[ball]
        inside = np.isin(sample, gone)
        degree[inside] = 0
        for i in np.flatnonzero(~inside & (degree > 0)):
            degree[i] -= np.count_nonzero(_distance(gone, sample[i]) <= radius)
    return alive, stars


def _centre(hashes: Hashes, alive: npt.NDArray[np.bool_], seed: np.uint64, radius: int) -> int:
    """The hash nearest to the majority, bit by bit, of those around `seed`: the crowd's middle."""
    ball = np.flatnonzero(alive & (_distance(hashes, seed) <= radius))
    share = _bits(_spread(hashes[ball], 1 << 16)).mean(axis=0)
    majority = np.uint64(sum(1 << i for i in np.flatnonzero(share > 0.5)))
    middle = ball[_distance(hashes[ball], majority).argmin()]
    around = np.count_nonzero(alive & (_distance(hashes, hashes[middle]) <= radius))
    return int(middle if around >= len(ball) else np.flatnonzero(hashes == seed)[0])


def _bits(hashes: Hashes) -> npt.NDArray[np.uint8]:
    """(n, 64) uint8 of 0 and 1, column i the bit of value 2 ** i."""
    as_bytes = hashes.astype("<u8").view(np.uint8).reshape(-1, 8)
    return np.unpackbits(as_bytes, axis=1, bitorder="little")


def _search(
    pool: Hashes, n_left: int, radius: int, progress: Progress
) -> tuple[Indices, Indices, npt.NDArray[np.uint8]]:
    """Pairs within the radius: among all of `pool`, or its first n_left against the others."""
    if len(pool) < 2:
        a, b, d = _none()
        return a.astype(np.int64), b.astype(np.int64), d
    n_right = len(pool) - n_left
    few = n_left * (n_right or n_left / 2) <= EVERY
    permuted, widths = (pool, []) if few else _dealt(pool, n_left, radius)
    choices = [()] if few else [*combinations(range(len(widths)), len(widths) - radius)]
    search = _one_block if few or (n_right and len(choices[0]) == 1) else _one_table
    found = []
    with ThreadPoolExecutor(THREADS) as threads:
        tasks = [threads.submit(search, permuted, widths, c, n_left, radius) for c in choices]
        try:
            for done, task in enumerate(tasks):
                progress("comparing hashes", done, len(tasks))
                found.append(task.result())
        finally:
            for task in tasks:
                task.cancel()
    progress("comparing hashes", len(tasks), len(tasks))
    a, b, d = _joined(found)
    return a.astype(np.int64), b.astype(np.int64), d


def _dealt(pool: Hashes, n_left: int, radius: int) -> tuple[Hashes, list[int]]:
    """The hashes with their bits reordered so that good blocks lie side by side, and their widths.

    Block 0 holds the lowest bits. Reordering the bits of all hashes alike keeps every distance.
    """
    sample = _spread(pool, 1 << 11)  # 2 million pairs of them: enough to foresee 1 in 256
    bits = _bits(sample)
    balance = np.abs(bits.mean(axis=0) - 0.5)
    order = np.argsort(balance, kind="stable")  # the most telling bit first
    plans = []
    for m in range(max(radius, 1), min(radius + 5, BITS)):
        blocks = [order[i::m] for i in range(m)]
        plans.append((_cost(bits, blocks, radius, n_left, len(pool) - n_left), m, blocks))
    _, _, blocks = min(plans, key=lambda plan: plan[:2])
    return _reordered(pool, np.concatenate(blocks)), [len(b) for b in blocks]


def _cost(
    bits: npt.NDArray[np.uint8], blocks: Sequence[Indices], radius: int, n_left: int, n_right: int
) -> float:
    """Seconds expected for these blocks, as if they were independent of each other."""
    agree = [_collision(bits[:, block]) for block in blocks]
    chosen = len(blocks) - radius
    total = n_left * n_right if n_right else n_left * (n_left - 1) / 2
    candidates = sum(float(np.prod(c)) for c in combinations(agree, chosen)) * total
    sorting = comb(len(blocks), chosen) * (n_left + n_right) * SORTING
    if chosen != 1 or not n_right:  # of one set, most candidates may be pairs
        return sorting + candidates * COMPARING
    groups = sum(2.0 ** len(block) for block in blocks)
    return sorting + groups * GROUP + candidates * IN_GROUPS


def _collision(bits: npt.NDArray[np.uint8]) -> float:
    """How likely two of the sampled hashes agree on all these bits."""
    packed = np.packbits(bits, axis=1)
    whole = np.zeros((len(packed), 8), np.uint8)
    whole[:, : packed.shape[1]] = packed
    counts = np.unique(whole.view(np.uint64), return_counts=True)[1].astype(np.float64)
    n = float(len(bits))
    return float((counts * (counts - 1)).sum() + 1) / (n * max(n - 1, 1))


def _reordered(hashes: Hashes, order: Indices) -> Hashes:
    result = np.zeros_like(hashes)
    for to, where in enumerate(order):
        result |= ((hashes >> np.uint64(where)) & np.uint64(1)) << np.uint64(to)
    return result


def _one_block(
    hashes: Hashes, widths: Sequence[int], chosen: Sequence[int], n_left: int, radius: int
) -> Found:
    """What `_one_table` finds for the one block chosen, or for none."""
    alone = n_left == len(hashes)
    left = _groups(hashes[:n_left], widths, chosen)
    right = left if alone else _groups(hashes[n_left:], widths, chosen)
    kept = [_none()]
    for i, j, d in _each_with_each(left, right, radius):
        fresh = _first_here(left.hashes[i] ^ right.hashes[j], widths, chosen)
        fresh &= i < j if alone else True
        a, b = left.index[i[fresh]], right.index[j[fresh]]
        b += np.uint32(0 if alone else n_left)
        kept.append((np.minimum(a, b), np.maximum(a, b), d[fresh]))
    return _joined(kept)


def _joined(found: Sequence[tuple[Any, Any, Any]]) -> tuple[Any, Any, Any]:
    a, b, d = (np.concatenate([f[i] for f in found]) for i in range(3))
    return a, b, d


@dataclass(frozen=True)
class _Groups:
    """Hashes by what a block of theirs says: those of value v are hashes[start[v] : start[v + 1]].

    index  (n,) uint32 where each of them stood
    """

    hashes: Hashes
    index: npt.NDArray[np.uint32]
    start: Indices


def _groups(hashes: Hashes, widths: Sequence[int], chosen: Sequence[int]) -> _Groups:
    # 16 bits are sorted fourteen times faster than 32
    value = _key(hashes, widths, chosen, GROUPED_BITS).astype(np.uint16)
    size = 1 << min(sum(widths[b] for b in chosen), GROUPED_BITS)
    index = np.argsort(value, kind="stable").astype(np.uint32)
    start = np.concatenate([[0], np.cumsum(np.bincount(value, minlength=size))])
    return _Groups(hashes[index], index, start)


def _each_with_each(
    left: _Groups, right: _Groups, radius: int
) -> Iterator[tuple[Indices, Indices, npt.NDArray[np.uint8]]]:
    """(place in left, place in right, distance) of those of one group within the radius, many
    groups' at a time. Of a group with itself about a half, in which each pair is."""
    differ, distance = np.empty(TILE, np.uint64), np.empty(TILE, np.uint8)  # made once: 2 × faster
    found, n_found = [], 0
    busy = np.flatnonzero((np.diff(left.start) > 0) & (np.diff(right.start) > 0))
    for begin, end, first, last in zip(
        left.start[busy].tolist(), left.start[busy + 1].tolist(),
        right.start[busy].tolist(), right.start[busy + 1].tolist(), strict=True,
    ):  # fmt: skip
        rows = max(1, TILE // (last - first))
        for at in range(begin, end, rows):
            ones = left.hashes[at : min(at + rows, end), None]
            for other in range(at if left is right else first, last, TILE // len(ones)):
                others = right.hashes[other : min(other + TILE // len(ones), last)]
                n = len(ones) * len(others)
                tile = differ[:n].reshape(len(ones), len(others))
                np.bitwise_xor(ones, others, out=tile)
                near = np.flatnonzero(np.bitwise_count(differ[:n], out=distance[:n]) <= radius)
                row, column = np.divmod(near, len(others))
                row += at
                column += other
                found.append((row, column, distance[near]))
                n_found += len(near)
                if n_found > CHUNK:
                    yield _joined(found)
                    found, n_found = [], 0
    if found:
        yield _joined(found)


def _one_table(
    hashes: Hashes, widths: Sequence[int], chosen: Sequence[int], n_left: int, radius: int
) -> Found:
    """The pairs that agree on the chosen blocks and on no choice of blocks before this one."""
    alone = n_left == len(hashes)
    bits = SORTED_BITS if alone else BUCKET_BITS
    key, index = _sorted(_key(hashes[:n_left], widths, chosen, bits))
    table = hashes[index]
    if alone:
        ones, of_ones = table, index
        first, count = _those_after(key)
    else:
        ones, of_ones = hashes[n_left:], np.arange(n_left, len(hashes), dtype=np.uint32)
        first, count = _bucket(key, _key(ones, widths, chosen, bits))
    kept = []
    for p, q, d in _close(ones, table, first, count, radius):
        fresh = _first_here(ones[p] ^ table[q], widths, chosen)
        kept.append((of_ones[p[fresh]], index[q[fresh]], d[fresh]))
    a, b, d = _joined(kept) if kept else _none()
    return np.minimum(a, b), np.maximum(a, b), d


def _none() -> Found:
    return np.empty(0, np.uint32), np.empty(0, np.uint32), np.empty(0, np.uint8)


def _first_here(
    differ: Hashes, widths: Sequence[int], chosen: Sequence[int]
) -> npt.NDArray[np.bool_]:
    """Whether pairs that differ in these bits agree on all of the chosen blocks, of which keys may
    be cut, and on no choice before."""
    agreed = np.uint64(sum(int(_mask(widths, b)) for b in chosen))
    fresh = (differ & agreed) == 0
    for block in range(max(chosen, default=0)):
        if block not in chosen:
            fresh &= (differ & _mask(widths, block)) != 0
    return np.asarray(fresh)


def _mask(widths: Sequence[int], block: int) -> np.uint64:
    return np.uint64(((1 << widths[block]) - 1) << sum(widths[:block]))


def _key(hashes: Hashes, widths: Sequence[int], chosen: Sequence[int], bits: int) -> Hashes:
    """(n,) the chosen blocks side by side; of more than `bits` (1 … 63) the lowest, which only lets
    more candidates through.
    """
    key = np.zeros_like(hashes)
    at = 0
    for block in chosen:
        part = (hashes & _mask(widths, block)) >> np.uint64(sum(widths[:block]))
        key |= part << np.uint64(at)
        at += widths[block]
    if at > bits:
        key &= np.uint64((1 << bits) - 1)
    return key


def _sorted(key: Hashes) -> tuple[Hashes, npt.NDArray[np.uint32]]:
    """The keys in ascending order, and where each of them stood."""
    # sorting key and index as one number is several times faster than argsort
    both = key << np.uint64(32)
    both |= np.arange(len(key), dtype=np.uint64)
    both.sort()
    index = (both & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    both >>= np.uint64(32)
    return both, index


def _those_after(key: Hashes) -> tuple[Indices, Indices]:
    """For each place of a sorted table: the next, and how many from there on share its key."""
    change = np.flatnonzero(key[1:] != key[:-1]) + 1
    starts = np.concatenate([[0], change])
    sizes = np.diff(np.concatenate([starts, [len(key)]]))
    first = np.arange(1, len(key) + 1)
    return first, np.repeat(starts + sizes, sizes) - first


def _bucket(table: Hashes, wanted: Hashes) -> tuple[Indices, Indices]:
    """For each wanted key: the first place of a sorted table that has it, and how many have."""
    size = int(table[-1]) + 2
    start = np.zeros(size + 1, np.int64)
    np.cumsum(np.bincount(table.view(np.int64), minlength=size), out=start[1:])
    inside = np.minimum(wanted.view(np.int64), size - 1)  # an empty bucket for all beyond
    first = start.take(inside)
    return first, start.take(inside + 1) - first


def _close(
    ones: Hashes, table: Hashes, first: Indices, count: Indices, radius: int
) -> Iterator[tuple[Indices, Indices, npt.NDArray[np.uint8]]]:
    """(place in ones, place in the table, distance) of candidates within the radius, in chunks.

    Those of ones[i] are table[first[i] : first[i] + count[i]].
    """
    busy = np.flatnonzero(count)
    ones, first, count = ones[busy], first[busy], count[busy]
    end = np.cumsum(count)
    at = 0
    while at < len(busy):
        before = int(end[at - 1]) if at else 0
        to = max(at + 1, int(np.searchsorted(end, before + CHUNK, side="right")))
        begins = end[at:to] - count[at:to] - before
        place = np.repeat(np.arange(to - at), count[at:to])
        other = (first[at:to] - begins).take(place)
        other += np.arange(len(other))
        d = np.bitwise_count(ones[at:to].take(place) ^ table.take(other))
        hit = np.flatnonzero(d <= radius)
        yield busy[at + place[hit]], other[hit], d[hit]
        at = to
