"""Which copies do hashes miss and an embedding finds? Strong crops, mirrored and recoloured shots.

The nearest neighbours in the embedding are laid over each other, whole and as a crop of one
another, mirrored and not; the pixels decide, by the same likeness as for pairs that hashes
nominate (images/likeness.py). What only looks alike stays a neighbour and is accused of nothing.
Copies planted in a sample of the data set tell how many such copies are found.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import simplejpeg
from PIL import Image, ImageOps

from recipe_core.data.near_pairs import FLOOR, NEAR
from recipe_core.data.pixel_copies import firsts
from recipe_core.images.copy_keys import BATCH, FLAT
from recipe_core.images.edits import Edit, cropped
from recipe_core.images.embedding import Compact
from recipe_core.images.likeness import (
    SIDE,
    WHOLE,
    Overlay,
    Pictures,
    Region,
    all_squashed,
    has_detail,
    overlaid,
)
from recipe_core.images.neighbours import unit
from recipe_core.images.thumbnails import QUALITY
from recipe_core.kernel.check import Measure
from recipe_core.kernel.errors import MissingInput
from recipe_core.kernel.evidence import Evidence, Files
from recipe_core.kernel.intervals import wilson
from recipe_core.kernel.progress import Progress

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

NAME = "embedded_pairs"
MIRRORED = 4
"""The place of `mirrored` among likeness.TURNS."""
SMALL = 16
"""Side at which the way to lay one picture over the other is chosen."""
WAYS_TRIED = 2
SAMPLED, SEED = 80, 0
PLANTED = b"planted"
"""Key of {edit: [similarity of each planted copy, 0 where it was not nominated]}, as JSON."""

PAIR_FIELDS = pa.schema([
    ("row_a", pa.int64()), ("row_b", pa.int64()), ("similarity", pa.float32()),
    ("turn", pa.string()), ("part", pa.string()),
])  # fmt: skip
"""Pairs of first samples of their content hash that near_pairs has not, each once; as there."""


def _grid(size: float) -> tuple[Region, ...]:
    steps = (0.0, (1 - size) / 2, 1 - size)
    return tuple(Region(x, y, x + size, y + size) for y in steps for x in steps)


REGIONS = (WHOLE, *_grid(0.85), *_grid(0.7))
"""Which part of one picture the other may be: likeness.REACH covers what lies between."""


def measure(evidence: Evidence, files: Files, progress: Progress) -> pa.Table:
    """Only `recipe embed` has the vectors that this needs."""
    raise MissingInput("pairs by an embedding are made by recipe embed")


def measure_pairs(
    evidence: Evidence, files: Files, made: Compact, near: Rows, progress: Progress
) -> pa.Table:
    """PAIR_FIELDS of neighbours that are copies on their pixels; planted ones in the metadata.

    near  (k, m) int64 places of each picture's neighbours in `made`, -1: none
    """
    first = np.isin(made.rows, firsts(evidence))
    a, b = _candidates(near, first)
    rows_a, rows_b = made.rows[a], made.rows[b]
    new = ~_known(evidence, rows_a, rows_b)
    found = confirmed(files, rows_a[new], rows_b[new], progress)
    alike = np.asarray(found["similarity"], np.float32) >= FLOOR
    columns = [rows_a[new][alike], rows_b[new][alike], *(v[alike] for v in found.values())]
    table = pa.table([pa.array(c, f.type) for c, f in zip(columns, PAIR_FIELDS, strict=True)],
                     schema=PAIR_FIELDS)  # fmt: skip
    planted = _planted(files, made, made.rows[first], near.shape[1], progress)
    return table.replace_schema_metadata({PLANTED: json.dumps(planted).encode()})


def _candidates(near: Rows, first: npt.NDArray[np.bool_]) -> tuple[Rows, Rows]:
    """Pairs of neighbours, each once, both of them the first of their content."""
    n, m = near.shape
    a, b = np.repeat(np.arange(n), m), near.ravel()
    there = (b >= 0) & first[a] & first[np.maximum(b, 0)]
    pairs = np.unique(np.sort(np.stack([a[there], b[there]], 1), axis=1), axis=0)
    return pairs[:, 0], pairs[:, 1]


def _known(evidence: Evidence, a: Rows, b: Rows) -> npt.NDArray[np.bool_]:
    table, n = evidence.tables.get(NEAR.name), len(evidence)
    if table is None:
        return np.zeros(len(a), bool)
    x, y = (np.asarray(table[c].to_numpy(), np.int64) for c in ("row_a", "row_b"))
    return np.isin(np.minimum(a, b) * n + np.maximum(a, b), np.minimum(x, y) * n + np.maximum(x, y))


# -- on pixels ----------------------------------------------------------------------------------


def confirmed(
    files: Files, a: Rows, b: Rows, progress: Progress
) -> dict[str, npt.NDArray[np.generic]]:
    """similarity (k,) float32, turn and part (k,) str of pairs of rows, on their thumbnails."""
    rows, where = np.unique(np.concatenate([a, b]), return_inverse=True)
    squares = all_squashed([files.thumbnail(int(r)) for r in rows])
    return compared(squares, where[: len(a)], where[len(a) :], progress)


def compared(
    squares: npt.NDArray[np.uint8], a: Rows, b: Rows, progress: Progress
) -> dict[str, npt.NDArray[np.generic]]:
    """`confirmed` of pairs (squares[a], squares[b])."""
    best = np.zeros(len(a), np.float32)
    turn, part = np.full(len(a), "", object), np.full(len(a), "", object)
    seen = has_detail(squares.astype(np.float32), FLAT)
    ways = _ways(squares, a, b)
    for which in range(WAYS_TRIED):
        for way in np.unique(ways[:, which]):
            members = np.flatnonzero((ways[:, which] == way) & seen[a] & seen[b])
            for start in range(0, len(members), BATCH):
                some = members[start : start + BATCH]
                progress("comparing neighbours", which * len(a) + int(some[0]), WAYS_TRIED * len(a))
                value, told = _laid_over(squares, a[some], b[some], int(way))
                better = value > best[some]
                best[some[better]] = value[better]
                turn[some[better]], part[some[better]] = told
    return {"similarity": best, "turn": turn, "part": part}


def _laid_over(
    squares: npt.NDArray[np.uint8], a: Rows, b: Rows, way: int
) -> tuple[Floats, tuple[str, str]]:
    swapped, mirrored, place = _parts_of(way)
    still, moving = (squares[b], squares[a]) if swapped else (squares[a], squares[b])
    turn = MIRRORED if mirrored else 0
    value = overlaid(Overlay(still, moving, turn, WHOLE, REGIONS[place], coarse=0))
    return value, ("mirrored" if mirrored else "", "crop" if place else "")


def _parts_of(way: int) -> tuple[int, int, int]:
    """(swapped, mirrored, place in REGIONS) of the number of a way."""
    rest, place = divmod(way, len(REGIONS))
    return rest // 2, rest % 2, place


def _ways(squares: npt.NDArray[np.uint8], a: Rows, b: Rows) -> Rows:
    """(k, WAYS_TRIED) the ways that look best from afar: 16 × 16 grey values, correlated."""
    plain = squares.astype(np.float32)
    wholes = _small(plain, WHOLE)
    parts = [np.stack([_small(p, r) for r in REGIONS], 1)
             for p in (plain, plain[:, :, ::-1])]  # fmt: skip
    found = np.empty((len(a), WAYS_TRIED), np.int64)
    for start in range(0, len(a), 4096):
        some = slice(start, start + 4096)
        scores = np.concatenate([
            np.einsum("nd,nrd->nr", wholes[one[some]], parts[m][other[some]])
            for one, other in ((a, b), (b, a)) for m in (0, 1)
        ], axis=1)  # fmt: skip
        found[some] = np.argsort(-scores, axis=1, kind="stable")[:, :WAYS_TRIED]
    return found


def _small(pictures: Pictures, region: Region) -> Floats:
    """(n, 256) a region at 16 × 16 without its mean, of length 1."""
    down, across = _fields(region.top, region.bottom), _fields(region.left, region.right)
    found = (down @ pictures @ across.T).reshape(len(pictures), -1)
    return unit(found - found.mean(1, keepdims=True))


@lru_cache
def _fields(low: float, high: float) -> Floats:
    """(16, 64): the share of each pixel in each of 16 fields from `low` to `high`."""
    edges = np.linspace(low, high, SMALL + 1) * SIDE
    pixel = np.arange(SIDE)
    covered = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    weights = np.clip(covered, 0, None)
    return np.asarray(weights / weights.sum(1, keepdims=True), np.float32)


# -- planted ------------------------------------------------------------------------------------


def _mirrored_and_tinted(p: Image.Image, rng: np.random.Generator) -> Image.Image:
    gains = rng.uniform(0.7, 1.3, 3).tolist()
    bands = ImageOps.mirror(p).split()
    return Image.merge("RGB", [b.point([min(round(g * v), 255) for v in range(256)])
                               for b, g in zip(bands, gains, strict=True)])  # fmt: skip


EDITS: Mapping[str, Edit] = {
    "cropped to 85 %": cropped(0.85), "cropped to 70 %": cropped(0.7),
    "mirrored and tinted": _mirrored_and_tinted,
}  # fmt: skip


def _planted(
    files: Files, made: Compact, rows: Rows, neighbours: int, progress: Progress
) -> dict[str, list[float]]:
    """edit -> similarity of each edited copy of SAMPLED pictures, 0 where it was not nominated."""
    if made.describe is None:
        return {}
    rng = np.random.default_rng(SEED)
    chosen = np.sort(rng.permutation(rows)[:SAMPLED])
    originals = [t for t in (files.thumbnail(int(r)) for r in chosen) if t]
    chosen = np.array([r for r in chosen if files.thumbnail(int(r))], np.int64)
    copies = [_jpeg(edit(_opened(t), rng)) for t in originals for edit in EDITS.values()]
    if not copies:
        return {}
    progress("planting copies", 0, len(copies))
    vectors = unit(made.describe(copies.__getitem__, len(copies)))
    nominated = _nominated(made, vectors, np.repeat(chosen, len(EDITS)), neighbours)
    squares = all_squashed([*originals, *copies])
    k = len(originals)
    a = np.repeat(np.arange(k), len(EDITS))
    value = compared(squares, a, k + np.arange(len(copies)), progress)["similarity"]
    seen = has_detail(squares.astype(np.float32), FLAT)
    told = {}
    for i, name in enumerate(EDITS):
        mine = (np.arange(len(copies)) % len(EDITS) == i) & seen[a]
        similar = np.where(nominated, value.astype(np.float64), 0)[mine]
        told[name] = [round(float(v), 4) for v in similar]
    return told


def _opened(jpeg: bytes) -> Image.Image:
    return Image.fromarray(simplejpeg.decode_jpeg(jpeg, "RGB"))


def _jpeg(picture: Image.Image) -> bytes:
    return bytes(simplejpeg.encode_jpeg(np.array(picture), QUALITY, "RGB"))


def _nominated(made: Compact, vectors: Floats, rows: Rows, most: int) -> npt.NDArray[np.bool_]:
    """Whether each copy has its original (a row) among the `most` nearest of all pictures."""
    place = np.searchsorted(made.rows, rows)
    own = np.einsum("nd,nd->n", vectors, unit(np.asarray(made.vectors[place], np.float32)))
    nearer = np.zeros(len(vectors), np.int64)
    for start in range(0, len(made.rows), 16_384):
        block = unit(np.asarray(made.vectors[start : start + 16_384], np.float32))
        nearer += (vectors @ block.T > own[:, None] + 1e-6).sum(1)
    return np.asarray(nearer < most)


def card_numbers(table: pa.Table, similarity: float, pictures: int) -> dict[str, Any]:
    """What the embedding adds, for a card: pairs, recall of planted copies with its 95 % interval.

    `precision_at_least` holds for a data set in which every picture has one such copy: what is
    reported among unedited pictures may be real copies, too.
    """
    pairs = int((table["similarity"].to_numpy() >= np.float32(similarity)).sum())
    planted = json.loads((table.schema.metadata or {}).get(PLANTED, b"{}"))
    values = {k: np.array(v) >= similarity for k, v in planted.items()}
    told: dict[str, Any] = {"pairs_by_embedding_alone": pairs}
    n = sum(len(v) for v in values.values())
    if not n:
        return told
    found = int(sum(v.sum() for v in values.values()))
    low, high = wilson(found, n)
    reported = found / n * pictures + pairs
    return told | {
        "embedding_recall": found / n, "embedding_recall_low": low, "embedding_recall_high": high,
        "embedding_recall_of_edit": {k: float(v.mean()) for k, v in values.items()},
        "embedding_precision_at_least": found / n * pictures / reported if reported else 1.0,
    }  # fmt: skip


PAIRS = Measure(NAME, 1, ("content_hash", "error"), measure, asked=True, by="recipe embed")
