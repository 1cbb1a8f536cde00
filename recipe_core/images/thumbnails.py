"""How does a picture become small, once, for the eye and for the statistics?

Pixels are packed, four bytes (R, G, B and one unused) in one number, so that a mean of two pixels
takes few integer operations for all channels at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import simplejpeg

LONGER_SIDE = 160
"""Pixels of the longer side of a thumbnail, and of the picture that is measured, at most."""
QUALITY = 80
HALVED_FROM = 4 * LONGER_SIDE
"""Below this, hashes are made from all pixels: half a level decides bits in areas of one colour."""

Packed = npt.NDArray[np.uint32]
Indices = npt.NDArray[np.intp]

_LOW = np.uint32(0x7F7F7F7F)
_ONE = np.uint32(1)
_EACH = np.uint32(0x01010101)


def packed(rgbx: npt.NDArray[np.uint8]) -> Packed:
    """(h, w, 4) uint8, contiguous -> (h, w) little-endian uint32, without a copy."""
    return rgbx.view("<u4")[..., 0]


def planes_of(pictures: Sequence[Packed]) -> npt.NDArray[np.uint8]:
    """k packed pictures (h, w), contiguous -> (3, k, h, w) uint8 of R, G, B."""
    planes = np.empty((3, len(pictures), *pictures[0].shape), np.uint8)
    for i, pixels in enumerate(pictures):  # one by one: each stays in the first-level cache
        bytes_ = pixels.view(np.uint8).reshape(-1, 4)
        for k in range(3):
            planes[k, i].reshape(-1)[:] = bytes_[:, k]
    return planes


def small_size(height: int, width: int) -> tuple[int, int]:
    """Height and width with the longer side at LONGER_SIDE, or unchanged where it is shorter."""
    longer = max(height, width)
    if longer <= LONGER_SIDE:
        return height, width
    scaled = (max(1, round(n * LONGER_SIDE / longer)) for n in (height, width))
    return next(scaled), next(scaled)


def shrunk(pixels: Packed) -> Packed:
    """(h, w) packed pixels at `small_size`: halved while possible, then filtered.

    Rounding may move a channel by two levels.
    """
    rows, columns = small_size(*pixels.shape)
    while len(pixels) >= 2 * rows:
        even = len(pixels) // 2 * 2
        half = _half(pixels[:even])
        pixels = half[0::2] + half[1::2] + _EACH
    while pixels.shape[1] >= 2 * columns:
        even = pixels.shape[1] // 2 * 2
        half = _half(pixels[:, :even])
        pixels = half[:, 0::2] + half[:, 1::2]  # rounded down: the rows were rounded up
    return _filtered(_filtered(pixels, rows, 0), columns, 1)


def _filtered(pixels: Packed, n: int, axis: int) -> Packed:
    """One axis brought to n, at least half its length."""
    if pixels.shape[axis] == n:
        return pixels
    half = _half(pixels)
    before, here, after = (half.take(k, axis, mode="clip") for k in _taps(pixels.shape[axis], n))
    before += after
    before >>= _ONE
    before &= _LOW
    before += here
    before += _EACH
    return before


def _half(pixels: Packed) -> Packed:
    """Every channel halved, rounded down: two halves and 1 fit into a byte again."""
    half = pixels >> _ONE
    half &= _LOW
    return half


@lru_cache(maxsize=1024)
def _taps(n_in: int, n_out: int) -> tuple[Indices, Indices, Indices]:
    """Three pixels that, weighted ¼, ½, ¼, spread as far as a box of width n_in / n_out does."""
    scale = n_in / n_out
    centre = (np.arange(n_out) + 0.5) * scale - 0.5
    aside = scale / 6**0.5  # variance of the box: scale² / 12; of the three pixels: aside² / 2
    places = np.rint([centre - aside, centre, centre + aside])
    before, here, after = np.clip(places, 0, n_in - 1).astype(np.intp)
    return before, here, after


def halved(pixels: Packed) -> Packed:
    """Means of 2 × 2 pixels where the longer side is HALVED_FROM or more, else the pixels.

    ceil(h / 2) × ceil(w / 2): the last line of an odd number stays as it is. Exact to half a level.
    """
    if max(pixels.shape) < HALVED_FROM:
        return pixels
    h, w = (n // 2 * 2 for n in pixels.shape)
    rows = _mean_up(pixels[0:h:2], pixels[1:h:2])
    rows = rows if h == len(pixels) else np.concatenate([rows, pixels[h:]])
    columns = _mean_down(rows[:, 0:w:2], rows[:, 1:w:2])
    return columns if w == rows.shape[1] else np.concatenate([columns, rows[:, w:]], axis=1)


def _mean_up(a: Packed, b: Packed) -> Packed:
    differ = a ^ b
    differ >>= _ONE
    differ &= _LOW
    either = a | b
    either -= differ
    return either


def _mean_down(a: Packed, b: Packed) -> Packed:
    differ = a ^ b
    differ >>= _ONE
    differ &= _LOW
    both = a & b
    both += differ
    return both


def encoded(pixels: Packed) -> bytes:
    """(h, w) contiguous packed pixels as a JPEG (quality 80, 4:2:0)."""
    rgbx = pixels.view(np.uint8).reshape(*pixels.shape, 4)
    return bytes(simplejpeg.encode_jpeg(rgbx, QUALITY, "RGBX", "420"))
