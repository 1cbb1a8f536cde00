"""What is in a file, and can it be trusted? Its header, one decode, and both decoders' opinions.

A JPEG is decoded once, by libjpeg-turbo in strict mode, at the smallest power-of-two scale
(1/1 … 1/8) whose longer side is not below `LONG_ENOUGH`; a warning of the library is an error
here. Pillow is asked as well only where the strict decoder refuses. Every other format goes
through Pillow, a PNG's chunks through their checksums too.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import struct
import sys
import threading
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import ExifTags, Image, UnidentifiedImageError

from recipe_core.images.thumbnails import (
    LONGER_SIDE,
    Packed,
    encoded,
    halved,
    packed,
    planes_of,
    shrunk,
)

PIXEL_LIMIT = 500_000_000
"""Pixels of a picture above which it is a `bomb`: no photograph, and hours of decoding."""
DECODE_LIMIT = 1_300_000_000
"""Bytes that a file and its decoding may need at once, so that a worker stays below 1.5 GB; above:
`bomb`. About 500 megapixels pass as a baseline JPEG (1/8 scale), 300 as an RGB PNG, 150 as a WebP,
and 100 as an uncompressed TIFF with transparency."""

LOSSY = frozenset({"JPEG", "MPO", "WEBP", "AVIF", "HEIF", "JPEG2000"})
WITHOUT_DECODER = frozenset({"EPS", "WMF", "GRIB", "BUFR", "HDF5", "MPEG"})
"""Formats that Pillow names but only hands on. Ghostscript would run a stranger's program (EPS is
one), so EPS is not decoded even where Ghostscript is installed."""

LONG_ENOUGH = 120
"""Pixels of the longer side that a JPEG is decoded to at least. Between 120 and LONGER_SIDE the
picture is measured and shown as it comes: a 500 × 375 photo at 1/4 costs a third less than at 1/2
with resampling, and its hashes stay within 2 bits of those of the full picture."""

OUT_OF_GAMUT = 24.0
"""Levels by which the mean of a block may lie outside the RGB cube. Untouched photos reach 2.1
(1,261 clothing photos); a shifted DC level after silent damage exceeds 24 in most of them."""
OUT_OF_GAMUT_BLOCKS = 2
CLIPPED_SPREAD = 20
"""Levels between the channels of a clamped pixel from which the check of the blocks is worth it."""


@dataclass(frozen=True)
class Opened:
    """One file as far as it could be read.

    facts      values of PASS_FIELDS, by name
    pixels     (h, w) packed sRGB of the displayed picture, longer side <= LONGER_SIDE,
               transparent parts over mid-grey; None where nothing was decoded
    halved     (h', w') packed: what the hashes are made from, transparent parts over white
    size       height and width before that halving (a part of a pixel is a part)
    thumbnail  JPEG, b"" where nothing was decoded
    """

    facts: dict[str, Any]
    pixels: Packed | None = None
    halved: Packed | None = None
    size: tuple[float, float] = (0.0, 0.0)
    thumbnail: bytes = b""


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


def opened(data: bytes, extension: str) -> Opened:
    """The file's picture and facts; never raises, the facts' `error` tells.

    data       the whole file
    extension  lower case, without the dot: only decides how a file without a picture is called
    """
    if not data:
        return _failed("empty", "the file has no bytes")
    try:
        if data.startswith(b"\xff\xd8"):
            return _opened_jpeg(data, extension)
        return (
            _opened_png(data, extension)
            if data.startswith(PNG_MAGIC)
            else _by_pillow(data, extension)
        )
    except (Exception, RecursionError) as e:
        # MemoryError and whatever a plugin raises on bytes its author did not foresee
        return _failed("undecodable", _words(e), pillow_ok=False)


def _failed(error: str, detail: str, **facts: Any) -> Opened:
    return Opened({"error": error, "error_detail": detail, "warning": "", **facts})


def _words(error: BaseException) -> str:
    if isinstance(error, UnidentifiedImageError):  # its text holds a memory address
        return "no decoder recognises the file"
    return f"{type(error).__name__}: {error}"[:500]


# ------------------------------------------------------------------------------------------ JPEG

_STANDALONE = frozenset({0x01, 0xD8, *range(0xD0, 0xD8)})
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_STRICT_FRAMES = frozenset({0xC0, 0xC1, 0xC2})


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
            if tag == ExifTags.Base.Orientation and n == 1 and kind in (3, 4):
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


def _opened_jpeg(data: bytes, extension: str) -> Opened:
    header = jpeg_header(data)
    if header is None:
        return _by_pillow(data, extension, strict_ok=False)
    facts = _jpeg_facts(data, header)
    too_much = _jpeg_too_much(header)
    if too_much:
        return _failed("bomb", too_much, **_shape_facts(header.width, header.height, facts))
    if header.bits != 8 or header.frame not in _STRICT_FRAMES or header.components not in (1, 3):
        return _opened_odd_jpeg(data, extension, header, facts)
    try:
        pixels = _strict(data, header)
    except ValueError as e:
        return _refused(data, extension, facts, str(e))
    facts |= {"error": "", "error_detail": "", "warning": "", "pillow_ok": True, "strict_ok": True}
    made = _made(pixels, facts, header.orientation, header.width, header.height)
    return _gamut_checked(made, data) if header.components == 3 else made


def _strict(data: bytes, header: JpegHeader) -> Packed:
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


def _jpeg_facts(data: bytes, header: JpegHeader) -> dict[str, Any]:
    facts = {
        "format": "JPEG", "mode": {1: "L", 3: "RGB", 4: "CMYK"}.get(header.components, ""),
        "bits": header.bits, "orientation": header.orientation, "n_frames": 1, "has_alpha": False,
        "alpha_used": False, "jpeg_quality": jpeg_quality(header.table),
    }  # fmt: skip
    return facts | _several(data) if header.several_pictures else facts


def _several(data: bytes) -> dict[str, Any]:
    """Pillow's word on a JPEG with an index of further pictures (MPO, depth and gain maps)."""
    try:
        with _quiet(), Image.open(io.BytesIO(data)) as image:
            return {"format": image.format, "n_frames": int(getattr(image, "n_frames", 1))}
    except Exception:
        return {}


