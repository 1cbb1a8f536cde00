"""What is kept of a decoded picture? Its pixels small, its thumbnail, its shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from recipe_core.images.thumbnails import Packed, encoded, halved, shrunk


@dataclass(frozen=True)
class Opened:
    """One file as far as it could be read.

    facts      values of PASS_FIELDS, by name
    pixels     (h, w) packed sRGB of the displayed picture, longer side <= LONGER_SIDE,
               transparent parts over mid-grey; None where nothing was decoded
    fine       (h', w') packed: what the hashes are made from, transparent parts over white
    size       its height and width before it was halved (a part of a pixel is a part)
    thumbnail  JPEG, b"" where nothing was decoded
    """

    facts: dict[str, Any]
    pixels: Packed | None = None
    fine: Packed | None = None
    size: tuple[float, float] = (0.0, 0.0)
    thumbnail: bytes = b""


def kept(
    pixels: Packed, facts: dict[str, Any], orientation: int, width: int, height: int
) -> Opened:
    """A decoded picture and its facts, from pixels at a scale (1 / whole number) of the file's.

    pixels         (h, w) packed sRGB as stored
    width, height  of the picture as stored, at full scale
    """
    facts = facts | {"uniform_block_share": uniform_band(pixels)}
    if orientation != 1:
        pixels = np.ascontiguousarray(_turned(pixels, orientation))
    small = np.ascontiguousarray(shrunk(pixels))
    if orientation >= 5:
        width, height = height, width
    facts = shape_facts(width, height, facts)
    scale = round(max(width, height) / max(pixels.shape))
    return Opened(facts, small, halved(pixels), (height / scale, width / scale), encoded(small))


def damaged(detail: str) -> dict[str, Any]:
    """Facts of a file that Pillow loads and a strict look objects to, for this reason."""
    return {"error": "damaged", "error_detail": detail, "strict_ok": False}


def shape_facts(width: int, height: int, facts: dict[str, Any]) -> dict[str, Any]:
    """The facts, with the shape of the displayed picture."""
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
    last = pixels[-1].tobytes()
    if last[4:] != last[:-4] or last == pixels[0].tobytes():
        return 0.0
    colour = pixels[-1, 0]
    r, g, b = (int(colour) >> shift & 255 for shift in (0, 8, 16))
    if min(r, g, b) >= 250 or max(r, g, b) <= 5:
        return 0.0
    same = (pixels == colour).all(axis=1)[::-1]
    return float(same.argmin() / len(same))
