"""Does a JPEG hold colours that no RGB picture has? Damage that libjpeg does not see.

Bits may change so that libjpeg warns of nothing, but the blocks after them have wrong means. The
mean of a block of RGB colours is an RGB colour. Where a JPEG's mean Y, Cb, Cr stand for none, no
encoder wrote them. Clamped colours in the small picture tell where a look is due: for many
pictures at once, a fifth of what each by itself costs.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from recipe_core.images.by_pillow import quiet
from recipe_core.images.picture import damaged

OUT_OF_GAMUT = 24.0
"""Levels by which the mean of a block may lie outside the RGB cube. Untouched photos reach 2.1
(1,261 clothing photos); a shifted DC level after silent damage exceeds 24 in most of them."""
OUT_OF_GAMUT_BLOCKS = 2
CLIPPED_SPREAD = 20
"""Levels between the channels of a clamped pixel from which the check of the blocks is worth it."""


def clipped_areas(planes: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """(3, k, h, w) R, G, B -> (k,) whether 4 × 4 neighbouring pixels are coloured and have a
    channel at its end."""
    r, g, b = planes
    high, low = np.maximum(np.maximum(r, g), b), np.minimum(np.minimum(r, g), b)
    ended = high >= 254
    ended |= low <= 1
    ended &= high - low >= CLIPPED_SPREAD
    wide = ended[:, :, :-1] & ended[:, :, 1:]
    wide = wide[:, :, :-2] & wide[:, :, 2:]
    tall = wide[:, :-1] & wide[:, 1:]
    return np.asarray((tall[:, :-2] & tall[:, 2:]).any(axis=(1, 2)))


def may_hold_impossible_colours(row: Mapping[str, Any]) -> bool:
    """Whether these facts are of a JPEG in colour that libjpeg read without a word."""
    return row["format"] in ("JPEG", "MPO") and row["mode"] == "RGB" and row["strict_ok"] is True


def gamut_damage(data: bytes) -> dict[str, Any]:
    """Facts of a JPEG that change because its blocks hold colours that no RGB picture has.

    Raises what Pillow raises where it cannot read it.
    """
    excess, blocks = gamut_excess(data)
    if blocks < OUT_OF_GAMUT_BLOCKS:
        return {}
    return damaged(
        f"{blocks} blocks hold colours that no RGB picture has (up to {excess:.0f} levels outside)"
    )


def gamut_excess(data: bytes) -> tuple[float, int]:
    """How far (levels) the worst 16 × 16 block mean lies outside RGB, and how many lie too far.

    At 1/8 scale libjpeg's pixels are the block means (DC levels) themselves.
    """
    with quiet(), Image.open(io.BytesIO(data)) as image:
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
