"""What does a JPEG's header say, and what does libjpeg-turbo make of its pixels?"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt
import simplejpeg

from recipe_core.images.limits import too_much
from recipe_core.images.thumbnails import Packed, packed

LONG_ENOUGH = 120
"""Pixels of the longer side that a JPEG is decoded to at least. Between 120 and LONGER_SIDE the
picture is measured and shown as it comes: a 500 × 375 photo at 1/4 costs a third less than at 1/2
with resampling, and its hashes stay within 2 bits of those of the full picture."""

_STANDALONE = frozenset({0x01, 0xD8, *range(0xD0, 0xD8)})
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
ORIENTATION = 274  # TIFF tag
STRICT_FRAMES = frozenset({0xC0, 0xC1, 0xC2})


@dataclass(frozen=True)
class JpegHeader:
    """What a JPEG's markers say before the first scan.

    frame        SOF marker (0xC0 baseline, 0xC2 progressive …)
    chroma       samples of all components per pixel (3 for 4:4:4, 1.5 for 4:2:0)
    table        quantisation table of the first component, 64 values in zigzag order
    """

    width: int
    height: int
    components: int
    bits: int
    frame: int
    chroma: float
    table: tuple[int, ...]
    orientation: int
    several_pictures: bool


def jpeg_header(data: bytes) -> JpegHeader | None:
    """The markers up to the first scan; None where there is no frame header before it."""
    tables: dict[int, tuple[int, ...]] = {}
    frame: tuple[int, bytes] | None = None
    orientation = by_xmp = 0
    several = False
    for marker, body in _segments(data):
        if marker in _FRAMES:
            frame = frame or (marker, body)
        elif marker == 0xDB:
            _quantisation(body, tables)
        elif marker == 0xE1 and body.startswith(b"Exif\0"):
            orientation = orientation or _exif_orientation(body[6:])
        elif marker == 0xE1 and body.startswith(b"http://ns.adobe.com/xap/1.0/"):
            by_xmp = by_xmp or _xmp_orientation(body)
        elif marker == 0xE2 and body.startswith(b"MPF\0"):
            several = True
    if frame is None or len(frame[1]) < 6 + 3 * frame[1][5] or not frame[1][5]:
        return None
    sof, body = frame
    bits, height, width, n = struct.unpack_from(">BHHB", body)
    sampling = [body[7 + 3 * k] for k in range(n)]
    area = [(s >> 4) * (s & 15) for s in sampling]
    return JpegHeader(
        width, height, n, bits, sof, sum(area) / max(*area, 1), tables.get(body[8], ()),
        orientation or by_xmp or 1, several,
    )  # fmt: skip


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(marker, body) of every marker segment before the first scan, junk between them skipped."""
    at = 2
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 4 > len(data):
            return
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in _STANDALONE or marker == 0:
            at += 2
        elif marker in (0xDA, 0xD9):
            return
        else:
            end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
            yield marker, data[at + 4 : end]
            at = max(end, at + 4)


def _quantisation(body: bytes, tables: dict[int, tuple[int, ...]]) -> None:
    at = 0
    while at < len(body):
        wide, name = body[at] >> 4, body[at] & 15
        size = 128 if wide else 64
        values = body[at + 1 : at + 1 + size]
        if len(values) == size:
            tables[name] = struct.unpack(">64H", values) if wide else tuple(values)
        at += 1 + size


def _exif_orientation(tiff: bytes) -> int:
    """Tag 274 of the first directory of a TIFF block, 0 where there is none or it is broken."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return 0
    try:
        (at,) = struct.unpack_from(order + "I", tiff, 4)
        (entries,) = struct.unpack_from(order + "H", tiff, at)
        for k in range(entries):
            tag, kind, n = struct.unpack_from(order + "HHI", tiff, at + 2 + 12 * k)
            if tag == ORIENTATION and n == 1 and kind in (3, 4):
                (value,) = struct.unpack_from(order + "HI"[kind - 3], tiff, at + 10 + 12 * k)
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 0


def _xmp_orientation(xmp: bytes) -> int:
    found = re.search(rb'tiff:Orientation(="|>)([1-8])', xmp)  # Pillow's Image.getexif
    return int(found[2]) if found else 0


# ITU T.81 Annex K.1, in zigzag order
_IJG_LUMINANCE = np.array([
    16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37,
    29, 40, 58, 51, 61, 60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87,
    95, 98, 103, 104, 103, 62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99,
])  # fmt: skip


@cache
def _ijg_tables() -> npt.NDArray[np.int64]:
    """(100, 64) luminance tables of quality 1 … 100 (libjpeg, jpeg_quality_scaling)."""
    quality = np.arange(1, 101)[:, None]
    scale = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    return np.asarray(np.clip((_IJG_LUMINANCE * scale + 50) // 100, 1, 255))


@lru_cache(maxsize=4096)
def jpeg_quality(table: tuple[int, ...]) -> float | None:
    """IJG quality 1 … 100 whose luminance table (64 values, zigzag) is nearest, else None."""
    if len(table) != 64:
        return None
    return float(np.abs(_ijg_tables() - np.array(table)).sum(axis=1).argmin() + 1)


def strict_pixels(data: bytes, header: JpegHeader) -> Packed:
    """The picture at reduced scale. Raises ValueError with libjpeg's first warning or error."""
    scale = reduction(header.width, header.height)
    rows, columns = -(-header.height // scale), -(-header.width // scale)
    try:
        pixels = simplejpeg.decode_jpeg(data, "RGBX", min_height=rows, min_width=columns)
    except ValueError as e:
        if "ICC" not in str(e):
            raise
        # an ICC profile in pieces or late in the file says nothing about the picture
        pixels = simplejpeg.decode_jpeg(
            _without_profile(data), "RGBX", min_height=rows, min_width=columns
        )
    return packed(pixels)


def reduction(width: int, height: int) -> int:
    """1, 2, 4 or 8: the largest at which the longer side stays at LONG_ENOUGH or above.

    Only powers of two: for these libjpeg-turbo has SIMD code; 3/8 takes longer than 1/2.
    """
    return next((k for k in (8, 4, 2) if -(-max(width, height) // k) >= LONG_ENOUGH), 1)


def _without_profile(data: bytes) -> bytes:
    """The same JPEG without its APP2 ICC segments."""
    kept = bytearray(data)
    for marker, body in _segments(data):
        if marker == 0xE2 and body.startswith(b"ICC_PROFILE\0"):
            at = kept.find(body)
            del kept[at - 4 : at + len(body)]
    return bytes(kept)


def jpeg_too_much(header: JpegHeader) -> str:
    """Why this JPEG is not decoded, '' where it is."""
    n = header.width * header.height
    # a progressive JPEG keeps all coefficients, two bytes each, until its last scan
    need = n * header.chroma * 2 if header.frame == 0xC2 else n * 4 / 16
    return too_much(n, need)


def not_damage(message: str) -> bool:
    """Whether libjpeg refuses what it cannot read, rather than what is broken."""
    return any(
        w in message.lower()
        for w in ("unsupported colo", "not implemented", "arithmetic", "precision")
    )
