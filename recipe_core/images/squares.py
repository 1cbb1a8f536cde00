"""What does every picture look like as a square of a few dozen pixels? What embeddings start from.

Large pictures come from their thumbnails, small ones from their files (a thumbnail of 32 pixels has
been through JPEG a second time).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image

from recipe_core.images.opened import opened
from recipe_core.images.thumbnails import LONGER_SIDE
from recipe_core.kernel.evidence import Evidence, Files
from recipe_core.kernel.progress import Progress

SIDE_SMALL, SIDE_LARGE = 32, 48
"""Pixels a side: of data sets whose pictures have no more than 40 pixels in the median, of others.
Four times the pixels cost four times the time and tell a classifier of small means little more."""
THREADS = 2
BLOCK = 256

Squares = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]


def side_for(evidence: Evidence, rows: Rows) -> int:
    """SIDE_SMALL or SIDE_LARGE, by the median shorter side of these samples."""
    shorter = np.minimum(evidence.numbers("width")[rows], evidence.numbers("height")[rows])
    known = shorter[np.isfinite(shorter)]
    return SIDE_SMALL if len(known) and np.median(known) <= 40 else SIDE_LARGE


def squares(
    evidence: Evidence, files: Files, rows: Rows, side: int, progress: Progress
) -> tuple[Squares, npt.NDArray[np.bool_]]:
    """(k, side, side, 3) uint8 sRGB of these samples, and (k,) bool which could be decoded.

    The whole picture, squeezed into the square. Raises whatever `progress` raises to stop.
    """
    longer = np.fmax(evidence.numbers("width"), evidence.numbers("height"))
    made = np.zeros((len(rows), side, side, 3), np.uint8)
    seen = np.zeros(len(rows), bool)

    def block(start: int) -> None:
        for i in range(start, min(start + BLOCK, len(rows))):
            row = int(rows[i])
            pixels = _from_thumbnail(files, row) if longer[row] > LONGER_SIDE // 2 else None
            pixels = _from_file(files, row) if pixels is None else pixels
            if pixels is not None:
                made[i], seen[i] = _squeezed(pixels, side), True

    starts = range(0, len(rows), BLOCK)
    with ThreadPoolExecutor(THREADS) as pool:
        for done, _ in enumerate(pool.map(block, starts)):
            progress("reading small pictures", min(BLOCK * (done + 1), len(rows)), len(rows))
    return made, seen


def _from_thumbnail(files: Files, row: int) -> Squares | None:
    data = files.thumbnail(row)
    try:
        return np.asarray(simplejpeg.decode_jpeg(data, "RGB")) if data else None
    except ValueError:
        return None


def _from_file(files: Files, row: int) -> Squares | None:
    try:
        found = _pixels(files.original(row))
    except (OSError, IndexError):
        return None
    return _from_thumbnail(files, row) if found is None else found


def square(data: bytes, side: int) -> Squares:
    """(side, side, 3) uint8 sRGB of a file's picture, grey where it holds none."""
    found = _pixels(data)
    return np.full((side, side, 3), 127, np.uint8) if found is None else _squeezed(found, side)


def _pixels(data: bytes) -> Squares | None:
    found = opened(data, "").pixels
    if found is None:
        return None
    return np.ascontiguousarray(found.view(np.uint8).reshape(*found.shape, 4)[..., :3])


def _squeezed(pixels: Squares, side: int) -> Squares:
    if pixels.shape[:2] == (side, side):
        return pixels
    small = Image.fromarray(pixels).resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(small)
