"""Which samples show exactly the same pixels although their files differ?

Candidates share size, mode and nearly the hash of the reduced picture; only they are decoded.
"""

from __future__ import annotations

import hashlib
import importlib
import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from PIL import Image, ImageOps

from recipe_core.images import hamming
from recipe_core.kernel.check import Measure
from recipe_core.kernel.evidence import Evidence, Files
from recipe_core.kernel.progress import Progress

Rows = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int64]

SURE_RADIUS = 4  # one picture decoded by two paths (PNG, reduced JPEG) differs by a bit or two
THREADS = 2

PIXEL_FIELDS = pa.schema([("row", pa.int64()), ("group", pa.int64())])
"""Samples whose decoded pixels are equal although their bytes are not: one row per content hash
(the first sample that has it), equal `group` for equal pixels, size and mode."""


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
    rows = firsts(evidence)
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
    shapes = int(shape.max()) + 1
    cell, of_cell = np.unique(inverse * shapes + shape, return_inverse=True)
    suspect = np.bincount(of_cell, minlength=len(cell)) > 1
    start = np.searchsorted(cell, np.arange(len(unique) + 1) * shapes)
    a, b = hamming.products(start[pairs.a], start[pairs.a + 1], start[pairs.b], start[pairs.b + 1])
    same = cell[a] % shapes == cell[b] % shapes
    suspect[a[same]] = True
    suspect[b[same]] = True
    return np.asarray(rows[suspect[of_cell]])


def firsts(evidence: Evidence) -> Rows:
    """The first sample of every content hash, in row order."""
    return evidence.once("firsts", "", lambda: _firsts(content_codes(evidence)))


def _firsts(content: Codes) -> Rows:
    values, first = np.unique(content, return_index=True)
    return np.asarray(np.sort(first[values >= 0]), dtype=np.int64)


def content_codes(evidence: Evidence) -> Codes:
    """(n,) equal numbers for equal bytes, -1 where there is no picture to compare.

    A picture is what a decoder returned, damaged or not. Files without one (empty, text saved as
    .jpg, cut off) may be equal too, but as broken files: two saved "404" pages are no duplicate,
    no leak and no conflict of labels, and the check `corruption` names both.
    """
    codes = evidence.codes("content_hash")[0].astype(np.int64)
    return np.where(np.isin(evidence.texts("error"), ("", "damaged")), codes, -1)


def _codes_of(*columns: npt.NDArray[np.generic]) -> Codes:
    """(n,) equal numbers, from 0 on, where all columns agree."""
    codes = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        values, code = np.unique(column, return_inverse=True)
        codes = np.unique(codes * len(values) + code, return_inverse=True)[1]
    return codes


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


PIXELS = Measure(
    "pixel_copies", 2, ("content_hash", "error", "width", "height", "mode", "phash"),
    measure_pixels, pictures=True,
)  # fmt: skip
