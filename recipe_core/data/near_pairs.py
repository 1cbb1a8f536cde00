"""Which pairs of samples look alike, although one was edited?

Hashes of the whole, turned and cropped picture nominate pairs; the pixels of both thumbnails, laid
over each other, tell how alike they are (images/likeness.py).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import tee

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recipe_core.data.pixel_copies import firsts
from recipe_core.images import hamming
from recipe_core.images.copy_keys import WAYS, Keys, carried, keys_from, overlays
from recipe_core.images.likeness import (
    GIVEN_UP,
    SIDE,
    TURNS,
    WHOLE,
    all_squashed,
    coarseness,
    overlaid,
)
from recipe_core.kernel.check import Measure
from recipe_core.kernel.evidence import Evidence, Files
from recipe_core.kernel.progress import Progress

Rows = npt.NDArray[np.int64]

RADIUS = 8
"""Bits at which pairs are nominated: the end of the slider."""
FLOOR = GIVEN_UP
"""Pairs less alike than this are not stored; judges start at it."""
MOST_CANDIDATES = 500_000
"""Pairs compared on pixels, the likeliest first, about 0.11 ms each on one core; or MOST_EACH for
each picture where that is more, so that a larger data set does not lose its copies for its size."""
MOST_EACH = 5
LATER = np.array([0 if not w.turn and w.still == w.moving == WHOLE else 4 if w.part == "crop" else 2
                  for w in WAYS])  # fmt: skip
"""(ways,) bits by which a pair is put off: among 100,000 different pictures pairs of the whole at
6 bits were as often alike as turned or trimmed ones at 4 and crops, which have most tries, at 2."""
ACROSS = [i for i, w in enumerate(WAYS) if i and w.still == WHOLE]
"""Ways in which a picture is set beside another one turned, or a part of it."""
FEW = 16  # rows of one hash that are all paired with each other; more are paired as a star
BATCH = 32  # thumbnails read by one worker at once
SLICE = 50_000  # pairs whose pictures are held at once: at most 400 MB
CLEAR, STEP, CROWD = 0.85, 0.05, 0.05
"""Where copies begin in most data sets; and what a crowd of look-alikes is: pairs just below there
for more than one picture in twenty, and not half as many just above."""
UNCLEAR = 0.65, 0.8
"""Where there are pairs for fewer pictures than that among photos (CIFAR-10: 1 in 650; one with
every sixth picture edited: 1 in 80) and nine for each among digits."""
SOUNDED = 20_000
"""Pairs that are compared first to learn whether the pictures are look-alikes."""

NEAR_FIELDS = pa.schema(
    [
        ("row_a", pa.int64()),
        ("row_b", pa.int64()),
        ("distance", pa.uint8()),
        ("similarity", pa.float32()),
        ("turn", pa.string()),
        ("part", pa.string()),
        ("complete", pa.uint8()),
        ("thinned", pa.bool_()),
    ]
)
"""Pairs that look alike, each once, between first samples of their content hash.

distance    bits in which the hashes that nominated the pair differ, 0 … 8
similarity  agreement of the fine detail at the best overlay, 0.6 … 1 (images/likeness.py)
turn        what turns row_b into row_a ('' nothing, 'rotated 90', 'mirrored' …)
part        '' the whole picture, 'crop' one shows a part of the other, 'all but an edge' they
            agree apart from a strip at the top or bottom
complete    all pairs up to this distance were compared; below 8 where there were too many, 0
            where not even all of one hash were
thinned     the pair comes from a crowd (many of nearly one hash) in which not every pair was
            compared, so that two copies of row_a need not stand here themselves
