"""How alike are two pictures once one is laid over the other?

A hash only nominates: pictures of different things on a plain background agree in every bit. So
the nominated pair is compared by its pixels, both squashed to 64 × 64 grey values: one is moved
over the other (Gauss-Newton on an affine map with gain and offset, coarse to fine; Evangelidis &
Psarakis 2008, "Parametric image alignment using enhanced correlation coefficient maximization"),
and what counts is the correlation of the fine detail, block by block. Two shots of two shoes agree
in their outline and not in their detail; a copy agrees in both, brighter, smaller or cropped.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import simplejpeg

Pictures = npt.NDArray[np.float32]
"""(n, 64, 64) float32, grey 0 … 255."""
Spectra = npt.NDArray[np.float32]
"""(n, 8, 8) float32, the lowest DCT-II coefficients, row = vertical frequency."""

SIDE = 64
KEPT = 8  # the hash's frequencies in each direction, as in imagehash.phash
BLUR = 1 / 32  # of the side: finer than this is detail
TRUSTED = 2  # pixels: in a small picture detail finer than this is what recompression leaves of it
FINE_FROM = TRUSTED / BLUR  # pixels of the longer side from which nothing is mistrusted
COARSEST = 4  # the blur of a picture of 16 pixels
BLOCK = 8
RIM = 1 / 16
NOISE = 1.0  # grey levels squared: what recompression leaves in a flat picture is no detail
STAGES = ((16, 2), (32, 1), (64, 1))
"""Side and Gauss-Newton steps, coarse to fine; more of them moved the value of 1 copy in 300."""
GIVEN_UP = 0.6
"""Likeness at the middle stage below which a pair is given up: of different photos that hash
alike this leaves a quarter, of copies 997 in 1,000."""
JUDGED_FROM = 32  # a side of 16 has no detail to speak of
TILE = 1 << 16  # pixels at once: stacks of 256 kB stay in a core's cache, 3 × faster than 2 MB
REACH = np.array([0.15, 0.1, 0.2, 0.1, 0.15, 0.2], np.float32)
"""How far the map may go from its start (scale, shear, shift in shares of the side): a crop or a
tilt of 5 degrees passes; a shape bent until it fits another one does not."""

TURNS = ("", "rotated 90", "rotated 180", "rotated 270", "mirrored", "mirrored and rotated 90",
         "mirrored and rotated 180", "mirrored and rotated 270")  # fmt: skip
"""What was done to a picture; rotations counter-clockwise, in the order of `phash_turned`."""


class Region(NamedTuple):
    """A part of a picture, as shares of its width and height."""

    left: float
    top: float
    right: float
    bottom: float


WHOLE = Region(0.0, 0.0, 1.0, 1.0)


def squashed(jpeg: bytes) -> npt.NDArray[np.uint8]:
    """(64, 64) uint8 grey values of a thumbnail, its aspect ratio given up.

    Raises ValueError where the bytes are no JPEG.
    """
    grey = simplejpeg.decode_jpeg(jpeg, colorspace="GRAY")[:, :, 0]
    return np.rint(squares(grey.astype(np.float32))).astype(np.uint8)


def all_squashed(jpegs: Sequence[bytes | None]) -> npt.NDArray[np.uint8]:
    """(n, 64, 64) uint8: `squashed` of each, black where there is no thumbnail, or no JPEG."""
    result = np.zeros((len(jpegs), SIDE, SIDE), np.uint8)
    for square, jpeg in zip(result, jpegs, strict=True):
        if jpeg:
            with contextlib.suppress(ValueError):
                square[:] = squashed(jpeg)
    return result


def coarseness(jpeg: bytes) -> int:
    """0 … COARSEST: how much coarser than BLUR the detail of a thumbnail is, in factors of √2.

    Raises ValueError where the bytes are no JPEG.
    """
    height, width, *_ = simplejpeg.decode_jpeg_header(jpeg)
    return min(max(math.ceil(2 * math.log2(FINE_FROM / max(height, width))), 0), COARSEST)


def squares(luma: npt.NDArray[np.float32]) -> Pictures:
    """(…, h, w) luma 0 … 255 -> (…, 64, 64) float32, averaged as Pillow's BILINEAR does."""
    h, w = luma.shape[-2:]
    return np.asarray(_squashing(h) @ (luma @ _squashing(w).T), np.float32)


