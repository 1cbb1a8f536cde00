"""By which hashes is an edited copy of a picture found?

The perceptual hash of the whole picture, of the picture turned, and of parts of it: a crop shares
the hash of one of those parts, a picture with a caption that of the part without it. A worker
makes them from the pixels at hand, and the thumbnail carries them in a comment, so that nobody
has to decode it again to look for copies.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recipe_core.images.likeness import (
    COARSEST,
    WHOLE,
    Overlay,
    Pictures,
    Region,
    has_detail,
    hashes,
    spectra,
    squashed,
    turned_spectra,
)

Rows = npt.NDArray[np.int64]

FLAT = 1.0  # grey levels of detail below which there is nothing to recognise a picture by
BATCH = 128  # pairs laid over each other at once: by 32, each takes a fifth longer


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


@dataclass(frozen=True)
class Keys:
    """Hashes of n pictures. `base` (n,); `others` (n, ways - 1): the moving side of each way;
    for an edge both sides are that region, so its column is compared with itself."""

    base: npt.NDArray[np.uint64]
    others: npt.NDArray[np.uint64]


def keys_of(pictures: Pictures) -> Keys:
    """The hashes of (n, 64, 64) pictures for every way to nominate."""
    whole, *parts = spectra(pictures, [WHOLE, *(w.moving for w in WAYS if w.moving != WHOLE)])
    turned = turned_spectra(whole)
    moving = [turned[w.turn] for w in WAYS if w.moving == WHOLE] + parts
    every = hashes(np.concatenate(moving)).reshape(len(WAYS), len(pictures))
    return Keys(every[0], np.ascontiguousarray(every[1:].T))


def nominated(keys: Keys, one: Rows, other: Rows) -> tuple[Rows, Rows, Rows, Rows]:
    """(a, b, distance, way) of given pairs of pictures, as the search over all pairs finds them:
    `WAYS[way]` lays b on a, at so many bits."""
    found = [(np.bitwise_count(keys.base[one] ^ keys.base[other]), 0, one, other)]
    for i, w in enumerate(WAYS[1:]):
        moving = keys.others[:, i]
        for a, b in ((one, other), (other, one)):
            still = keys.base if w.still == WHOLE else moving
            found.append((np.bitwise_count(still[a] ^ moving[b]), i + 1, a, b))
    distances = np.stack([f[0] for f in found])
    best, each = distances.argmin(axis=0), np.arange(len(one))  # the first: the plainest way
    a, b = np.stack([f[2] for f in found]), np.stack([f[3] for f in found])
    way = np.array([f[1] for f in found])[best]
    return a[best, each], b[best, each], distances[best, each].astype(np.int64), way


def overlays(
    squares: npt.NDArray[np.uint8], coarse: Rows, a: Rows, b: Rows, way: Rows
) -> Iterator[tuple[Rows, Overlay]]:
    """Which of the pairs (squares[a], squares[b]) are laid over each other together, and how.

    coarse  (n,) likeness.coarseness of each square; a pair is as coarse as its coarser one
    """
    both = np.maximum(coarse[a], coarse[b])
    kinds = way * (COARSEST + 1) + both
    for kind in np.unique(kinds):
        members = np.flatnonzero(kinds == kind)
        for i in range(0, len(members), BATCH):
            batch = members[i : i + BATCH]
            how, coarser = WAYS[int(way[batch[0]])], int(both[batch[0]])
            pairs = squares[a[batch]], squares[b[batch]]
            yield batch, Overlay(*pairs, how.turn, how.still, how.moving, coarser)


# -- as bytes, in a thumbnail -------------------------------------------------------------------

_JFIF = 20  # bytes of a JPEG before the comment: SOI and the JFIF segment, which comes first
_NAME = b"copy keys"
_COMMENT = b"\xff\xfe"
KEY_BYTES = 8 * len(WAYS)


def key_bytes(pictures: Pictures) -> list[bytes]:
    """The keys of each of (n, 64, 64) pictures, b"" where there is nothing to recognise it by."""
    keys = keys_of(pictures)
    every = np.concatenate([keys.base[:, None], keys.others], axis=1).astype("<u8")
    seen = has_detail(pictures, FLAT)
    return [row.tobytes() if s else b"" for row, s in zip(every, seen.tolist(), strict=True)]


def keys_from(packed: bytes | bytearray) -> Keys:
    """Keys of n pictures from their `key_bytes`, one after the other; without a copy of most."""
    every = np.frombuffer(packed, "<u8").reshape(-1, len(WAYS))
    every = every.astype(np.uint64, copy=False)
    return Keys(np.ascontiguousarray(every[:, 0]), every[:, 1:])


def carrying(thumbnail: bytes, key: bytes) -> bytes:
    """The JPEG with the keys in a comment, which decoders skip."""
    content = _NAME + key
    length = (len(content) + 2).to_bytes(2, "big")
    return b"".join([thumbnail[:_JFIF], _COMMENT, length, content, thumbnail[_JFIF:]])


def carried(thumbnail: bytes) -> bytes:
    """The keys that a thumbnail carries; one without them is decoded, and they are made.

    b"" where there is nothing to recognise it by. Raises ValueError where it is no JPEG.
    """
    begin = _JFIF + 4 + len(_NAME)
    if thumbnail[_JFIF : _JFIF + 2] == _COMMENT and thumbnail[_JFIF + 4 : begin] == _NAME:
        end = _JFIF + 2 + int.from_bytes(thumbnail[_JFIF + 2 : _JFIF + 4], "big")
        return thumbnail[begin:end]
    return key_bytes(squashed(thumbnail)[None].astype(np.float32))[0]
