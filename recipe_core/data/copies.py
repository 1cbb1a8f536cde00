"""Which samples are copies of one another, by their pixels, and which of them would one keep?

Two measures nominate by hash and confirm on pixels; four checks cut what they found by their own
thresholds. Copies form stars, not chains: every member of a group matches the copy that is kept
directly, so A ~ B ~ C does not put A beside a C that looks different.

The subjects of a finding here are all members of all groups. The copy to keep has score 1, every
other member a score below 0.5: that is what `recipe export --drop` goes by.
"""

from __future__ import annotations

import hashlib
import importlib
import io
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from PIL import Image, ImageOps

from recipe_core.images import hamming
from recipe_core.images.likeness import (
    SIDE,
    TURNS,
    WHOLE,
    Region,
    detail,
    hashes,
    likeness,
    spectrum,
    squashed,
    turned_pictures,
    turned_spectra,
)
from recipe_core.kernel.check import Measure
from recipe_core.kernel.errors import MissingInput
from recipe_core.kernel.evidence import Evidence, Files
from recipe_core.kernel.progress import Progress

Rows = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int64]

RADIUS = 8
"""Bits at which pairs are nominated: the end of the slider."""
SURE_RADIUS = 4  # one picture decoded by two paths (PNG, reduced JPEG) differs by a bit or two
FLOOR = 0.5  # pairs less alike than this are not stored; judges start at it
FLAT = 1.0  # grey levels of detail below which there is nothing to recognise a picture by
MOST_CANDIDATES = 300_000
"""Pairs compared on pixels, the nearest first: about 1 ms each on one core."""
FEW = 16  # rows of one hash that are all paired with each other; more are paired as a star
BATCH = 128  # pairs laid over each other at once: 2 MB a stack of them
BLOCK = 512  # thumbnails hashed at once
SLICE = 50_000  # pairs whose pictures are held at once: at most 400 MB
THREADS = 2

PIXEL_FIELDS = pa.schema([("row", pa.int64()), ("group", pa.int64())])
"""Samples whose decoded pixels are equal although their bytes are not: one row per content hash
(the first sample that has it), equal `group` for equal pixels, size and mode."""

NEAR_FIELDS = pa.schema(
    [
        ("row_a", pa.int64()),
        ("row_b", pa.int64()),
        ("distance", pa.uint8()),
        ("similarity", pa.float32()),
        ("turn", pa.string()),
        ("part", pa.string()),
        ("complete", pa.uint8()),
    ]
)
"""Pairs that look alike, each once, between first samples of their content hash.

distance    bits in which the hashes that nominated the pair differ, 0 … 8
similarity  agreement of the fine detail at the best overlay, 0.5 … 1 (images/likeness.py)
turn        what turns row_b into row_a ('' nothing, 'rotated 90', 'mirrored' …)
part        '' the whole picture, 'crop' one shows a part of the other, 'all but an edge' they
            agree apart from a strip at the top or bottom
complete    all pairs up to this distance were compared; below 8 where there were too many
"""


def _grid(size: float, steps: Sequence[float]) -> tuple[Region, ...]:
    free = 1 - size
    return tuple(
        Region(free * x, free * y, free * x + size, free * y + size) for y in steps for x in steps
    )


PARTS = (*_grid(0.9, (0, 0.5, 1)), *_grid(0.95, (0, 1)), *_grid(0.95, (0.5,)), *_grid(0.8, (0.5,)))
"""Parts of a picture that are hashed to find crops of it, and pictures with a border added; the
hash tolerates about 3 % of the side, so this covers crops down to 9/10 and a centred 8/10."""
EDGES = (Region(0, 0, 1, 0.8), Region(0, 0.2, 1, 1))
"""What is left without a caption or logo in the lower or upper fifth."""
TURNED = (1, 2, 4, 5, 6, 7)
"""Turns that are tried; 3 (rotated 270) is 1 with the pair the other way round."""


@dataclass(frozen=True)
class Way:
    """How a pair was nominated: this region of a against that region of b, turned."""

    still: Region
    moving: Region
    turn: int
    part: str


WAYS = (
    Way(WHOLE, WHOLE, 0, ""),
    *(Way(WHOLE, WHOLE, turn, "") for turn in TURNED),
    *(Way(WHOLE, part, 0, "crop") for part in PARTS),
    *(Way(edge, edge, 0, "all but an edge") for edge in EDGES),
)


# ---------------------------------------------------------------- pixel for pixel


