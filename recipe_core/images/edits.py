"""What do people do to a picture and keep it as another, and is it found again?

Eight edits, made of a thumbnail and put to the test of any pair of pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image, ImageDraw, ImageOps

from recipe_core.images.copy_keys import FLAT, keys_of, nominated, overlays
from recipe_core.images.likeness import (
    all_squashed,
    coarseness,
    has_detail,
    overlaid,
    squashed,
)
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


class Plan(NamedTuple):
    """What is edited: thumbnails by row, which with the seed decides what is drawn.

    radius  bits up to which a pair is compared
    rough   whether `Recognised.rough` is wanted
    """

    seed: int
    radius: int
    rough: bool
    thumbnails: Mapping[int, bytes | None]


class Recognised(NamedTuple):
    """How a picture compares with each of its edits, in the order of EDITS: all (len(EDITS),).

    distance     int64 bits between the hashes that nominate the pair best, 0 … 64
    way          int64 how they nominate it: WAYS[way]
    fine, rough  float32 likeness at the finest detail, and at one as coarse as the pictures are
                 (`fine` where that is not wanted); 0 for pairs beyond the radius
    """

    distance: npt.NDArray[np.int64]
    way: npt.NDArray[np.int64]
    fine: npt.NDArray[np.float32]
    rough: npt.NDArray[np.float32]


def recognised(plan: Plan) -> dict[int, Recognised]:
    """Row -> how its edits are found again; without rows of which there is nothing to see."""
    made = {}
    for row, thumbnail in plan.thumbnails.items():
        if jpegs := _with_edits(thumbnail, np.random.default_rng([plan.seed, row])):
            made[row] = jpegs
    return dict(zip(made, _found_again([*made.values()], plan), strict=True))


def _with_edits(thumbnail: bytes | None, rng: np.random.Generator) -> list[bytes]:
    """The picture and its edits; empty where there is nothing to recognise it by."""
    if not thumbnail:
        return []
    try:
        if not has_detail(squashed(thumbnail)[None].astype(np.float32), FLAT)[0]:
            return []
        picture = Image.fromarray(simplejpeg.decode_jpeg(thumbnail, colorspace="GRAY")[:, :, 0])
        return [thumbnail, *(_jpeg(edit(picture, rng), QUALITY) for edit in EDITS.values())]
    except ValueError:
        return []


def _found_again(made: Sequence[Sequence[bytes]], plan: Plan) -> list[Recognised]:
    if not made:
        return []
    jpegs, k = [jpeg for pictures in made for jpeg in pictures], len(EDITS)
    squares = all_squashed(jpegs)
    place = np.arange(len(jpegs))
    copy, original = place[place % (k + 1) > 0], np.repeat(place[:: k + 1], k)
    a, b, distance, way = nominated(keys_of(squares.astype(np.float32)), original, copy)
    near = np.flatnonzero(distance <= plan.radius)
    blurs = [np.zeros(len(jpegs), np.int64)]
    if plan.rough:
        blurs.append(np.array([coarseness(jpeg) for jpeg in jpegs]))
    values = np.zeros((len(blurs), len(copy)), np.float32)
    for value, blur in zip(values, blurs, strict=True):
        for batch, how in overlays(squares, blur, a[near], b[near], way[near]):
            value[near[batch]] = overlaid(how)
    each = (v.reshape(len(made), k) for v in (distance, way, values[0], values[-1]))
    return [Recognised(*of_one) for of_one in zip(*each, strict=True)]
