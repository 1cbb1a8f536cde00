"""How alike are two pictures once one is laid over the other?

A hash only nominates: pictures of different things on a plain background agree in every bit. So
the nominated pair is compared by its pixels, both squashed to 64 × 64 grey values: one is moved
over the other (Gauss-Newton on an affine map with gain and offset, coarse to fine; Evangelidis &
Psarakis 2008, "Parametric image alignment using enhanced correlation coefficient maximization"),
and what counts is the correlation of the fine detail, block by block. Two shots of two shoes agree
in their outline and not in their detail; a copy agrees in both, brighter, smaller or cropped.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image

Pictures = npt.NDArray[np.float32]
"""(n, 64, 64) float32, grey 0 … 255."""
Spectra = npt.NDArray[np.float32]
"""(n, 8, 8) float32, the lowest DCT-II coefficients, row = vertical frequency."""

SIDE = 64
KEPT = 8  # the hash's frequencies in each direction, as in imagehash.phash
BLUR = 2.0  # pixels of 64: finer than this is detail
BLOCK = 8
RIM = 1 / 16
NOISE = 1.0  # grey levels squared: what recompression leaves in a flat picture is no detail
STAGES = ((16, 6, 0.5), (32, 4, 0.6), (64, 3, None))
"""Side, steps and the likeness below which a pair is given up before the next, finer stage."""
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
    return np.asarray(Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def spectrum(pictures: Pictures, region: Region = WHOLE) -> Spectra:
    """(n, 8, 8) lowest DCT-II coefficients of a region, without resampling it first."""
    across = _cosines(region.left, region.right)
    down = _cosines(region.top, region.bottom)
    return np.asarray(down @ pictures @ across.T, dtype=np.float32)


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
    above = flat > np.median(flat, axis=1, keepdims=True)
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


def detail(pictures: Pictures) -> npt.NDArray[np.float32]:
    """(n,) standard deviation of the fine detail, in grey levels; near 0 for a flat picture."""
    return np.asarray(_fine(pictures).std(axis=(1, 2)), dtype=np.float32)


def likeness(
    still: Pictures, moving: Pictures, still_region: Region, moving_region: Region
) -> npt.NDArray[np.float32]:
    """(n,) float32, 0 … 1: how well the detail of each pair agrees at the best overlay.

    The search starts with `still_region` of one laid on `moving_region` of the other, and only
    what lies in `still_region` counts. Pairs given up at a coarse stage keep their coarse value.
    """
    start = _start(still_region, moving_region)
    still = _cut(still, still_region) if still_region != WHOLE else still
    result = np.zeros(len(still), np.float32)
    going = np.arange(len(still))
    maps = np.tile(start, (len(still), 1))
    for side, steps, give_up in STAGES:
        if not len(going):
            break
        fixed, free = _shrunk(still[going], side), _shrunk(moving[going], side)
        maps = _aligned(fixed, free, maps, start, steps)
        result[going] = _agreement(fixed, free, maps)
        if give_up is not None:
            keep = result[going] >= give_up
            going, maps = going[keep], maps[keep]
    return np.clip(result, 0, 1)


def _start(still: Region, moving: Region) -> npt.NDArray[np.float32]:
    """The affine map from a region's own coordinates (-0.5 … 0.5) to those of the whole picture."""
    return np.array([
        moving.right - moving.left, 0, (moving.left + moving.right) / 2 - 0.5,
        0, moving.bottom - moving.top, (moving.top + moving.bottom) / 2 - 0.5,
    ], np.float32)  # fmt: skip


def _cut(pictures: Pictures, region: Region) -> Pictures:
    maps = np.tile(_start(WHOLE, region), (len(pictures), 1))
    values = _sampled(pictures, *_places(maps, SIDE))[0]
    return values.reshape(-1, SIDE, SIDE)


def _shrunk(pictures: Pictures, side: int) -> Pictures:
    k = SIDE // side
    cut = pictures.reshape(len(pictures), side, k, side, k)
    return np.asarray(cut.mean(axis=(2, 4)), dtype=np.float32)


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


def _sampled(
    pictures: Pictures, x: npt.NDArray[np.float32], y: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float32], ...]:
    """Bilinear values at (x, y), their gradients along x and y, and 1 where inside, each (n, p)."""
    n, side, _ = pictures.shape
    inside = (x >= 0) & (x <= side - 1) & (y >= 0) & (y <= side - 1) & _core(side)
    x = np.clip(x, 0, side - 1.001)
    y = np.clip(y, 0, side - 1.001)
    column, row = x.astype(np.int32), y.astype(np.int32)
    x -= column
    y -= row
    at = np.arange(n, dtype=np.int32)[:, None] * (side * side) + row * side + column
    flat = pictures.reshape(-1)
    a, b, c, d = flat[at], flat[at + 1], flat[at + side], flat[at + side + 1]
    top, bottom = a + (b - a) * x, c + (d - c) * x
    along_x = (b - a) + ((d - c) - (b - a)) * y
    return top + (bottom - top) * y, along_x, bottom - top, inside.astype(np.float32)


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
        values, by_x, by_y, inside = _sampled(moving, *_places(maps, side))
        by_x *= inside * side
        by_y *= inside * side
        rows = np.stack(
            [by_x * x, by_x * y, by_x, by_y * x, by_y * y, by_y, values * inside, inside], axis=1
        )
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
    """Correlation of the detail in 8 × 8 blocks, weighted by how much detail both have there."""
    n, side, _ = still.shape
    fine, _, _, inside = _sampled(_fine(moving), *_places(maps, side))
    mask = _blocks(inside, side)
    a, b = _blocks(_fine(still).reshape(n, -1), side), _blocks(fine, side)
    count = mask.sum(axis=2) + 1e-6
    a = (a - ((a * mask).sum(axis=2) / count)[:, :, None]) * mask
    b = (b - ((b * mask).sum(axis=2) / count)[:, :, None]) * mask
    spread_a = np.sqrt((a * a).sum(axis=2) / count + NOISE)
    spread_b = np.sqrt((b * b).sum(axis=2) / count + NOISE)
    agreement = (a * b).sum(axis=2) / count / (spread_a * spread_b)
    # By contrast, not its square: else the outline alone speaks, and shirts share an outline.
    weight = np.sqrt(spread_a * spread_b) * (count >= 0.375 * BLOCK * BLOCK)
    return np.asarray(
        (agreement * weight).sum(axis=1) / (weight.sum(axis=1) + 1e-6), dtype=np.float32
    )


def _blocks(flat: npt.NDArray[np.float32], side: int) -> npt.NDArray[np.float32]:
    """(n, blocks, 64) from (n, side²)."""
    k = side // BLOCK
    cut = flat.reshape(len(flat), k, BLOCK, k, BLOCK)
    blocks = cut.transpose(0, 1, 3, 2, 4)
    return np.ascontiguousarray(blocks).reshape(len(flat), k * k, BLOCK * BLOCK)


def _fine(pictures: Pictures) -> Pictures:
    blur = _blur(pictures.shape[1])
    return np.asarray(pictures - blur @ pictures @ blur.T, dtype=np.float32)


def _blur(side: int) -> npt.NDArray[np.float32]:
    """(side, side) Gaussian smoothing as a matrix; at the border it uses what is there."""
    place = np.arange(side)
    weight = np.exp(-0.5 * ((place[:, None] - place) / BLUR) ** 2)
    return np.asarray(weight / weight.sum(axis=1, keepdims=True), dtype=np.float32)