def _jpeg_too_much(header: JpegHeader) -> str:
    n = header.width * header.height
    # a progressive JPEG keeps all coefficients, two bytes each, until its last scan
    need = n * header.chroma * 2 if header.frame == 0xC2 else n * 4 / 16
    return _too_much(n, need)


def _too_much(pixels: int, need: float) -> str:
    if pixels > PIXEL_LIMIT:
        return f"{pixels / 1e6:.0f} megapixels are more than the limit of {PIXEL_LIMIT / 1e6:.0f}"
    if need > DECODE_LIMIT:
        return f"decoding {pixels / 1e6:.0f} megapixels would need {need / 1e9:.1f} GB of memory"
    return ""


def _opened_odd_jpeg(
    data: bytes, extension: str, header: JpegHeader, facts: dict[str, Any]
) -> Opened:
    """CMYK, 12 bit, arithmetic coding …: pixels from Pillow, a strict opinion where possible."""
    strict: bool | None = None
    detail = ""
    if header.components == 4 and header.bits == 8 and header.frame in _STRICT_FRAMES:
        try:
            simplejpeg.decode_jpeg(data, "CMYK", min_height=1, min_width=1)
            strict = True
        except ValueError as e:
            strict, detail = (None, "") if _not_damage(str(e)) else (False, str(e))
    by_pillow = _by_pillow(data, extension)
    return _with_opinion(by_pillow, facts, strict, detail)


def _not_damage(message: str) -> bool:
    return any(
        w in message.lower()
        for w in ("unsupported colo", "not implemented", "arithmetic", "precision")
    )


def _refused(data: bytes, extension: str, facts: dict[str, Any], message: str) -> Opened:
    if _not_damage(message):
        return _with_opinion(_by_pillow(data, extension), facts, None, "")
    return _with_opinion(_by_pillow(data, extension), facts, False, message)


def _with_opinion(
    by_pillow: Opened, facts: dict[str, Any], strict: bool | None, detail: str
) -> Opened:
    """Pillow's result with the strict decoder's opinion: where only that one objects, `damaged`."""
    merged = facts | by_pillow.facts | {"jpeg_quality": facts["jpeg_quality"], "strict_ok": strict}
    if strict is False and not merged["error"]:
        merged |= {"error": "damaged", "error_detail": detail}
    return replace(by_pillow, facts=merged)