@lru_cache(maxsize=512)
def _squashing(n: int) -> npt.NDArray[np.float32]:
    """(64, n) weights of a triangle as wide as two output pixels (or two input pixels)."""
    scale = n / SIDE
    centre = (np.arange(SIDE)[:, None] + 0.5) * scale
    apart = np.abs(np.arange(n) + 0.5 - centre) / max(scale, 1.0)
    weights = np.maximum(1 - apart, 0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def spectrum(pictures: Pictures, region: Region = WHOLE) -> Spectra:
    """(n, 8, 8) lowest DCT-II coefficients of a region, without resampling it first."""
    return spectra(pictures, [region])[0]


def spectra(pictures: Pictures, regions: Sequence[Region]) -> list[Spectra]:
    """The spectrum of every region; regions of one top and bottom share half of the work."""
    heights = list(dict.fromkeys((r.top, r.bottom) for r in regions))
    down = np.concatenate([_cosines(*h) for h in heights]) @ pictures
    cut = dict(zip(heights, np.split(down, len(heights), axis=1), strict=True))
    return [
        np.asarray(cut[r.top, r.bottom] @ _cosines(r.left, r.right).T, np.float32) for r in regions
    ]


@lru_cache
def _cosines(low: float, high: float) -> npt.NDArray[np.float32]:
    """(8, 64): the DCT-II's cosines over [low, high] of the side, 0 outside."""
    edges = np.linspace(0, 1, SIDE + 1)
    begin, end = np.clip(edges[:-1], low, high), np.clip(edges[1:], low, high)
    place = ((begin + end) / 2 - low) / (high - low)
    wave = np.cos(np.pi * np.arange(KEPT)[:, None] * place)
    return ((end - begin) * wave).astype(np.float32)


def hashes(spectra: Spectra) -> npt.NDArray[np.uint64]:
    """(n,) perceptual hashes: which coefficients exceed the median (as imagehash.phash)."""
    flat = spectra.reshape(len(spectra), KEPT * KEPT)
    ordered = np.sort(flat, axis=1)
    above = flat > (ordered[:, 31:32] + ordered[:, 32:33]) / 2  # np.median is 7 × slower
    return np.packbits(above, axis=1).view(">u8")[:, 0].astype(np.uint64)


def turned_spectra(spectra: Spectra) -> tuple[Spectra, ...]:
    """The spectra of the picture turned and mirrored, in the order of TURNS.

    Mirroring flips the sign of odd frequencies and turning by 90 degrees swaps the axes as well.
    """
    sign = np.where(np.arange(KEPT) % 2, -1, 1).astype(np.float32)
    turned = []
    for now in (spectra, spectra * sign):
        for _ in range(4):
            turned.append(now)
            now = now.transpose(0, 2, 1) * sign[:, None]  # noqa: PLW2901
    return tuple(turned)


def turned_pictures(pictures: Pictures, turn: int) -> Pictures:
    """The pictures turned as TURNS[turn] says."""
    start = pictures[:, :, ::-1] if turn >= 4 else pictures
    return np.ascontiguousarray(np.rot90(start, turn % 4, axes=(1, 2)))


def has_detail(pictures: Pictures, least: float) -> npt.NDArray[np.bool_]:
    """(n,) whether the fine detail's standard deviation reaches `least` grey levels.

    One row in eight tells of most pictures: the squares of all rows, around any mean, add up to no
    less than those of these rows around their own.
    """
    blur, every = _blur(SIDE), slice(0, SIDE, 8)
    rows = pictures[:, every] - blur[every] @ pictures @ blur.T
    enough = rows.std(axis=(1, 2)) >= least * math.sqrt(8)
    unsure = np.flatnonzero(~enough)
    enough[unsure] = _fine(pictures[unsure]).std(axis=(1, 2)) >= least
    return np.asarray(enough)


class Overlay(NamedTuple):
    """Pairs of pictures that are laid over each other in one way; what `overlaid` is told.

    still, moving  (n, 64, 64) uint8; the moving one is turned as TURNS[turn] says first
    """

    still: npt.NDArray[np.uint8]
    moving: npt.NDArray[np.uint8]
    turn: int
    still_region: Region
    moving_region: Region
    coarse: int


def overlaid(pairs: Overlay) -> npt.NDArray[np.float32]:
    """(n,) the `likeness` of each pair."""
    moving = turned_pictures(pairs.moving.astype(np.float32), pairs.turn)
    regions = pairs.still_region, pairs.moving_region
    return likeness(pairs.still.astype(np.float32), moving, *regions, pairs.coarse)


def likeness(
    still: Pictures, moving: Pictures, still_region: Region, moving_region: Region, coarse: int = 0
) -> npt.NDArray[np.float32]:
    """(n,) float32, 0 … 1: how well the detail (`coarseness`) of each agrees at the best overlay.

    The search starts with `still_region` of one laid on `moving_region` of the other, and only
    what lies in `still_region` counts. Below GIVEN_UP the value is that of a rougher look.
    """
    still = _cut(still, still_region) if still_region != WHOLE else still
    stills, movings = _pyramid(still), _pyramid(moving)
    start = _start(still_region, moving_region)
    maps = np.tile(start, (len(still), 1))
    result = np.zeros(len(still), np.float32)
    going = np.arange(len(still))
    for side, steps in STAGES:
        for some in _tiles(going, side):
            a, b = stills[side][some], movings[side][some]
            maps[some] = _aligned(a, b, maps[some], start, steps)
            if side >= JUDGED_FROM:
                result[some] = _agreement(_fine(a, coarse), _fine(b, coarse), maps[some])
        if side >= JUDGED_FROM:
            going = going[result[going] >= GIVEN_UP]
    return np.clip(result, 0, 1)


def _tiles(going: npt.NDArray[np.intp], side: int) -> Iterator[npt.NDArray[np.intp]]:
    size = TILE // side**2
    return (going[i : i + size] for i in range(0, len(going), size))


def _start(still: Region, moving: Region) -> npt.NDArray[np.float32]:
    """The affine map from a region's own coordinates (-0.5 … 0.5) to those of the whole picture."""
    return np.array([
        moving.right - moving.left, 0, (moving.left + moving.right) / 2 - 0.5,
        0, moving.bottom - moving.top, (moving.top + moving.bottom) / 2 - 0.5,
    ], np.float32)  # fmt: skip


def _cut(pictures: Pictures, region: Region) -> Pictures:
    maps = np.tile(_start(WHOLE, region), (len(pictures), 1))
    return _between(_corners(pictures, maps)).reshape(-1, SIDE, SIDE)


def _pyramid(pictures: Pictures) -> dict[int, Pictures]:
    """side -> the pictures at that side, 64, 32, 16: means of 2 × 2."""
    levels = {SIDE: pictures}
    for side in (SIDE // 2, SIDE // 4):
        wide = pictures[:, 0::2] + pictures[:, 1::2]
        pictures = (wide[:, :, 0::2] + wide[:, :, 1::2]) * np.float32(0.25)
        levels[side] = pictures
    return levels


@lru_cache
def _grid(side: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    line = (np.arange(side, dtype=np.float32) + 0.5) / side - 0.5
    y, x = np.meshgrid(line, line, indexing="ij")
    return x.ravel().astype(np.float32), y.ravel().astype(np.float32)


def _places(
    maps: npt.NDArray[np.float32], side: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """(n, side²) x and y pixel coordinates that the maps send the grid to."""
    x, y = _grid(side)
    to_x = maps[:, 0:1] * x + maps[:, 1:2] * y + maps[:, 2:3]
    to_y = maps[:, 3:4] * x + maps[:, 4:5] * y + maps[:, 5:6]
    x_pixels = np.asarray(side * (to_x + 0.5) - 0.5, dtype=np.float32)
    return x_pixels, np.asarray(side * (to_y + 0.5) - 0.5, dtype=np.float32)


class Corners(NamedTuple):
    """The four pixels around each of p places in n pictures, each array (n, p) float32.

    x, y    how far the place lies from the upper left pixel, 0 … 1
    inside  bool, False outside the picture and on the rim
    """

    upper_left: npt.NDArray[np.float32]
    upper_right: npt.NDArray[np.float32]
    lower_left: npt.NDArray[np.float32]
    lower_right: npt.NDArray[np.float32]
    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.float32]
    inside: npt.NDArray[np.bool_]


def _corners(pictures: Pictures, maps: npt.NDArray[np.float32]) -> Corners:
    n, side, _ = pictures.shape
    x, y = _places(maps, side)
    inside = (x >= 0) & (x <= side - 1) & (y >= 0) & (y <= side - 1) & _core(side)
    np.clip(x, 0, side - 1.001, out=x)
    np.clip(y, 0, side - 1.001, out=y)
    column, row = x.astype(np.int32), y.astype(np.int32)
    x -= column
    y -= row
    row *= side
    row += column
    at = row.astype(np.intp)
    at += np.arange(n)[:, None] * (side * side)
    flat = pictures.reshape(-1)
    upper = flat.take(at), flat.take(at + 1)
    at += side
    return Corners(*upper, flat.take(at), flat.take(at + 1), x, y, inside)


def _between(c: Corners) -> npt.NDArray[np.float32]:
    """(n, p) bilinear values."""
    top = c.upper_left + (c.upper_right - c.upper_left) * c.x
    bottom = c.lower_left + (c.lower_right - c.lower_left) * c.x
    bottom -= top
    bottom *= c.y
    top += bottom
    return top


def _slopes(c: Corners) -> tuple[npt.NDArray[np.float32], ...]:
    """(n, p) bilinear values, and their gradients along x and y."""
    above, below = c.upper_right - c.upper_left, c.lower_right - c.lower_left
    top, down = c.upper_left + above * c.x, c.lower_left + below * c.x
    down -= top
    below -= above
    below *= c.y
    below += above
    top += down * c.y
    return top, below, down


@lru_cache
def _core(side: int) -> npt.NDArray[np.bool_]:
    """(side²,) False on the rim, a sixteenth of the side: an added border shows there first."""
    x, y = _grid(side)
    return (np.abs(x) < 0.5 - RIM) & (np.abs(y) < 0.5 - RIM)


def _aligned(
    still: Pictures, moving: Pictures, maps: npt.NDArray[np.float32],
    start: npt.NDArray[np.float32], steps: int,
) -> npt.NDArray[np.float32]:  # fmt: skip
    """The maps after a few Gauss-Newton steps on still = gain × moving(map) + offset."""
    side = still.shape[1]
    x, y = _grid(side)
    target = still.reshape(len(still), -1)
    for _ in range(steps):
        corners = _corners(moving, maps)
        values, by_x, by_y = _slopes(corners)
        inside = corners.inside.astype(np.float32)
        by_x *= inside
        by_y *= inside
        rows = np.empty((len(maps), 8, side * side), np.float32)
        for k, slope in ((0, by_x), (3, by_y)):
            np.multiply(slope, side, out=rows[:, k + 2])
            np.multiply(rows[:, k + 2], x, out=rows[:, k])
            np.multiply(rows[:, k + 2], y, out=rows[:, k + 1])
        np.multiply(values, inside, out=rows[:, 6])
        rows[:, 7] = inside
        solved = _solved(rows, target * inside)
        gain = np.maximum(solved[:, 6:7], 0.1)  # a negative picture is no copy
        maps = np.clip(maps + solved[:, :6] / gain, start - REACH, start + REACH)
    return maps


def _solved(
    rows: npt.NDArray[np.float32], target: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Least squares of each pair, damped so that a flat picture stays where it is."""
    square = (rows @ rows.transpose(0, 2, 1)).astype(np.float64)
    size = np.einsum("nii->ni", square)
    damping = 1e-4 * size.mean(axis=1, keepdims=True) * np.array([1] * 6 + [0.01] * 2) + 1e-3
    square[:, range(8), range(8)] += damping
    right = rows @ target[:, :, None]
    return np.asarray(np.linalg.solve(square, right.astype(np.float64))[:, :, 0], np.float32)


def _agreement(
    still: Pictures, moving: Pictures, maps: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Correlation of the detail in 8 × 8 blocks, weighted by how much detail both have there.

    still, moving  (n, side, side) the fine detail of the pictures, from `_fine`
    """
    n, side, _ = still.shape
    corners = _corners(moving, maps)
    inside = corners.inside.astype(np.float32)
    mask = _blocks(inside, side)
    a = _blocks(still.reshape(n, -1) * inside, side)
    b = _blocks(_between(corners) * inside, side)
    count = mask.sum(axis=2) + 1e-6
    mean_a, mean_b = a.sum(axis=2) / count, b.sum(axis=2) / count
    a -= mean_a[:, :, None] * mask
    b -= mean_b[:, :, None] * mask
    spread_a = np.sqrt(_dot(a, a) / count + NOISE)
    spread_b = np.sqrt(_dot(b, b) / count + NOISE)
    agreement = _dot(a, b) / count / (spread_a * spread_b)
    # By contrast, not its square: else the outline alone speaks, and shirts share an outline.
    weight = np.sqrt(spread_a * spread_b) * (count >= 0.375 * BLOCK * BLOCK)
    return np.asarray(
        (agreement * weight).sum(axis=1) / (weight.sum(axis=1) + 1e-6), dtype=np.float32
    )


def _dot(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.asarray(np.einsum("nbp,nbp->nb", a, b), np.float32)


def _blocks(flat: npt.NDArray[np.float32], side: int) -> npt.NDArray[np.float32]:
    """(n, blocks, 64) from (n, side²)."""
    k = side // BLOCK
    cut = flat.reshape(len(flat), k, BLOCK, k, BLOCK)
    blocks = cut.transpose(0, 1, 3, 2, 4)
    return np.ascontiguousarray(blocks).reshape(len(flat), k * k, BLOCK * BLOCK)


def _fine(pictures: Pictures, coarse: int = 0) -> Pictures:
    blur = _blur(pictures.shape[1], coarse)
    return np.asarray(pictures - blur @ pictures @ blur.T, dtype=np.float32)


@lru_cache
def _blur(side: int, coarse: int = 0) -> npt.NDArray[np.float32]:
    """(side, side) Gaussian smoothing as a matrix; at the border it uses what is there."""
    place, width = np.arange(side), BLUR * 2 ** (coarse / 2) * side
    weight = np.exp(-0.5 * ((place[:, None] - place) / width) ** 2)
    weight[weight < 1e-7] = 0  # subnormal weights make a product twenty times slower
    return np.asarray(weight / weight.sum(axis=1, keepdims=True), dtype=np.float32)