The schema's metadata: `alike_from`, the similarity below which pairs are the data set's own
look-alikes and do not stand here (digits of 28 pixels: 0.95; 0.6 in most); `coarse`, whether detail
was taken from small pictures as likeness.coarseness says; `limits`, see Limits.
"""


@dataclass(frozen=True)
class Limits:
    """How far copies were looked for, where there are too many pairs to compare all.

    across  bits up to which turned pictures and parts of pictures were looked for
    rank    pairs put off by so many bits (distance and LATER) were compared in part, later ones not
    share   of the pairs put off by just so many, how many were
    """

    across: int = RADIUS
    rank: int = RADIUS + int(LATER.max())
    share: float = 1.0

    def compared(self, distance: Rows, way: Rows) -> npt.NDArray[np.bool_]:
        """(k,) which of such pairs would have been; of those in part, evenly spread ones."""
        rank = distance + LATER[way]
        edge = np.flatnonzero(rank == self.rank)
        steps = np.floor(np.arange(len(edge) + 1) * self.share)
        reached = rank < self.rank
        reached[edge] = steps[1:] > steps[:-1]
        across = np.isin(way, ACROSS)
        return np.asarray(reached & (~across | (distance <= self.across)), np.bool_)


def measure_near(evidence: Evidence, files: Files, progress: Progress) -> pa.Table:
    """NEAR_FIELDS. Decodes the thumbnails of nominated pairs only."""
    rows, keys = _keys(files, firsts(evidence), progress)
    found = _nominated(keys, progress)
    similarity, coarse = _confirmed(found, files, rows, progress)
    least = alike_from(similarity, len(rows))
    alike = np.flatnonzero(similarity >= least)
    way = found.way[alike]
    columns = [
        rows[found.a[alike]], rows[found.b[alike]], found.distance[alike], similarity[alike],
        [TURNS[WAYS[w].turn] for w in way], [WAYS[w].part for w in way],
        np.full(len(alike), found.complete, np.uint8), found.thinned[alike],
    ]  # fmt: skip
    told = {"alike_from": str(least), "coarse": str(int(coarse)),
            "limits": json.dumps(asdict(found.limits))}  # fmt: skip
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, NEAR_FIELDS, strict=True)],
                    schema=NEAR_FIELDS.with_metadata(told))  # fmt: skip


def alike_from(similarity: npt.NDArray[np.float32], n: float) -> float:
    """Where the look-alikes among n pictures end: FLOOR, or a step above CLEAR, at most 1.

    Copies lie the denser the nearer to 1; pictures of one kind of thing thin out towards it.
    """
    counts, edges = np.histogram(similarity, np.arange(CLEAR - STEP, 1 + 2 * STEP, STEP).round(2))
    end = FLOOR
    for below, above, edge in zip(counts, counts[1:], edges[2:], strict=False):
        if below <= CROWD * n or above > below / 2:
            break
        end = float(edge)
    return min(end, 1.0)


def recorded(near: pa.Table) -> tuple[float, bool]:
    """(alike_from, coarse) of a NEAR table; see NEAR_FIELDS."""
    told = near.schema.metadata or {}
    return float(told.get(b"alike_from", FLOOR)), told.get(b"coarse") == b"1"


def limits_of(near: pa.Table) -> Limits:
    """How far the pairs of a NEAR table reach."""
    return Limits(**json.loads((near.schema.metadata or {}).get(b"limits", b"{}")))


def _keys(files: Files, rows: Rows, progress: Progress) -> tuple[Rows, Keys]:
    """The rows that have a thumbnail with something to see, and their hashes."""
    kept, packed = [], bytearray()
    for done, row in enumerate(rows.tolist()):
        if done % 10_000 == 0:
            progress("reading hashes", done, len(rows))
        if key := _key(files, row):
            kept.append(row)
            packed += key
    return np.array(kept, np.int64), keys_from(packed)


def _key(files: Files, row: int) -> bytes:
    thumbnail = files.thumbnail(row)
    try:
        return carried(thumbnail) if thumbnail else b""
    except ValueError:
        return b""


@dataclass(frozen=True)
class Nominated:
    """k pairs of pictures worth a look, each once, likeliest first.

    a, b, way  (k,) int64: `WAYS[way]` lays b on a
    distance   (k,) uint8 bits
    thinned    (k,) bool, see NEAR_FIELDS
    complete   every pair up to this distance is here, crowds aside; 0 promises nothing
    limits     what is not here
    """

    a: Rows
    b: Rows
    distance: npt.NDArray[np.uint8]
    way: Rows
    thinned: npt.NDArray[np.bool_]
    complete: int
    limits: Limits = field(default_factory=Limits)

    def take(self, chosen: Rows | npt.NDArray[np.bool_]) -> Nominated:
        """The chosen pairs, in that order."""
        return replace(
            self, a=self.a[chosen], b=self.b[chosen], distance=self.distance[chosen],
            way=self.way[chosen], thinned=self.thinned[chosen],
        )  # fmt: skip


def _nominated(keys: Keys, progress: Progress) -> Nominated:
    found = [_same_side(keys.base, 0, keys, progress)]
    found += [
        _same_side(keys.others[:, i - 1], i, keys, progress)
        for i, w in enumerate(WAYS) if w.still != WHOLE
    ]  # fmt: skip
    across = _two_sides(keys.base, keys.others[:, [i - 1 for i in ACROSS]], ACROSS, progress)
    every = replace(_together([*found, across]), limits=Limits(across=across.complete))
    return _each_once(every, len(keys.base))


def _together(found: Sequence[Nominated]) -> Nominated:
    complete = min(f.complete for f in found)
    thinned = np.concatenate([f.thinned | (f.complete < RADIUS) for f in found])
    a, b, distance, way = (
        np.concatenate([getattr(f, name) for f in found]) for name in ("a", "b", "distance", "way")
    )
    return Nominated(a, b, distance, way, thinned, complete)


def _each_once(found: Nominated, n: int) -> Nominated:
    """One way a pair: the nearest, and among equals the plainest. The likeliest of n pictures."""
    found = found.take(found.a != found.b)
    if not len(found.a):
        return found
    pair = np.minimum(found.a, found.b) * n + np.maximum(found.a, found.b)
    order = np.lexsort((found.way, found.distance, pair))
    pair = pair[order]
    order = order[np.concatenate([[True], pair[1:] != pair[:-1]])]
    rank = found.distance[order] + LATER[found.way[order]]
    first = np.argsort(rank, kind="stable")
    most = max(MOST_CANDIDATES, MOST_EACH * n)
    if len(order) <= most:
        return found.take(order[first])
    cut = int(rank[first[most]])
    share = np.count_nonzero(rank[first[:most]] == cut) / np.count_nonzero(rank == cut)
    few = found.take(order[first[:most]])
    return replace(
        few, thinned=np.ones(most, np.bool_),
        complete=min(found.complete, max(cut - 1 - int(LATER.max()), 0)),
        limits=replace(found.limits, rank=cut, share=share),
    )  # fmt: skip


def _same_side(
    values: npt.NDArray[np.uint64], way: int, keys: Keys, progress: Progress
) -> Nominated:
    """Pairs of pictures whose `values` are within the radius."""
    unique, _, inverse = hamming.collapse(values)
    # Within one hash the order of other hashes puts likely copies side by side.
    order = np.lexsort((keys.others[:, -1], keys.others[:, -2], keys.base, inverse))
    start = np.searchsorted(inverse[order], np.arange(len(unique) + 1))
    pairs = hamming.pairs_within(unique, RADIUS, progress)
    size = start[1:] - start[:-1]
    equal_a, equal_b = _ties(start)
    near_a, near_b = hamming.products(
        start[pairs.a], start[pairs.a + 1], start[pairs.b], start[pairs.b + 1], FEW
    )
    distance = np.bitwise_count(values[order[near_a]] ^ values[order[near_b]])
    a, b = order[np.concatenate([equal_a, near_a])], order[np.concatenate([equal_b, near_b])]
    thinned = np.concatenate([
        size[inverse[order[equal_a]]] > FEW + 1,
        size[inverse[order[near_a]]] * size[inverse[order[near_b]]] > FEW * FEW,
    ])  # fmt: skip
    zeros = np.zeros(len(equal_a), np.uint8)
    return Nominated(a, b, np.concatenate([zeros, distance]), np.full(len(a), way), thinned,
                     pairs.complete)  # fmt: skip


def _two_sides(
    base: npt.NDArray[np.uint64], others: npt.NDArray[np.uint64], ways: Sequence[int],
    progress: Progress,
) -> Nominated:  # fmt: skip
    """Pairs of a picture and a turned one, or a part of one, whose hashes are within the radius."""
    left, _, of_left = hamming.collapse(base)
    right, _, of_right = hamming.collapse(others.ravel())
    pairs = hamming.pairs_across(left, right, RADIUS, progress)
    left_order = np.argsort(of_left, kind="stable")
    right_order = np.argsort(of_right, kind="stable")
    left_start = np.searchsorted(of_left[left_order], np.arange(len(left) + 1))
    right_start = np.searchsorted(of_right[right_order], np.arange(len(right) + 1))
    i, j = hamming.products(left_start[pairs.a], left_start[pairs.a + 1], right_start[pairs.b],
                            right_start[pairs.b + 1], FEW)  # fmt: skip
    a, cell = left_order[i], right_order[j]
    b, way = cell // len(ways), np.asarray(ways, dtype=np.int64)[cell % len(ways)]
    thinned = np.bincount(of_left)[of_left[a]] * np.bincount(of_right)[of_right[cell]] > FEW * FEW
    distance = np.bitwise_count(base[a] ^ others.ravel()[cell])
    return Nominated(a, b, distance, way, thinned, pairs.complete)


def _ties(start: Rows) -> tuple[Rows, Rows]:
    """Pairs of places within each run start[i] … start[i + 1], a few per place.

    Runs of at most FEW: every pair. Longer ones: the first with each, and each with the FEW
    after it, so that n identical pictures make about n × FEW pairs and not n² / 2.
    """
    size = np.diff(start)
    end = np.repeat(start[1:], size)
    first = np.repeat(start[:-1], size)
    place = np.arange(len(end))
    count = np.minimum(end - place - 1, FEW)
    a = np.repeat(place, count)
    b = a + 1 + np.arange(len(a)) - np.repeat(np.cumsum(count) - count, count)
    far = place - first > FEW
    return np.concatenate([a, first[far]]), np.concatenate([b, place[far]])


def _confirmed(
    found: Nominated, files: Files, rows: Rows, progress: Progress
) -> tuple[npt.NDArray[np.float32], bool]:
    """(k,) similarity of each pair of places in `rows` on the thumbnails, and whether coarse.

    Coarser detail finds more copies of small pictures, but where the pictures are look-alikes
    (digits, letters) it makes all of them copies: there only the finest detail can tell.
    """
    ends = np.concatenate([found.a, found.b])
    small = np.zeros(len(rows), np.int64)
    for done, place in enumerate(np.unique(ends).tolist()):
        if done % 10_000 == 0:
            progress("comparing pictures", 0, len(found.a))
        thumbnail = files.thumbnail(int(rows[place]))
        small[place] = coarseness(thumbnail) if thumbnail else 0
    if not small.any():
        return _laid_over(found, small, files, rows, progress), False
    k = len(found.a)
    some = found.take(np.linspace(0, k - 1, min(k, SOUNDED)).astype(np.int64))
    rough = _laid_over(some, small, files, rows, progress)
    unclear = np.count_nonzero((rough >= UNCLEAR[0]) & (rough < UNCLEAR[1])) * k / len(rough)
    if unclear > CROWD * len(rows):
        return _laid_over(found, np.zeros_like(small), files, rows, progress), False
    whole = rough if len(rough) == k else _laid_over(found, small, files, rows, progress)
    return whole, True


def _laid_over(
    found: Nominated, coarse: Rows, files: Files, rows: Rows, progress: Progress
) -> npt.NDArray[np.float32]:
    """(k,) similarity of each pair of places; `coarse` of each place."""
    result, done = np.zeros(len(found.a), np.float32), 0
    for at in range(0, len(result), SLICE):
        part = slice(at, at + SLICE)
        ends = np.concatenate([found.a[part], found.b[part]])
        places, where = np.unique(ends, return_inverse=True)
        squares = _squares(files, rows[places], progress)
        a, b = np.split(where, 2)
        sent, kept = tee(overlays(squares, coarse[places], a, b, found.way[part]))
        values = files.shared_out(overlaid, (how for _, how in sent))
        for (batch, _), alike in zip(kept, values, strict=True):
            progress("comparing pictures", done, len(result))
            result[at + batch] = alike
            done += len(batch)
    return result


def _squares(files: Files, rows: Rows, progress: Progress) -> npt.NDArray[np.uint8]:
    """(n, 64, 64) the thumbnails of these rows, squashed."""
    squares = np.empty((len(rows), SIDE, SIDE), np.uint8)
    starts = range(0, len(rows), BATCH)
    jpegs = ([files.thumbnail(int(row)) for row in rows[at : at + BATCH]] for at in starts)
    for at, some in zip(starts, files.shared_out(all_squashed, jpegs), strict=True):
        progress("reading thumbnails", at, len(rows))
        squares[at : at + BATCH] = some
    return squares


NEAR = Measure("near_pairs", 6, ("content_hash", "error"), measure_near, pictures=True)