def measure_pixels(evidence: Evidence, files: Files, progress: Progress) -> pa.Table:
    """PIXEL_FIELDS. Opens only files that share size, mode and nearly the hash with another."""
    suspects = _suspects(evidence, progress)
    prints = []
    with ThreadPoolExecutor(THREADS) as threads:
        for done, found in enumerate(threads.map(lambda r: _pixel_print(files, r), suspects)):
            progress("comparing pixels", done, len(suspects))
            prints.append(found)
    kinds, group, size = np.unique(
        np.array(prints, dtype="U40"), return_inverse=True, return_counts=True
    )
    shared = (size[group] > 1) & (kinds[group] != "") if len(suspects) else np.empty(0, np.bool_)
    columns = [suspects[shared], group.astype(np.int64)[shared]]
    return pa.table([pa.array(c) for c in columns], schema=PIXEL_FIELDS)


def _suspects(evidence: Evidence, progress: Progress) -> Rows:
    rows = _firsts(evidence)
    phash = evidence.column("phash")
    known = np.asarray(phash.is_valid().to_numpy())
    rows = rows[known[rows] & (evidence.texts("error")[rows] == "")]
    values = np.asarray(phash.fill_null(0).to_numpy(), dtype=np.uint64)[rows]
    shape = _codes_of(
        evidence.numbers("width")[rows], evidence.numbers("height")[rows],
        evidence.codes("mode")[0][rows],
    )  # fmt: skip
    alone = np.bincount(shape, minlength=1)[shape] < 2
    rows, values, shape = np.asarray(rows[~alone]), values[~alone], shape[~alone]
    if not len(rows):
        return rows
    unique, _, inverse = hamming.collapse(values)
    pairs = hamming.pairs_within(unique, SURE_RADIUS, progress)
    if pairs.complete < SURE_RADIUS:  # so crowded that nearly every row has a partner
        return rows
    cell, of_cell = np.unique(np.stack([inverse, shape]), axis=1, return_inverse=True)
    of_cell = of_cell.ravel()
    suspect = np.bincount(of_cell, minlength=cell.shape[1]) > 1
    start = np.searchsorted(cell[0], np.arange(len(unique) + 1))
    a, b = _products(start[pairs.a], start[pairs.a + 1], start[pairs.b], start[pairs.b + 1])
    same = cell[1, a] == cell[1, b]
    suspect[a[same]] = True
    suspect[b[same]] = True
    return np.asarray(rows[suspect[of_cell]])


def _firsts(evidence: Evidence) -> Rows:
    """The first sample of every content hash, in row order."""
    content = content_codes(evidence)
    values, first = np.unique(content, return_index=True)
    return np.asarray(np.sort(first[values >= 0]), dtype=np.int64)


def content_codes(evidence: Evidence) -> Codes:
    """(n,) equal numbers for equal bytes, -1 where there are none to compare.

    Empty, missing and unreadable files are no copies of each other.
    """
    codes = evidence.codes("content_hash")[0].astype(np.int64)
    hollow = np.isin(evidence.texts("error"), ("empty", "missing", "unreadable"))
    return np.where(hollow, -1, codes)


def _codes_of(*columns: npt.NDArray[np.generic]) -> Codes:
    """(n,) equal numbers where all columns agree."""
    if not len(columns[0]):
        return np.empty(0, np.int64)
    stacked = np.stack([np.asarray(c, dtype=np.float64) for c in columns])
    return np.unique(stacked, axis=1, return_inverse=True)[1].ravel().astype(np.int64)


def _pixel_print(files: Files, row: int) -> str:
    """Digest of the displayed pixels with size and mode; '' where they cannot be had."""
    try:
        data = files.original(int(row))
        if data[4:8] == b"ftyp":  # HEIF and AVIF: loading their library only where it is needed
            pillow_heif = importlib.import_module("pillow_heif")
            pillow_heif.register_heif_opener(thumbnails=False)
        with Image.open(io.BytesIO(data)) as opened:
            picture = ImageOps.exif_transpose(opened)
            mode = picture.mode
            if mode == "P":  # equal pictures may number their colours differently
                picture = picture.convert("RGBA")
            key = f"{mode} {picture.width}x{picture.height} ".encode()
            return hashlib.blake2b(key + picture.tobytes(), digest_size=16).hexdigest()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return ""


# ---------------------------------------------------------------- nearly alike


