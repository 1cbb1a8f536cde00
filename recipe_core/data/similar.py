"""Which pictures look like this one? Small descriptors of the thumbnails, compared exactly.

A descriptor is the picture as a person sees it with half-closed eyes: mean luma in 8 × 8 fields and
mean colour (Cb, Cr of JFIF) in 4 × 4 fields, 96 numbers of 0 … 255. The distance is the root mean
square difference: 0 for the same picture; it follows layout and colour, not what is shown. One file
beside the results holds them, float32, mapped into memory: 384 bytes a sample.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import simplejpeg

from recipe_core.kernel.progress import Progress, silent
from recipe_core.store.workspace import replaced

LUMA, COLOUR = 8, 4
WIDTH = LUMA * LUMA + 2 * COLOUR * COLOUR
FILE = f"descriptors-{WIDTH}-v1.npy"
BLOCK = 8192
"""Rows that are compared at once: 3 MB stay in the processor's cache."""

Floats = npt.NDArray[np.float32]
Thumbnail = Callable[[int], bytes | None]


def descriptors(path: Path, n: int, thumbnail: Thumbnail, progress: Progress = silent) -> Floats:
    """(n, WIDTH) float32 mapped from `path`, worked out and written there where it is missing.

    Where it cannot be written (a read-only medium) it stays in memory. NaN rows: no picture.
    """
    stored = _stored(path, n)
    if stored is not None:
        return stored
    made = described(n, thumbnail, progress)
    try:
        replaced(path, lambda p: _write(p, made))
    except OSError:
        return made
    stored = _stored(path, n)
    return made if stored is None else stored


def _write(path: Path, made: Floats) -> None:
    with path.open("wb") as f:  # np.save by name would append .npy to a temporary name
        np.save(f, made)


def _stored(path: Path, n: int) -> Floats | None:
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    fits = found.shape == (n, WIDTH) and found.dtype == np.float32
    return found if fits else None


def described(n: int, thumbnail: Thumbnail, progress: Progress = silent) -> Floats:
    """(n, WIDTH) float32 of every thumbnail; two threads, as decoding leaves Python's lock."""
    found = np.full((n, WIDTH), np.nan, np.float32)
    starts = range(0, n, 1024)

    def block(start: int) -> None:
        for row in range(start, min(start + 1024, n)):
            data = thumbnail(row)
            if data:
                found[row] = descriptor(data)

    with ThreadPoolExecutor(2) as pool:
        for done, _ in enumerate(pool.map(block, starts)):
            progress("describing pictures", min(1024 * (done + 1), n), n)
    return found


def descriptor(jpeg: bytes) -> Floats:
    """(WIDTH,) float32, 0 … 255, of a JPEG thumbnail; NaN where it cannot be decoded."""
    try:
        height, width, *_ = simplejpeg.decode_jpeg_header(jpeg)
        # at least 2 × 8 fields a side: the decoder may halve the picture, but must leave the fields
        small = min(2 * LUMA, height), min(2 * LUMA, width)
        rgb = simplejpeg.decode_jpeg(jpeg, "RGB", min_height=small[0], min_width=small[1])
    except ValueError:
        return np.full(WIDTH, np.nan, np.float32)
    fields = _means(_means(rgb.astype(np.float32), LUMA, 0), LUMA, 1)
    # ITU-T T.871 (JFIF), 7
    luma = fields @ np.array([0.299, 0.587, 0.114], np.float32)
    coarse = fields.reshape(COLOUR, 2, COLOUR, 2, 3).mean((1, 3))
    cb = 128 + coarse @ np.array([-0.168736, -0.331264, 0.5], np.float32)
    cr = 128 + coarse @ np.array([0.5, -0.418688, -0.081312], np.float32)
    return np.concatenate([luma.ravel(), cb.ravel(), cr.ravel()]).astype(np.float32)


def _means(pixels: Floats, fields: int, axis: int) -> Floats:
    """One axis as means over so many equal fields; pixels on a border count in part."""
    weights = _weights(pixels.shape[axis], fields)
    return np.moveaxis(np.tensordot(weights, pixels, (1, axis)), 0, axis)


@lru_cache(maxsize=1024)
def _weights(n: int, fields: int) -> Floats:
    """(fields, n) float32: the share of each pixel in each field, rows sum to 1."""
    edges = np.linspace(0, n, fields + 1)
    pixels = np.arange(n)
    covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return np.asarray(np.clip(covered, 0, None) * fields / n, np.float32)


def distances(described: Floats, row: int) -> Floats:
    """(n,) float32 root mean square differences to one row; NaN where there is no picture."""
    wanted = np.array(described[row])
    found = np.empty(len(described), np.float32)
    for start in range(0, len(described), BLOCK):
        apart = described[start : start + BLOCK] - wanted
        np.einsum("ij,ij->i", apart, apart, out=found[start : start + BLOCK])
    found /= np.float32(described.shape[1])
    return np.sqrt(found, out=found)


def nearest(apart: Floats, row: int, most: int) -> tuple[npt.NDArray[np.int64], Floats]:
    """(rows, distances) of the `most` smallest, ascending, ties by row, without `row` and NaN."""
    known = np.flatnonzero(~np.isnan(apart))
    known = known[known != row]
    if len(known) > most:
        limit = np.partition(apart[known], max(most - 1, 0))[max(most - 1, 0)]
        known = known[apart[known] <= limit]
    chosen = known[np.argsort(apart[known], kind="stable")][:most]
    return chosen.astype(np.int64), apart[chosen]