def _gamut_checked(made: Opened, data: bytes) -> Opened:
    """Bits may change so that libjpeg warns of nothing, but the blocks after them have wrong means.

    The mean of a block of RGB colours is an RGB colour. Where a JPEG's mean Y, Cb, Cr stand for
    none, no encoder wrote them. Clamped colours in the small picture tell where a look is due.
    """
    if made.pixels is None or not _clipped_area(made.pixels):
        return made
    excess, blocks = _gamut_excess(data)
    if blocks < OUT_OF_GAMUT_BLOCKS:
        return made
    detail = (
        f"{blocks} blocks hold colours that no RGB picture has (up to {excess:.0f} levels outside)"
    )
    return replace(
        made, facts=made.facts | {"error": "damaged", "error_detail": detail, "strict_ok": False}
    )


def _clipped_area(pixels: Packed) -> bool:
    """Whether 4 × 4 neighbouring pixels are coloured and have a channel at its end."""
    if not _clipped(pixels[::4, ::4]).any():  # one of any 4 × 4 is among these
        return False
    clipped = _clipped(pixels)
    wide = clipped[:, :-1] & clipped[:, 1:]
    wide = wide[:, :-2] & wide[:, 2:]
    tall = wide[:-1] & wide[1:]
    return bool((tall[:-2] & tall[2:]).any())


def _clipped(pixels: Packed) -> npt.NDArray[np.bool_]:
    r, g, b = planes_of(pixels)
    high, low = np.maximum(np.maximum(r, g), b), np.minimum(np.minimum(r, g), b)
    ended = high >= 254
    ended |= low <= 1
    ended &= high - low >= CLIPPED_SPREAD
    return np.asarray(ended)