def measure_near(evidence: Evidence, files: Files, progress: Progress) -> pa.Table:
    """NEAR_FIELDS. Decodes every thumbnail once, and those of nominated pairs once more."""
    rows = _firsts(evidence)
    rows = rows[np.isin(evidence.texts("error")[rows], ("", "damaged"))]
    rows, keys = _keys(rows, files, progress)
    a, b, distance, way, complete = _nominated(keys, progress)
    similarity = _confirmed(rows[a], rows[b], way, files, progress)
    alike = similarity >= FLOOR
    a, b, distance, way = a[alike], b[alike], distance[alike], way[alike]
    columns = [
        rows[a], rows[b], distance, similarity[alike],
        [TURNS[WAYS[w].turn] for w in way], [WAYS[w].part for w in way],
        np.full(len(a), complete, np.uint8),
    ]  # fmt: skip
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, NEAR_FIELDS, strict=True)],
                    schema=NEAR_FIELDS)  # fmt: skip


@dataclass(frozen=True)
class Keys:
    """Hashes of n pictures. `base` (n,); `others` (n, ways - 1): the moving side of each way;
    for an edge both sides are that region, so its column is compared with itself."""

    base: npt.NDArray[np.uint64]
    others: npt.NDArray[np.uint64]


def _keys(rows: Rows, files: Files, progress: Progress) -> tuple[Rows, Keys]:
    """The rows that have a thumbnail with something to see, and their hashes."""
    kept, base, others = [], [], []
    with ThreadPoolExecutor(THREADS) as threads:
        blocks = [rows[i : i + BLOCK] for i in range(0, len(rows), BLOCK)]
        for done, (some, first, rest) in enumerate(
            threads.map(lambda block: _block_keys(block, files), blocks)
        ):
            progress("hashing thumbnails", done * BLOCK, len(rows))
            kept.append(some)
            base.append(first)
            others.append(rest)
    if not kept:
        return rows, Keys(np.empty(0, np.uint64), np.empty((0, len(WAYS) - 1), np.uint64))
    return np.concatenate(kept), Keys(np.concatenate(base), np.concatenate(others))


