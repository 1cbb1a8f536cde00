"""How does a picture become small, once, for the eye and for the statistics?

Pixels are packed, four bytes (R, G, B and one unused) in one number, so that a mean of two pixels
is four integer operations on all channels at once (Dietz, "(x & y) + ((x ^ y) >> 1)").
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import simplejpeg

LONGER_SIDE = 160
"""Pixels of the longer side of a thumbnail, and of the picture that is measured."""
QUALITY = 80

Packed = npt.NDArray[np.uint32]
Indices = npt.NDArray[np.intp]

_LOW = np.uint32(0x7F7F7F7F)
_ONE = np.uint32(1)


def packed(rgbx: npt.NDArray[np.uint8]) -> Packed:
    """(h, w, 4) uint8, contiguous -> (h, w) little-endian uint32, without a copy."""
    return rgbx.view("<u4")[..., 0]


def planes_of(pixels: Packed) -> npt.NDArray[np.uint8]:
    """(h, w) packed -> (3, h, w) uint8 of R, G, B."""
    planes = np.empty((3, *pixels.shape), np.uint8)
    for k in range(3):
        np.copyto(planes[k], pixels >> np.uint32(8 * k), casting="unsafe")
    return planes


def small_size(height: int, width: int) -> tuple[int, int]:
    """Height and width with the longer side at LONGER_SIDE, or unchanged where it is shorter."""
    longer = max(height, width)
    if longer <= LONGER_SIDE:
        return height, width
    scaled = (max(1, round(n * LONGER_SIDE / longer)) for n in (height, width))
    return next(scaled), next(scaled)


def shrunk(pixels: Packed) -> Packed:
    """(h, w) packed pixels at `small_size`: halved while possible, then a triangle filter."""
    rows, columns = small_size(*pixels.shape)
    while len(pixels) >= 2 * rows:
        even = len(pixels) // 2 * 2
        pixels = _mean_up(pixels[0:even:2], pixels[1:even:2])
    while pixels.shape[1] >= 2 * columns:
        even = pixels.shape[1] // 2 * 2
        pixels = _mean_up(pixels[:, 0:even:2], pixels[:, 1:even:2])
    return _filtered(_filtered(pixels, rows, 0), columns, 1)


def _filtered(pixels: Packed, n: int, axis: int) -> Packed:
    """One axis brought to n, at least half its length."""
    if pixels.shape[axis] == n:
        return pixels
    before, here, after = (
        pixels.take(where, axis, mode="clip") for where in _taps(pixels.shape[axis], n)
    )
    return _mean_down(_mean_up(before, after), here)


@lru_cache(maxsize=1024)
def _taps(n_in: int, n_out: int) -> tuple[Indices, Indices, Indices]:
    """Where a triangle of half-width n_in / n_out has its weights ¼, ½, ¼."""
    scale = n_in / n_out
    centre = (np.arange(n_out) + 0.5) * scale - 0.5
    near = [
        np.clip(np.rint(centre + d * scale), 0, n_in - 1).astype(np.intp) for d in (-0.5, 0, 0.5)
    ]
    return near[0], near[1], near[2]


def _mean_up(a: Packed, b: Packed) -> Packed:
    differ = a ^ b
    differ >>= _ONE
    differ &= _LOW
    either = a | b
    either -= differ
    return either


def _mean_down(a: Packed, b: Packed) -> Packed:
    """Rounds down where `_mean_up` rounds up: together they keep the mean."""
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
