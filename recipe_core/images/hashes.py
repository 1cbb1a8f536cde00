"""Do two pictures look alike? 64-bit perceptual hashes of many pictures of one size at once.

The same bits as `imagehash` (phash: hash_size 8, highfreq_factor 4; dhash: hash_size 8), but from
the reduced picture: Lanczos resizing and DCT are both linear, so one small matrix per side does
both. The phash of the seven turned and mirrored pictures follows from the same coefficients:
mirroring changes the sign of every odd frequency, a quarter turn also swaps the two axes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Bits = npt.NDArray[np.uint64]

_SIGN = (-1.0) ** np.arange(8)
_VIEWS = (0, 5, 3, 6, 1, 4, 2, 7)
"""The views of phash_and_turned among: as it is, mirrored, flipped, both, and these transposed."""


@dataclass(frozen=True)
class Source:
    """Where hashes are computed from: pixels of one size, or the means of 2 × 2 of them.

    luma           (k, h, w) float32, whole numbers 0 … 255
    height, width  of the pixels before that: a last line that only partly stands for picture
                   counts as that part
    """

    luma: Floats
    height: float
    width: float


def coefficients(source: Source) -> npt.NDArray[np.float64]:
    """(k, 8, 8) lowest DCT-II coefficients of the pictures resized to 32 × 32, rounded to 1.

    The unit is that of scipy.fftpack.dct applied twice (DC: 4 × the sum of the pixels). Rounding
    makes the coefficients of a flat area equal; imagehash's own rounding of pixels to 8 bits moves
    them by about 18.
    """
    down = _dct_of_resized(source.height, source.luma.shape[1])
    across = _dct_of_resized(source.width, source.luma.shape[2])
    low: Floats = np.matmul(np.matmul(down, source.luma), across.T)
    return np.rint(low.astype(np.float64))


def phash_and_turned(low: npt.NDArray[np.float64]) -> Bits:
    """(k, 8, 8) coefficients -> (k, 8) uint64: the phash as it is, then of the seven other ways to
    turn or mirror it: rotated 90, 180, 270 degrees counter-clockwise, mirrored left-right, and that
    mirrored one rotated 90, 180, 270. A bit tells that a coefficient exceeds their median; the
    first bit is the highest.
    """
    mirrored, flipped = low * _SIGN, low * _SIGN[:, None]
    four = np.stack([low, mirrored, flipped, mirrored * _SIGN[:, None]], axis=1)
    # a transposed picture has the same median
    ranked = np.partition(four.reshape(-1, 4, 64), (31, 32), axis=2)
    upright = four > ranked[:, :, 31:33].mean(axis=2)[:, :, None, None]
    turned = upright.swapaxes(2, 3)
    bits = np.concatenate([upright, turned], axis=1)[:, _VIEWS]
    return _packed(bits.reshape(-1, 64)).reshape(-1, 8)


def dhash(source: Source) -> Bits:
    """(k,) uint64: which of 8 × 9 pixels exceed their left one.

    Rounded to 8 bits after each of the two passes, as Pillow does: it decides in flat areas.
    """
    across = _resize(source.width, source.luma.shape[2], 9)
    down = _resize(source.height, source.luma.shape[1], 8)
    narrow = _eight_bit(np.matmul(source.luma, across.T))
    pixels = _eight_bit(np.matmul(down, narrow))
    return _packed((pixels[:, :, 1:] > pixels[:, :, :-1]).reshape(len(pixels), 64))


def _eight_bit(values: Floats) -> Floats:
    return np.clip(np.rint(values, out=values), 0, 255, out=values)


def _packed(bits: npt.NDArray[np.bool_]) -> Bits:
    return np.packbits(bits, axis=1).view(">u8")[:, 0].astype(np.uint64)


@lru_cache(maxsize=512)
def _dct_of_resized(length: float, given: int) -> Floats:
    """(8, given): resize to 32 and take the 8 lowest coefficients of the DCT-II."""
    angle = np.pi * np.arange(8)[:, None] * (2 * np.arange(32) + 1) / 64
    return ((2 * np.cos(angle)) @ _resize(length, given, 32)).astype(np.float32)


@lru_cache(maxsize=512)
def _resize(length: float, given: int, n_out: int) -> Floats:
    """(n_out, given): resize `length` pixels, of which pixels or means of pairs are given."""
    n = math.ceil(length)
    weights = lanczos(length, n, n_out)
    return weights if given == n else np.add.reduceat(weights, np.arange(0, n, 2), axis=1)


def lanczos(length: float, n_in: int, n_out: int) -> Floats:
    """(n_out, n_in) weights of Pillow's LANCZOS resize with the box (0, length)
    (src/libImaging/Resample.c)."""
    scale = length / n_out
    width = max(scale, 1.0)
    centre = (np.arange(n_out)[:, None] + 0.5) * scale
    at = (np.arange(n_in) + 0.5 - centre) / width
    first = np.trunc(np.maximum(centre - 3 * width + 0.5, 0))
    last = np.trunc(np.minimum(centre + 3 * width + 0.5, n_in))
    inside = (np.arange(n_in) >= first) & (np.arange(n_in) < last) & (at >= -3) & (at < 3)
    weights = np.where(inside, np.sinc(at) * np.sinc(at / 3), 0.0)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray(weights, dtype=np.float32)