def _block_keys(
    rows: Rows, files: Files
) -> tuple[Rows, npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    pictures = [_picture(files, r) for r in rows]
    there = np.array([p is not None for p in pictures])
    stack = _stacked([p for p in pictures if p is not None])
    seen = detail(stack) >= FLAT
    stack = stack[seen]
    whole = turned_spectra(spectrum(stack))
    others = [
        hashes(whole[w.turn]) if w.turn else hashes(spectrum(stack, w.moving)) for w in WAYS[1:]
    ]
    return rows[there][seen], hashes(whole[0]), np.stack(others, axis=1)


def _picture(files: Files, row: int) -> npt.NDArray[np.uint8] | None:
    thumbnail = files.thumbnail(int(row))
    if not thumbnail:
        return None
    try:
        return squashed(thumbnail)
    except ValueError:
        return None


def _stacked(pictures: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
    if not pictures:
        return np.empty((0, SIDE, SIDE), np.float32)
    return np.stack(pictures).astype(np.float32)


def _nominated(
    keys: Keys, progress: Progress
) -> tuple[Rows, Rows, npt.NDArray[np.uint8], npt.NDArray[np.int64], int]:
    """(a, b, distance, way, complete) of every pair worth a look, each once, nearest first."""
    n = len(keys.base)
    moving = [i for i, w in enumerate(WAYS) if i and w.still == WHOLE]
    found = [_same_side(keys.base, 0, keys, progress)]
    found += [
        _same_side(keys.others[:, i - 1], i, keys, progress)
        for i, w in enumerate(WAYS) if w.still != WHOLE
    ]  # fmt: skip
    found.append(_two_sides(keys.base, keys.others[:, [i - 1 for i in moving]], moving, progress))
    a, b, distance, way = (np.concatenate([f[i] for f in found]) for i in range(4))
    complete = min(f[4] for f in found)
    other = a != b
    a, b, distance, way = a[other], b[other], distance[other], way[other]
    # One way a pair: the nearest, and among equals the plainest.
    order = np.lexsort((way, distance, np.maximum(a, b), np.minimum(a, b)))
    pair = np.minimum(a, b)[order] * n + np.maximum(a, b)[order]
    order = order[np.concatenate([[True], pair[1:] != pair[:-1]])] if len(order) else order
    order = order[np.argsort(distance[order], kind="stable")]
    if len(order) > MOST_CANDIDATES:
        complete = min(complete, max(int(distance[order[MOST_CANDIDATES]]) - 1, 0))
        order = order[:MOST_CANDIDATES]
    return a[order], b[order], distance[order], way[order], complete


Found = tuple[Rows, Rows, npt.NDArray[np.uint8], npt.NDArray[np.int64], int]


def _same_side(values: npt.NDArray[np.uint64], way: int, keys: Keys, progress: Progress) -> Found:
    """Pairs of pictures whose `values` are within the radius."""
    unique, _, inverse = hamming.collapse(values)
    # Within one hash the order of other hashes puts likely copies side by side.
    order = np.lexsort((keys.others[:, -1], keys.others[:, -2], keys.base, inverse))
    start = np.searchsorted(inverse[order], np.arange(len(unique) + 1))
    pairs = hamming.pairs_within(unique, RADIUS, progress)
    equal_a, equal_b = _ties(start)
    near_a, near_b = _products(start[pairs.a], start[pairs.a + 1], start[pairs.b],
                               start[pairs.b + 1], FEW)  # fmt: skip
    distance = np.bitwise_count(values[order[near_a]] ^ values[order[near_b]])
    a, b = order[np.concatenate([equal_a, near_a])], order[np.concatenate([equal_b, near_b])]
    zeros = np.zeros(len(equal_a), np.uint8)
    return a, b, np.concatenate([zeros, distance]), np.full(len(a), way), pairs.complete


def _two_sides(
    base: npt.NDArray[np.uint64], others: npt.NDArray[np.uint64], ways: Sequence[int],
    progress: Progress,
) -> Found:  # fmt: skip
    """Pairs of a picture and a turned one, or a part of one, whose hashes are within the radius."""
    left, _, of_left = hamming.collapse(base)
    right, _, of_right = hamming.collapse(others.ravel())
    pairs = hamming.pairs_across(left, right, RADIUS, progress)
    left_order = np.argsort(of_left, kind="stable")
    right_order = np.argsort(of_right, kind="stable")
    left_start = np.searchsorted(of_left[left_order], np.arange(len(left) + 1))
    right_start = np.searchsorted(of_right[right_order], np.arange(len(right) + 1))
    i, j = _products(left_start[pairs.a], left_start[pairs.a + 1], right_start[pairs.b],
                     right_start[pairs.b + 1], FEW)  # fmt: skip
    a, cell = left_order[i], right_order[j]
    b, way = cell // len(ways), np.asarray(ways, dtype=np.int64)[cell % len(ways)]
    return a, b, np.bitwise_count(base[a] ^ others.ravel()[cell]), way, pairs.complete


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


def _products(
    a_start: Rows, a_end: Rows, b_start: Rows, b_end: Rows, most: int | None = None
) -> tuple[Rows, Rows]:
    """Every place of run a with every place of run b, for k pairs of runs.

    With `most`, runs whose product exceeds most² meet by their first places only: the first of
    each with all of the other.
    """
    if most is not None:
        big = (a_end - a_start) * (b_end - b_start) > most * most
        small = _products(a_start[~big], a_end[~big], b_start[~big], b_end[~big])
        one = _products(a_start[big], a_start[big] + 1, b_start[big], b_end[big])
        two = _products(a_start[big] + 1, a_end[big], b_start[big], b_start[big] + 1)
        together = [np.concatenate(x) for x in zip(small, one, two, strict=True)]
        return together[0], together[1]
    wide = b_end - b_start
    count = (a_end - a_start) * wide
    each = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    wide = np.repeat(wide, count)
    return np.repeat(a_start, count) + each // wide, np.repeat(b_start, count) + each % wide


def _confirmed(
    a: Rows, b: Rows, way: npt.NDArray[np.int64], files: Files, progress: Progress
) -> npt.NDArray[np.float32]:
    """(k,) similarity of each pair on the pixels of the thumbnails."""
    result = np.zeros(len(a), np.float32)
    with ThreadPoolExecutor(THREADS) as threads:
        for at in range(0, len(a), SLICE):
            part = slice(at, at + SLICE)
            rows, place = np.unique(np.concatenate([a[part], b[part]]), return_inverse=True)
            pictures = [_picture(files, r) for r in rows]
            stack = np.stack([p if p is not None else np.zeros((SIDE, SIDE), np.uint8)
                              for p in pictures])  # fmt: skip
            k = len(a[part])
            batches = list(_batches(way[part]))
            compare = _comparing(stack, place[:k], place[k:], way[part])
            done = at
            for batch, values in zip(batches, threads.map(compare, batches), strict=True):
                progress("comparing pictures", done, len(a))
                result[at + batch] = values
                done += len(batch)
    return result


def _batches(way: npt.NDArray[np.int64]) -> Iterator[Rows]:
    """Indices of pairs nominated the same way, a batch at a time."""
    for kind in np.unique(way):
        members = np.flatnonzero(way == kind)
        for i in range(0, len(members), BATCH):
            yield members[i : i + BATCH]


def _comparing(
    stack: npt.NDArray[np.uint8], a: Rows, b: Rows, way: npt.NDArray[np.int64]
) -> Callable[[Rows], npt.NDArray[np.float32]]:
    def compare(batch: Rows) -> npt.NDArray[np.float32]:
        how = WAYS[int(way[batch[0]])]
        still = stack[a[batch]].astype(np.float32)
        moving = turned_pictures(stack[b[batch]].astype(np.float32), how.turn)
        return likeness(still, moving, how.still, how.moving)

    return compare


PIXELS = Measure(
    "pixel_copies", 1, ("content_hash", "error", "width", "height", "mode", "phash"),
    measure_pixels,
)  # fmt: skip
NEAR = Measure("near_pairs", 1, ("content_hash", "error"), measure_near)


# ---------------------------------------------------------------- groups


@dataclass(frozen=True)
class Copies:
    """Groups of copies: k members, all of a group together, the one to keep first.

    rows     (k,) int64 sample rows
    groups   (k,) int64 number of the group, 0 … g - 1
    keepers  (k,) int64 the row that it is a copy of: the one to keep, itself for that one
    exact    (k,) bool equal to the keeper in bytes or in every pixel (True for the keeper)
    same_bytes  (k,) bool equal to the keeper in bytes
    similarity  (k,) float32 to the keeper, 1 where exact
    distance    (k,) int64 bits away from the keeper's hash, 0 where exact
    how      (k,) object str: turn and part in words, '' where nothing was done
    """

    rows: Rows
    groups: Rows
    keepers: Rows
    exact: npt.NDArray[np.bool_]
    same_bytes: npt.NDArray[np.bool_]
    similarity: npt.NDArray[np.float32]
    distance: Rows
    how: npt.NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def n_groups(self) -> int:
        return int(self.groups.max(initial=-1)) + 1

    @property
    def extra(self) -> int:
        """Copies beyond the first of each group."""
        return len(self) - self.n_groups

    def of_members(self, kept: npt.NDArray[np.bool_]) -> Copies:
        """The members marked in (k,) `kept`, their groups' numbers unchanged."""
        return Copies(
            self.rows[kept], self.groups[kept], self.keepers[kept], self.exact[kept],
            self.same_bytes[kept], self.similarity[kept], self.distance[kept], self.how[kept],
        )  # fmt: skip

    def of_groups(self, wanted: npt.NDArray[np.bool_]) -> Copies:
        """The groups marked in (g,) `wanted`, renumbered."""
        of_wanted = self.of_members(wanted[self.groups])
        return replace(of_wanted, groups=(np.cumsum(wanted) - 1)[of_wanted.groups])


def exact_classes(evidence: Evidence) -> Codes:
    """(n,) equal numbers for samples equal in bytes or in every pixel, -1 where unknown."""
    content = content_codes(evidence)
    pixels = evidence.table(PIXELS.name)
    rows = pixels["row"].to_numpy()
    if not len(rows):
        return content
    group = pixels["group"].to_numpy()
    _, first, back = np.unique(group, return_index=True, return_inverse=True)
    merged = np.arange(int(content.max()) + 1)
    merged[content[rows]] = content[rows[first]][back]
    return np.asarray(np.where(content >= 0, merged[content], -1))


def exact_copies(evidence: Evidence) -> Copies:
    """Groups of samples equal in bytes or in every pixel."""
    classes = exact_classes(evidence)
    none = np.empty(0, np.int64)
    centre = np.arange(int(classes.max(initial=-1)) + 1)
    return _grouped(evidence, classes, _Edges(none, none, none, none, none, none), centre, centre)


def copies_between(
    evidence: Evidence, kinds: npt.NDArray[np.int32], radius: int, similarity: float, turned: bool
) -> Copies:
    """Groups of exact and near copies whose members are of different kinds (split, label).

    kinds   (n,) codes, -1 where unknown

    Every sample with a copy of another kind is in a group: one whose copy already belongs to a
    star that it does not match joins there, with that copy as its `keeper`.
    """
    classes = exact_classes(evidence)
    edges = _edges(evidence, classes, radius, similarity, turned)
    low, high = _extremes(classes, kinds, int(classes.max(initial=-1)) + 1)
    edges = edges.where((high[edges.a] >= 0) & (high[edges.b] >= 0))
    edges = edges.where(np.minimum(low[edges.a], low[edges.b])
                        < np.maximum(high[edges.a], high[edges.b]))  # fmt: skip
    classes = np.where(kinds >= 0, classes, -1)
    star = _stars(classes, edges, worth(evidence).rank())
    copies = _grouped(evidence, classes, edges, *_attached(star, edges))
    low, high = _extremes(copies.groups, kinds[copies.rows], copies.n_groups)
    return copies.of_groups(high > low)


def _extremes(
    groups: Codes, kinds: npt.NDArray[np.int32], n: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(n,) the lowest and the highest kind in each group."""
    low, high = np.full(n, np.iinfo(np.int32).max, np.int64), np.full(n, -1, np.int64)
    known = (groups >= 0) & (kinds >= 0)
    np.minimum.at(low, groups[known], kinds[known])
    np.maximum.at(high, groups[known], kinds[known])
    return low, high


def _attached(star: Codes, edges: _Edges) -> tuple[Codes, Codes]:
    """(group, anchor) of each class: those that no star took join that of their best match."""
    anchor = star.copy()
    taken = np.bincount(star, minlength=len(star))[star] > 1
    order = np.argsort(edges.similarity.astype(np.float64), kind="stable")
    for a, b in ((edges.a[order], edges.b[order]), (edges.b[order], edges.a[order])):
        loose = ~taken[a]
        anchor[a[loose]] = b[loose]
    return star[anchor], anchor


@dataclass(frozen=True)
class _Edges:
    """Near pairs between exact classes."""

    a: Codes
    b: Codes
    similarity: npt.NDArray[np.generic]
    distance: npt.NDArray[np.generic]
    turn: npt.NDArray[np.generic]
    part: npt.NDArray[np.generic]

    def where(self, kept: npt.NDArray[np.bool_]) -> _Edges:
        """The pairs marked in (k,) `kept`."""
        return _Edges(
            self.a[kept], self.b[kept], self.similarity[kept], self.distance[kept],
            self.turn[kept], self.part[kept],
        )  # fmt: skip


def _edges(
    evidence: Evidence, classes: Codes, radius: int, similarity: float, turned: bool
) -> _Edges:
    table = evidence.table(NEAR.name)
    alike = table["similarity"].to_numpy()
    bits = table["distance"].to_numpy().astype(np.int64)
    turn = np.asarray(table["turn"].to_numpy(), dtype=object)
    keep = (alike >= np.float32(similarity)) & (bits <= radius)
    if not turned:
        keep &= turn == ""
    part = np.asarray(table["part"].to_numpy(), dtype=object)
    a, b = classes[table["row_a"].to_numpy()], classes[table["row_b"].to_numpy()]
    keep &= (a >= 0) & (b >= 0)
    return _Edges(a, b, alike, bits, turn, part).where(keep)


@dataclass(frozen=True)
class Worth:
    """What speaks for keeping a sample when one of its copies must go; (n,) each.

    damaged  1 where the file decodes but is damaged
    place    0 in the test split, 1 in validation, 2 in training, 3 in none
    pixels   width × height
    quality  JPEG quality, 100 where the format is lossless
    length   characters of the path: a copy's name has something added
    """

    damaged: npt.NDArray[np.int64]
    place: npt.NDArray[np.int64]
    pixels: npt.NDArray[np.float64]
    quality: npt.NDArray[np.float64]
    length: npt.NDArray[np.int64]

    def rank(self) -> Rows:
        """(n,) its place when one copy is to be kept, 0 the first choice; ties by row.

        Undamaged before damaged. Then test before validation before training: a test set that
        shrinks can no longer be compared with earlier results, training loses one of many. Then
        the most pixels, the best quality, the shortest path.
        """
        order = np.lexsort(
            (self.length, -self.quality, -self.pixels, self.place, self.damaged)
        )  # stable, so that ties stay in row order
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        return rank

    def reason(self, kept: int, dropped: int) -> str:
        """Why one of two copies is kept, in a word or two."""
        for values, sign, text in (
            (self.damaged, 1, "undamaged"), (self.place, 1, "held-out split stays whole"),
            (self.pixels, -1, "larger"), (self.quality, -1, "better quality"),
            (self.length, 1, "shorter name"),
        ):  # fmt: skip
            gain = sign * (float(values[dropped]) - float(values[kept]))
            if gain:
                return text if gain > 0 else "the one that matches all of the group"
        return "the first"


def worth(evidence: Evidence) -> Worth:
    """What speaks for keeping each sample."""
    return Worth(
        np.where(evidence.texts("error") == "", 0, 1).astype(np.int64),
        _split_place(evidence),
        _column(evidence, "width") * _column(evidence, "height"),
        _column(evidence, "jpeg_quality", 100.0),
        np.fromiter(map(len, evidence.texts("path")), np.int64, len(evidence)),
    )


def _column(evidence: Evidence, name: str, missing: float = 0.0) -> npt.NDArray[np.float64]:
    if not evidence.has(name):
        return np.full(len(evidence), missing)
    return np.nan_to_num(evidence.numbers(name), nan=missing)


def _split_place(evidence: Evidence) -> npt.NDArray[np.int64]:
    if not evidence.has("split"):
        return np.zeros(len(evidence), np.int64)
    codes, names = evidence.codes("split")
    return np.array([_place(name.lower()) for name in names] + [3], np.int64)[codes]


def _place(split: str) -> int:
    return 0 if split.startswith("test") else 2 if split.startswith("train") else 1


def _grouped(
    evidence: Evidence, classes: Codes, edges: _Edges, group: Codes, anchor: Codes
) -> Copies:
    """Samples by the group of their exact class; each is compared with its class's anchor."""
    rank = worth(evidence).rank()
    best = _best_rows(classes, rank)
    rows = np.flatnonzero(classes >= 0)
    rows = rows[np.bincount(group[classes[rows]], minlength=1)[group[classes[rows]]] > 1]
    keeper = best[anchor[classes[rows]]]
    first = best[group[classes[rows]]]
    order = np.lexsort((rank[rows], rows != first, first))
    rows, keeper, first = rows[order], keeper[order], first[order]
    number = np.unique(first, return_inverse=True)[1].astype(np.int64)
    exact = classes[rows] == classes[keeper]
    similarity, distance, how = _ties_to_keeper(classes, edges, rows, keeper, exact)
    content = content_codes(evidence)
    same = content[rows] == content[keeper]
    return Copies(rows, number, keeper, exact, same, similarity, distance, how)


def _best_rows(classes: Codes, rank: Rows) -> Rows:
    """(classes,) the preferred row of each class."""
    known = np.flatnonzero(classes >= 0)
    best = np.full(int(classes.max(initial=-1)) + 1, -1, np.int64)
    order = known[np.argsort(-rank[known])]
    best[classes[order]] = order  # written last to first: the most preferred stays
    return best


def _stars(classes: Codes, edges: _Edges, rank: Rows) -> Codes:
    """(classes,) the centre that each class belongs to (itself, where it has no copies)."""
    n = int(classes.max(initial=-1)) + 1
    centre = np.arange(n)
    pairs = np.unique(np.sort(np.stack([edges.a, edges.b], axis=1), axis=1), axis=0)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    if not len(pairs):
        return centre
    place = rank[_best_rows(classes, rank)]
    degree = np.bincount(pairs.ravel(), minlength=n)
    lonely = (degree[pairs] == 1).all(axis=1)
    two = pairs[lonely]
    better = np.where(place[two[:, 0]] < place[two[:, 1]], two[:, 0], two[:, 1])
    centre[two] = better[:, None]
    for keeper, members in _cover(pairs[~lonely], place):
        centre[members] = keeper
    return centre


def _cover(pairs: Codes, place: Rows) -> Iterator[tuple[int, list[int]]]:
    """(centre, members) of a greedy cover by stars.

    The class with the most neighbours takes those that are still free; then, among the members
    that match every other member, the preferred one becomes the centre.
    """
    neighbours: dict[int, set[int]] = {}
    for a, b in pairs.tolist():
        neighbours.setdefault(a, set()).add(b)
        neighbours.setdefault(b, set()).add(a)
    free = set(neighbours)
    for node in sorted(neighbours, key=lambda c: (-len(neighbours[c]), place[c])):
        if node not in free:
            continue
        members = (neighbours[node] & free) | {node}
        free -= members
        if len(members) > 1:
            yield _centre(node, members, neighbours, place), list(members)


def _centre(node: int, members: set[int], neighbours: dict[int, set[int]], place: Rows) -> int:
    for candidate in sorted(members, key=lambda c: place[c]):
        # len() first: a set comparison for every member of a large star would be quadratic
        reaches = len(neighbours[candidate]) >= len(members) - 1
        if candidate == node or (reaches and members - {candidate} <= neighbours[candidate]):
            return candidate
    return node


def _ties_to_keeper(
    classes: Codes, edges: _Edges, rows: Rows, keeper: Rows, exact: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float32], Rows, npt.NDArray[np.object_]]:
    """How each member compares with its keeper: similarity, distance, what was done."""
    similarity = np.ones(len(rows), np.float32)
    distance = np.zeros(len(rows), np.int64)
    how = np.full(len(rows), "", dtype=object)
    near = np.flatnonzero(~exact)
    if len(near):
        n = int(classes.max()) + 1
        key = np.minimum(edges.a, edges.b) * n + np.maximum(edges.a, edges.b)
        order = np.lexsort((-edges.similarity.astype(np.float64), key))
        a, b = classes[rows[near]], classes[keeper[near]]
        wanted = np.minimum(a, b) * n + np.maximum(a, b)
        edge = order[np.searchsorted(key[order], wanted)]
        similarity[near], distance[near] = edges.similarity[edge], edges.distance[edge]
        words = zip(edges.turn[edge], edges.part[edge], strict=True)
        how[near] = [", ".join(t for t in pair if t) for pair in words]
    return similarity, distance, how


def near_copies(evidence: Evidence, radius: int, similarity: float, turned: bool) -> Copies:
    """Groups of near copies, with one sample (the one to keep) standing for its exact copies."""
    classes = exact_classes(evidence)
    edges, rank = _edges(evidence, classes, radius, similarity, turned), worth(evidence).rank()
    star = _stars(classes, edges, rank)
    copies = _grouped(evidence, classes, edges, star, star)
    best = _best_rows(classes, rank)
    kept = best[classes[copies.rows]] == copies.rows
    several = np.bincount(copies.groups[kept], minlength=copies.n_groups) > 1
    return copies.of_members(kept).of_groups(several)


def described(evidence: Evidence, copies: Copies) -> list[str]:
    """A text per member: what it is a copy of, how it differs, and why the other is kept."""
    path, value = evidence.texts("path"), worth(evidence)
    return [_described(path, value, copies, i) for i in range(len(copies))]


def _described(path: npt.NDArray[np.object_], value: Worth, copies: Copies, i: int) -> str:
    row, keeper = int(copies.rows[i]), int(copies.keepers[i])
    if row == keeper:
        return "the copy to keep"
    return f"{likened(path, copies, i)} (kept: {value.reason(keeper, row)})"


def likened(path: npt.NDArray[np.object_], copies: Copies, i: int) -> str:
    """What member i is a copy of, and how it differs."""
    original = path[int(copies.keepers[i])]
    if copies.same_bytes[i]:
        return f"same bytes as {original}"
    if copies.exact[i]:
        return f"same pixels as {original}"
    how = f"{copies.how[i]}, " if copies.how[i] else ""
    return (f"near copy of {original}, {how}{int(copies.distance[i])} bits away, "
            f"similarity {copies.similarity[i]:.2f}")  # fmt: skip


def scored(copies: Copies) -> npt.NDArray[np.float32]:
    """(k,) 1 for the copy to keep, 0 for an exact copy, up to 0.49 the less alike a near one is."""
    return np.where(copies.rows == copies.keepers, np.float32(1), doubt(copies))


def protected(evidence: Evidence, copies: Copies) -> npt.NDArray[np.bool_]:
    """(k,) whether a member lies in the split of its group that should stay as it is.

    Test before validation before training; among others the later one.
    """
    codes, names = evidence.codes("split")
    value = worth(evidence).place[copies.rows] * (len(names) + 1) - codes[copies.rows]
    best = np.full(copies.n_groups, np.iinfo(np.int64).max)
    np.minimum.at(best, copies.groups, value)
    return np.asarray(value == best[copies.groups])


def doubt(copies: Copies) -> npt.NDArray[np.float32]:
    """(k,) 0 where a member certainly equals the copy to keep, rising to 0.49 with doubt."""
    return np.asarray(np.clip((1 - copies.similarity) / (1 - FLOOR), 0, 1) * 0.49, dtype=np.float32)


def crowded(evidence: Evidence, radius: int) -> str:
    """A half-sentence for the summary where not every pair was compared, else ''."""
    complete = evidence.table(NEAR.name)["complete"]
    reached = int(complete[0].as_py()) if len(complete) else RADIUS
    if reached >= radius:
        return ""
    return (f" (so many look alike that every pair was compared only up to {reached} bits: "
            "there may be more)")  # fmt: skip


def needs_two_splits(evidence: Evidence) -> None:
    """Raises MissingInput where nothing can lie in two splits."""
    if not evidence.has("split"):
        raise MissingInput("the data set has no splits")
    codes, names = evidence.codes("split")
    if len(np.unique(codes[codes >= 0])) < 2:
        raise MissingInput(f"the data set has one split only ({', '.join(names)})")