def _gamut_excess(data: bytes) -> tuple[float, int]:
    """How far (levels) the worst 16 × 16 block mean lies outside RGB, and how many lie too far.

    At 1/8 scale libjpeg's pixels are the block means (DC levels) themselves.
    """
    with _quiet(), Image.open(io.BytesIO(data)) as image:
        image.draft("YCbCr", (max(1, image.width // 8), max(1, image.height // 8)))
        image.load()
        if image.mode != "YCbCr":
            return 0.0, 0
        levels = np.asarray(image).astype(np.float32)
    if min(levels.shape[:2]) >= 2:  # chroma is mostly stored for 16 × 16 pixels
        h, w = levels.shape[0] // 2, levels.shape[1] // 2
        levels = levels[: 2 * h, : 2 * w].reshape(h, 2, w, 2, 3).mean(axis=(1, 3))
    y, cb, cr = levels[..., 0], levels[..., 1] - 128, levels[..., 2] - 128
    rgb = np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb])
    excess = np.maximum(rgb - 255, -rgb).max(axis=0)
    return float(excess.max()), int((excess > OUT_OF_GAMUT).sum())


# ------------------------------------------------------------------------------------------- PNG

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


def _opened_png(data: bytes, extension: str) -> Opened:
    problem = png_problem(data)
    made = _by_pillow(data, extension)
    facts = made.facts | {"strict_ok": not problem}
    if made.facts.get("mode") and len(data) > 24:
        facts["bits"] = data[24]
    if problem and not facts["error"]:
        facts |= {"error": "damaged", "error_detail": problem}
    elif problem.startswith("the file ends") and facts["error"] in ("undecodable", "wrong_magic"):
        facts["error"] = "truncated"
    return replace(made, facts=facts)


def png_problem(data: bytes) -> str:
    """What is wrong with the chunks that a picture depends on, '' where nothing is.

    A critical chunk with a wrong CRC, no image data, or an end before IEND (PNG, third edition, 5).
    """
    view = memoryview(data)
    at, image_data = 8, False
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(data):
            return f"the file ends within the chunk {kind!r}"
        critical = not kind[0] & 32
        if critical and zlib.crc32(view[at + 4 : end - 4]) != int.from_bytes(
            data[end - 4 : end], "big"
        ):
            return f"the checksum of the chunk {kind.decode('latin-1')!r} is wrong"
        image_data = image_data or kind == b"IDAT"
        if kind == b"IEND":
            return "" if image_data else "there is no image data"
        at = end
    return "the file ends before its end mark (IEND)"


# ---------------------------------------------------------------------------------------- Pillow


@dataclass(frozen=True)
class _Loaded:
    """A picture that Pillow loaded, reduced: premultiplied RGBA, and what the full one was."""

    rgba: npt.NDArray[np.uint8]
    facts: dict[str, Any]
    width: int
    height: int
    orientation: int


def _by_pillow(data: bytes, extension: str, strict_ok: bool | None = None) -> Opened:
    told: list[str] = []
    facts: dict[str, Any] = {"strict_ok": strict_ok}
    try:
        with _quiet(told):
            loaded = _load(data, facts)
    except Exception as e:
        error = _error_class(e, data, extension, facts)
        facts |= {"error": error, "error_detail": _words(e), "warning": "; ".join(told)}
        return Opened(facts | {"pillow_ok": None if error == "bomb" else False})
    facts |= loaded.facts | {"pillow_ok": True, "error": "", "error_detail": ""}
    facts |= {"warning": "; ".join(told)}
    used = facts["alpha_used"]
    white = packed(_over(loaded.rgba, 255) if used else loaded.rgba)
    made = _made(white, facts, loaded.orientation, loaded.width, loaded.height)
    if not used:
        return made
    grey = _made(
        packed(_over(loaded.rgba, 128)), facts, loaded.orientation, loaded.width, loaded.height
    )
    return replace(made, pixels=grey.pixels)


def _over(rgba: npt.NDArray[np.uint8], ground: int) -> npt.NDArray[np.uint8]:
    """Premultiplied RGBA over a grey ground."""
    rest = (255 - rgba[..., 3:].astype(np.uint16)) * ground // 255
    over: npt.NDArray[np.uint8] = np.minimum(rgba + rest, 255).astype(np.uint8)
    return over


class _TooMuch(Exception):
    """A picture whose decoding would need more than the limits."""


def _load(data: bytes, facts: dict[str, Any]) -> _Loaded:
    """Header facts go into `facts` as soon as they are known: a failing decode keeps them."""
    _register_heif(data)
    with Image.open(io.BytesIO(data)) as image:
        facts |= {"format": image.format or "", "mode": image.mode}
        facts |= {"width": image.width, "height": image.height}
        facts |= {"compression": image.info.get("compression")}
        if image.format in WITHOUT_DECODER:
            raise NotImplementedError(f"no decoder for {image.format}")
        need = len(data) + image.width * image.height * _bytes_per_pixel(image)
        if too_much := _too_much(image.width * image.height, need):
            raise _TooMuch(too_much)
        facts |= {"bits": _bits(image), "orientation": 1}
        if image.format == "PNG":  # its EXIF block may stand behind the pixels
            image.load()
        facts |= {"orientation": _orientation(image)}
        image.load()
        left = _orientation(image)  # Pillow turns a TIFF while it loads it
        more = {"n_frames": _frames(image), "has_alpha": image.has_transparency_data}
        return _reduced(image, more, left)


def _register_heif(data: bytes) -> None:
    if data[4:8] == b"ftyp":
        import pillow_heif

        # thumbnails, depth and auxiliary pictures in the file are not the picture
        pillow_heif.register_heif_opener(thumbnails=False)


def _bytes_per_pixel(image: Image.Image) -> float:
    """Bytes a pixel costs at the peak: the decoder's own picture, Pillow's, and the conversions."""
    format_ = image.format or ""
    own = {"WEBP": 4, "AVIF": 4, "HEIF": 8, "JPEG2000": 4 * len(image.getbands())}.get(format_, 0)
    stored = 1 if image.mode in ("1", "L", "P") else 2 if image.mode.startswith("I;16") else 4
    copied = 0 if image.mode in ("L", "RGB", "RGBA", "CMYK") else 4
    return own + stored + copied + (4 if image.has_transparency_data else 0)


def _bits(image: Image.Image) -> int:
    if image.format == "TIFF":
        stored = getattr(image, "tag_v2", {}).get(258, 1)
        return int(max(stored) if isinstance(stored, tuple) else stored)
    if image.format == "HEIF":
        return int(image.info.get("bit_depth", 8))
    if image.mode.startswith("I;16"):
        return 16
    return {"1": 1, "I": 32, "F": 32}.get(image.mode, 8)


def _orientation(image: Image.Image) -> int:
    try:
        value = int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a broken EXIF block must not cost the picture
        return 1
    return value if 1 <= value <= 8 else 1


def _frames(image: Image.Image) -> int:
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception:
        return 1


def _reduced(image: Image.Image, more: dict[str, Any], orientation: int) -> _Loaded:
    width, height = image.size
    factor = max(1, max(width, height) // (2 * LONGER_SIDE))
    more["alpha_used"] = False
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        small = Image.fromarray(_eight_bit(image, factor))
        return _Loaded(np.asarray(small.convert("RGBA")), more, width, height, orientation)
    colour = _colour(image, more["has_alpha"])
    if colour.mode == "RGBA" and colour.getchannel("A").getextrema()[0] != 255:
        more["alpha_used"] = True
        # averaged with their opacity, or hidden colours would show through
        colour = colour.convert("RGBa")
    small = colour.reduce(factor) if factor > 1 else colour
    rgba = small if small.mode == "RGBa" else small.convert("RGB").convert("RGBA")
    pixels = np.frombuffer(rgba.tobytes(), np.uint8).reshape(rgba.height, rgba.width, 4)
    return _Loaded(pixels, more, width, height, orientation)


def _colour(image: Image.Image, transparent: bool) -> Image.Image:
    """A mode that can be averaged: RGBA where there is transparency, else L, RGB or CMYK."""
    if image.mode == "RGBA" or (image.mode in ("L", "RGB", "CMYK") and not transparent):
        return image
    if transparent:
        return image.convert("RGBA")
    if image.mode == "LAB":
        return _from_lab(image)
    return image.convert("RGB")


def _from_lab(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    turned = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    return turned if turned is not None else image.getchannel(0)


def _eight_bit(image: Image.Image, factor: int) -> npt.NDArray[np.uint8]:
    """Deep grey values on 0 … 255, averaged over factor × factor pixels.

    16 bit: divided by 257. 32 bit and float: taken as 0 … 1, 8 bit or 16 bit where the values fit
    into one of these, else stretched from the lowest to the highest value.
    """
    values = np.asarray(image)
    h, w = max(1, image.height // factor), max(1, image.width // factor)
    values = values[: h * factor, : w * factor].reshape(h, min(factor, image.height), w, -1)
    small = values.mean(axis=(1, 3), dtype=np.float64)
    small = np.nan_to_num(small, nan=0.0, posinf=0.0, neginf=0.0)
    if image.mode.startswith("I;16"):
        return np.asarray((small / 257).round().astype(np.uint8))
    low, high = float(small.min()), float(small.max())
    return np.asarray(
        ((small - _floor(low, high)) * _gain(image.mode, low, high)).round().astype(np.uint8)
    )


def _floor(low: float, high: float) -> float:
    return 0.0 if low >= 0 and high <= 65535 else low


def _gain(mode: str, low: float, high: float) -> float:
    if low < 0 or high > 65535:
        return 255 / max(high - low, 1e-12)
    if mode == "F" and high <= 1:
        return 255.0
    return 1.0 if high <= 255 else 1 / 257


# ----------------------------------------------------------------------------------------- common


def _made(
    pixels: Packed, facts: dict[str, Any], orientation: int, width: int, height: int
) -> Opened:
    facts = facts | {"uniform_block_share": uniform_band(pixels)}
    if orientation != 1:
        pixels = np.ascontiguousarray(_turned(pixels, orientation))
    small = np.ascontiguousarray(shrunk(pixels))
    if orientation >= 5:
        width, height = height, width
    facts = _shape_facts(width, height, facts)
    scale = round(max(width, height) / max(pixels.shape))
    return Opened(facts, small, halved(pixels), (height / scale, width / scale), encoded(small))


def _shape_facts(width: int, height: int, facts: dict[str, Any]) -> dict[str, Any]:
    return facts | {
        "width": width, "height": height, "aspect": width / height if height else None,
        "megapixels": width * height / 1e6,
    }  # fmt: skip


def _turned(pixels: Packed, orientation: int) -> Packed:
    """The picture as EXIF orientation 1 … 8 wants it displayed (PIL.ImageOps.exif_transpose)."""
    if orientation in (2, 3, 7, 8):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 6, 7):
        pixels = pixels[::-1]
    return pixels.T if orientation >= 5 else pixels


def uniform_band(pixels: Packed) -> float:
    """Share of the rows, from the lower end as stored, that all have one colour.

    A decoder that runs out of data leaves such a band. A white or black lower end is an ordinary
    background, and one whose colour the top row has too is a frame: both are 0.
    """
    colour = pixels[-1, 0]
    if not (pixels[-1] == colour).all() or (pixels[0] == colour).all():
        return 0.0
    r, g, b = (int(colour) >> shift & 255 for shift in (0, 8, 16))
    if min(r, g, b) >= 250 or max(r, g, b) <= 5:
        return 0.0
    same = (pixels == colour).all(axis=1)[::-1]
    return float(same.argmin() / len(same))


_NOT_PICTURES = (
    b"<!doctype", b"<html", b"<?php", b"{", b"[", b"%pdf", b"pk\x03\x04", b"\x1f\x8b", b"rar!",
    b"7z\xbc\xaf", b"\x7felf", b"mz", b"sqlite format 3", b"par1", b"\x80\x04", b"\x93numpy",
    b"bzh", b"\xfd7zxz", b"id3", b"oggs", b"\x1ae\xdf\xa3",
)  # fmt: skip
_VECTOR = (b"<svg", b"<?xml")
_PICTURE_MAGIC = (
    b"\xff\xd8\xff", PNG_MAGIC, b"gif87a", b"gif89a", b"bm", b"ii*\0", b"mm\0*", b"8bps", b"dds ",
    b"\0\0\1\0", b"\xff\x0a", b"ii+\0", b"mm\0+",
)  # fmt: skip


def _error_class(error: Exception, data: bytes, extension: str, facts: dict[str, Any]) -> str:
    words = str(error).lower()
    if isinstance(error, (_TooMuch, Image.DecompressionBombError)):
        return "bomb"
    if isinstance(error, UnidentifiedImageError):
        return _unknown(data, extension)
    if isinstance(error, NotImplementedError) or any(w in words for w in _WITHOUT):
        return "unsupported"
    if facts.get("format") == "TIFF" and facts.get("compression") in _OPTIONAL_CODECS:
        return "unsupported"
    if isinstance(error, EOFError) or any(w in words for w in _SHORT):
        return "truncated"
    return "undecodable"


# what libtiff may have been built without
_OPTIONAL_CODECS = ("webp", "jbig", "tiff_sgilog", "tiff_sgilog24")
_WITHOUT = (
    "not available",
    "cannot find loader",
    "unsupported",
    "ghostscript",
    "not supported",
    "not implemented",
)
_SHORT = ("truncated", "not enough", "unexpected end", "unexpected eof", "too short", "premature")


def _unknown(data: bytes, extension: str) -> str:
    """The class of a file that no decoder recognises."""
    start = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if any(start.startswith(m) for m in _VECTOR) and b"<svg" in data[:4096].lower():
        return "unsupported"
    if start.startswith(_NOT_PICTURES) or _is_text(data[:1024]):
        return "not_an_image"
    if data.startswith(b"\xff\xd8\xff"):
        return "undecodable" if b"\xff\xda" in data else "truncated"
    if data.startswith(PNG_MAGIC) or data[:4] == b"RIFF":
        return "undecodable"
    if start.startswith(_PICTURE_MAGIC) or f".{extension}" in _picture_names():
        return "wrong_magic"
    return "not_an_image"


def _is_text(start: bytes) -> bool:
    """Whether the first bytes are words and nothing else."""
    printable = sum(32 <= c < 127 or c in (9, 10, 13) or c >= 128 for c in start)
    if printable < len(start) or len(start) < 4:
        return False
    with contextlib.suppress(UnicodeDecodeError):
        return bool(start[:-3].decode("utf-8"))
    return False


@cache
def _picture_names() -> frozenset[str]:
    return frozenset(Image.registered_extensions()) | {".heic", ".heif", ".jxl", ".svg"}


_LOCK = threading.Lock()


@contextlib.contextmanager
def _quiet(told: list[str] | None = None) -> Iterator[None]:
    """Pillow with our pixel limit, its warnings in `told`, and libtiff's remarks kept off stderr.

    The limit, the warning filters and file descriptor 2 belong to the whole process: one at a time.
    """
    with _LOCK, warnings.catch_warnings(record=True) as caught, _no_stderr():
        warnings.simplefilter("always")
        before = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = PIXEL_LIMIT // 2  # Pillow raises above twice this
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before
            if told is not None:
                told += [
                    str(w.message)
                    for w in caught
                    if w.category is not Image.DecompressionBombWarning
                ]


@contextlib.contextmanager
def _no_stderr() -> Iterator[None]:
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # a process without a standard error stream
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
