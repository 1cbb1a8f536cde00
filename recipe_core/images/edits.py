"""What do people do to a picture and keep it as another? Eight edits, made of a thumbnail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image, ImageDraw, ImageOps

from recipe_core.images.copy_keys import FLAT, Keys, keys_of
from recipe_core.images.likeness import coarseness, has_detail, squashed
from recipe_core.images.thumbnails import QUALITY

Edit = Callable[[Image.Image, np.random.Generator], Image.Image]


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    pixels = np.ascontiguousarray(np.asarray(picture)[:, :, None])
    return bytes(simplejpeg.encode_jpeg(pixels, quality, "GRAY"))


def _recompressed(p: Image.Image, _: np.random.Generator) -> Image.Image:
    return Image.fromarray(simplejpeg.decode_jpeg(_jpeg(p, 30), colorspace="GRAY")[:, :, 0])


def _halved(p: Image.Image, _: np.random.Generator) -> Image.Image:
    return p.resize((max(p.width // 2, 1), max(p.height // 2, 1)), Image.Resampling.BILINEAR)


def cropped(share: float) -> Edit:
    """Keeps that share of both sides, somewhere."""

    def edit(p: Image.Image, rng: np.random.Generator) -> Image.Image:
        w, h = max(round(p.width * share), 1), max(round(p.height * share), 1)
        x, y = int(rng.integers(p.width - w + 1)), int(rng.integers(p.height - h + 1))
        return p.crop((x, y, x + w, y + h))

    return edit


def _captioned(p: Image.Image, _: np.random.Generator) -> Image.Image:
    edited = p.copy()
    ImageDraw.Draw(edited).rectangle((0, int(p.height * 0.9), *p.size), fill=0)
    return edited


BRIGHTER = [min(round(1.3 * v), 255) for v in range(256)]
EDITS: Mapping[str, Edit] = {
    "recompressed": _recompressed,
    "thumbnail at half size": _halved,  # harder than half of a picture larger than that
    "cropped to 95 %": cropped(0.95),
    "brighter by 30 %": lambda p, _: p.point(BRIGHTER),
    "grey": lambda p, _: p,  # likeness is judged on luma, which this edit leaves as it is
    "captioned": _captioned,
    "tilted 2 degrees": lambda p, rng: p.rotate(
        float(rng.choice([-2.0, 2.0])), Image.Resampling.BILINEAR
    ),
    "mirrored": lambda p, _: ImageOps.mirror(p),
}


class Edited(NamedTuple):
    """A picture, then its edits in the order of EDITS: k = 1 + len(EDITS).

    squares  (k, 64, 64) uint8
    keys     of each
    coarse   (k,) int64 how coarse each is
    """

    squares: npt.NDArray[np.uint8]
    keys: Keys
    coarse: npt.NDArray[np.int64]


def edited(task: tuple[int, int, bytes | None]) -> Edited | None:
    """From (seed, row, thumbnail). None where there is no thumbnail, or nothing to see in it."""
    seed, row, thumbnail = task
    if not thumbnail:
        return None
    try:
        grey = simplejpeg.decode_jpeg(thumbnail, colorspace="GRAY")[:, :, 0]
        picture, rng = Image.fromarray(grey), np.random.default_rng([seed, row])
        all_ = [thumbnail, *(_jpeg(edit(picture, rng), QUALITY) for edit in EDITS.values())]
        squares = np.stack([squashed(jpeg) for jpeg in all_])
    except ValueError:
        return None
    pictures = squares.astype(np.float32)
    if not has_detail(pictures[:1], FLAT)[0]:
        return None
    return Edited(squares, keys_of(pictures), np.array([coarseness(jpeg) for jpeg in all_]))
