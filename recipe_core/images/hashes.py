"""Do two pictures look alike? 64-bit perceptual hashes of many pictures of one size at once.

The same bits as `imagehash` (phash: hash_size 8, highfreq_factor 4; dhash: hash_size 8), but from
the reduced picture: Lanczos resizing and DCT are both linear, so one small matrix per side does
both. The phash of the seven turned and mirrored pictures follows from the same coefficients:
mirroring changes the sign of every odd frequency, a quarter turn also swaps the two axes.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Bits = npt.NDArray[np.uint64]

_SIGN = (-1.0) ** np.arange(8)


def coefficients(luma: Floats) -> npt.NDArray[np.float64]:
    """(k, h, w) float32 luma 0 … 255 -> (k, 8, 8) lowest DCT-II coefficients, rounded to 1.

    The unit is that of scipy.fftpack.dct applied twice to 32 × 32 pixels (DC: 4 × sum of pixels).
    Rounding makes the coefficients of a flat area equal; imagehash's own rounding of pixels to
    8 bits moves them by about 18.
    """
    low = np.matmul(
        np.matmul(_dct_of_resized(luma.shape[1]), luma), _dct_of_resized(luma.shape[2]).T
    )
    return np.rint(low.astype(np.float64))


def phash_and_turned(low: npt.NDArray[np.float64]) -> Bits:
    """(k, 8, 8) coefficients -> (k, 8) uint64: the phash as it is, then of the seven other ways to
    turn or mirror it: rotated 90, 180, 270 degrees counter-clockwise, mirrored left-right, and that
    mirrored one rotated 90, 180, 270. A bit tells that a coefficient exceeds their median; the
    first bit is the highest.
    """
    mirrored, flipped = low * _SIGN, low * _SIGN[:, None]
    both = mirrored * _SIGN[:, None]
    views = (
        low, mirrored.swapaxes(1, 2), both, flipped.swapaxes(1, 2),
        mirrored, low.swapaxes(1, 2), flipped, both.swapaxes(1, 2),
    )  # fmt: skip
    flat = np.stack(views, axis=1).reshape(-1, 64)
    middle = np.partition(flat, (31, 32), axis=1)[:, 31:33].mean(axis=1, keepdims=True)
    return _packed(flat > middle).reshape(-1, 8)


def dhash(luma: Floats) -> Bits:
    """(k, h, w) float32 luma -> (k,) uint64: which of 8 × 9 pixels exceed their left one."""
    small = np.matmul(np.matmul(lanczos(luma.shape[1], 8), luma), lanczos(luma.shape[2], 9).T)
    pixels = np.rint(small)
    return _packed((pixels[:, :, 1:] > pixels[:, :, :-1]).reshape(len(luma), 64))


def _packed(bits: npt.NDArray[np.bool_]) -> Bits:
    return np.packbits(bits, axis=1).view(">u8")[:, 0].astype(np.uint64)


@lru_cache(maxsize=512)
def _dct_of_resized(n: int) -> Floats:
    """(8, n): resize n pixels to 32 and take the 8 lowest coefficients of the DCT-II."""
    angle = np.pi * np.arange(8)[:, None] * (2 * np.arange(32) + 1) / 64
    return np.ascontiguousarray((2 * np.cos(angle)) @ lanczos(n, 32), dtype=np.float32)


@lru_cache(maxsize=512)
def lanczos(n_in: int, n_out: int) -> Floats:
    """(n_out, n_in) weights of Pillow's LANCZOS resize (src/libImaging/Resample.c)."""
    scale = n_in / n_out
    width = max(scale, 1.0)
    centre = (np.arange(n_out)[:, None] + 0.5) * scale
    at = (np.arange(n_in) + 0.5 - centre) / width
    first = np.trunc(np.maximum(centre - 3 * width + 0.5, 0))
    last = np.trunc(np.minimum(centre + 3 * width + 0.5, n_in))
    inside = (np.arange(n_in) >= first) & (np.arange(n_in) < last) & (at >= -3) & (at < 3)
    weights = np.where(inside, np.sinc(at) * np.sinc(at / 3), 0.0)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
