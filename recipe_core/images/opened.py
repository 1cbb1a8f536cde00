"""What is in a file, and can it be trusted? Its header, one decode, and both decoders' opinions.

A JPEG is decoded once, by libjpeg-turbo in strict mode, at the smallest power-of-two scale
(1/1 … 1/8) whose longer side is not below `LONG_ENOUGH`; a warning of the library is an error
here. Pillow is asked as well only where the strict decoder refuses. Every other format goes
through Pillow, a PNG's chunks through their checksums too.
"""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import simplejpeg
from PIL import Image

from recipe_core.images.by_pillow import by_pillow, quiet
from recipe_core.images.cut_off import lost_pictures
from recipe_core.images.jpeg import (
    STRICT_FRAMES,
    JpegHeader,
    jpeg_header,
    jpeg_quality,
    jpeg_too_much,
    not_damage,
    strict_pixels,
)
from recipe_core.images.picture import Opened, damaged, kept, shape_facts
from recipe_core.images.png import PNG_MAGIC, png_problem
from recipe_core.images.refusals import words_of

LOSSY = frozenset({"JPEG", "MPO", "WEBP", "AVIF", "HEIF", "JPEG2000"})


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
        if data.startswith(PNG_MAGIC):
            return _opened_png(data, extension)
        return _with_all_pictures(by_pillow(data, extension), data)
    except (Exception, RecursionError) as e:
        # MemoryError and whatever a plugin raises on bytes its author did not foresee
        return _failed("undecodable", words_of(e), pillow_ok=False)


def _failed(error: str, detail: str, **facts: Any) -> Opened:
    return Opened({"error": error, "error_detail": detail, "warning": "", **facts})


def _opened_jpeg(data: bytes, extension: str) -> Opened:
    header = jpeg_header(data)
    if header is None:
        return by_pillow(data, extension, strict_ok=False)
    facts = _jpeg_facts(data, header)
    if reason := jpeg_too_much(header):
        return _failed("bomb", reason, **shape_facts(header.width, header.height, facts))
    if header.bits != 8 or header.frame not in STRICT_FRAMES or header.components not in (1, 3):
        return _opened_odd_jpeg(data, extension, header, facts)
    try:
        pixels = strict_pixels(data, header)
    except ValueError as e:
        return _refused(data, extension, facts, str(e))
    facts |= {"error": "", "error_detail": "", "warning": "", "pillow_ok": True, "strict_ok": True}
    return kept(pixels, facts, header.orientation, header.width, header.height)


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
        with quiet(), Image.open(io.BytesIO(data)) as image:
            return {"format": image.format, "n_frames": int(getattr(image, "n_frames", 1))}
    except Exception:
        return {}


def _opened_odd_jpeg(
    data: bytes, extension: str, header: JpegHeader, facts: dict[str, Any]
) -> Opened:
    """CMYK, 12 bit, arithmetic coding …: pixels from Pillow, a strict opinion where possible."""
    strict: bool | None = None
    detail = ""
    if header.components == 4 and header.bits == 8 and header.frame in STRICT_FRAMES:
        try:
            simplejpeg.decode_jpeg(data, "CMYK", min_height=1, min_width=1)
            strict = True
        except ValueError as e:
            strict, detail = (None, "") if not_damage(str(e)) else (False, str(e))
    return _with_opinion(by_pillow(data, extension), facts, strict, detail)


def _refused(data: bytes, extension: str, facts: dict[str, Any], message: str) -> Opened:
    if not_damage(message):
        return _with_opinion(by_pillow(data, extension), facts, None, "")
    return _with_opinion(by_pillow(data, extension), facts, False, message)


def _with_opinion(seen: Opened, facts: dict[str, Any], strict: bool | None, detail: str) -> Opened:
    """Pillow's result with the strict decoder's opinion: where only that one objects, `damaged`."""
    merged = facts | seen.facts | {"jpeg_quality": facts["jpeg_quality"], "strict_ok": strict}
    if strict is False and not merged["error"]:
        merged |= damaged(detail)
    return replace(seen, facts=merged)


def _with_all_pictures(seen: Opened, data: bytes) -> Opened:
    """`damaged` where the first picture could be made and a later one is not all there."""
    problem = "" if seen.facts["error"] else lost_pictures(data)
    return replace(seen, facts=seen.facts | damaged(problem)) if problem else seen


def _opened_png(data: bytes, extension: str) -> Opened:
    problem = png_problem(data)
    seen = by_pillow(data, extension)
    facts = seen.facts | {"strict_ok": not problem}
    if seen.facts.get("mode") and len(data) > 24:
        facts["bits"] = data[24]
    if problem and not facts["error"]:
        facts |= damaged(problem)
    elif problem.startswith("the file ends") and facts["error"] in ("undecodable", "wrong_magic"):
        facts["error"] = "truncated"
    return replace(seen, facts=facts)
