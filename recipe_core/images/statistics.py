"""What do the pixels say in numbers? Many small pictures of one size at once.

Everything is measured on pictures whose longer side is 160 pixels (120 to 160 where a JPEG decodes
to that; the picture itself where it is smaller), so that numbers compare between a 400 and a 4000
pixel photo of the same scene. Tones and detail are read on every second row, colours on every
second pixel of it: a quarter of the work, and means over thousands of pixels all the same.
Sums are sums of integers, or run along one picture only: a picture's numbers do not depend, to the
last bit, on which others are measured with it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Stack = npt.NDArray[np.uint8]
Levels = npt.NDArray[np.int16]
Numbers = npt.NDArray[np.float64]

EDGE_LEVEL = 160
"""|Gx| + |Gy| of the 3 × 3 Sobel kernels above which a pixel is an edge: a step of 40 levels."""
NOISE = 25.0
"""Variance of luma (5 levels squared) below which contrast is noise rather than a picture."""
BORDER_TOLERANCE = 8
"""Levels by which a pixel of a border may differ from the border's colour (JPEG noise)."""
STEP_SHARE = 0.5
"""Share of the pixels in the first line of the picture that must differ from the border."""
LOSSLESS_GREY, LOSSY_GREY = 0, 3
"""Levels between R, G and B that still are grey: a lossy format rounds chroma."""


def measured(planes: Stack, y: Levels) -> dict[str, Numbers]:
    """Statistics of PASS_FIELDS by name, each (k,) float64; NaN where a picture is too small.

    planes  (3, k, h, w) uint8 sRGB
    y       (k, h, w) its luma
    `chroma_spread` is the largest difference between R, G and B in levels, 0 … 255.
    """
    tones = _tones(y[:, ::2])
    variance = (tones["contrast"] * 255) ** 2
    detail = _detail(y, variance)
    return {**tones, **detail, **_colours(planes), "border_share": _borders(planes, y)}


def luma(planes: Stack) -> Levels:
    """(3, k, h, w) uint8 -> (k, h, w) int16 luma 0 … 255, to the last bit that of Pillow's
    convert("L") (Rec. 601; src/libImaging/Convert.c)."""
    total = planes[0].astype(np.uint32)
    total *= np.uint32(19595)
    for plane, weight in ((planes[1], 38470), (planes[2], 7471)):
        part = plane.astype(np.uint32)
        part *= np.uint32(weight)
        total += part
    total += np.uint32(0x8000)
    total >>= np.uint32(16)
    return np.asarray(total, np.int16)


def _tones(y: Levels) -> dict[str, Numbers]:
    k, n = len(y), y[0].size
    shifted = y.reshape(k, n).astype(np.intp)
    shifted += (np.arange(k) * 256)[:, None]
    counts = np.bincount(shifted.ravel(), minlength=256 * k).reshape(k, 256)
    level = np.arange(256)
    mean = (counts * level).sum(axis=1) / n
    square = (counts * level**2).sum(axis=1) / n
    share = counts / n
    bits = -(share * np.log2(share, out=np.zeros_like(share), where=counts > 0)).sum(axis=1)
    return {
        "brightness": mean / 255,
        "contrast": np.sqrt(np.maximum(square - mean**2, 0)) / 255,
        "entropy": np.abs(bits),
        "dark_share": counts[:, :3].sum(axis=1) / n,
        "light_share": counts[:, 253:].sum(axis=1) / n,
    }


def _colours(planes: Stack) -> dict[str, Numbers]:
    r, g, b = planes[:, :, ::2, ::2].reshape(3, planes.shape[1], -1)
    high, low = np.maximum(np.maximum(r, g), b), np.minimum(np.minimum(r, g), b)
    spread = high - low
    saturation = spread / np.maximum(high, 1).astype(np.float32)
    red, green, blue = r.astype(np.int16), g.astype(np.int16), b.astype(np.int16)
    rg_mean, rg_var = _moments(red - green)
    yb_mean, yb_var = _moments(red + green - 2 * blue)  # twice the paper's yb
    return {
        "saturation": saturation.mean(axis=1, dtype=np.float64),
        "colorfulness": np.sqrt(rg_var + yb_var / 4) + 0.3 * np.hypot(rg_mean, yb_mean / 2),
        "chroma_spread": spread.max(axis=1).astype(np.float64),
    }


def _moments(values: npt.NDArray[np.int16]) -> tuple[Numbers, Numbers]:
    """Mean and variance along the last axis; sums of integers in float64 are exact."""
    exact = values.astype(np.float64)
    n = values.shape[-1]
    mean = exact.sum(axis=-1) / n
    return mean, np.maximum(np.einsum("ki,ki->k", exact, exact) / n - mean**2, 0)


def _detail(y: Levels, variance: Numbers) -> dict[str, Numbers]:
    """Sharpness and edges; NaN for pictures with a side below 3 pixels.

    sharpness: root mean square of the Laplacian over the standard deviation of luma, 0 … about 4.5
    (white noise); a photo in focus has about 0.3 … 1.2. The variance of the Laplacian is the focus
    measure of Pech-Pacheco et al. 2000; over the contrast it does not depend on exposure.
    """
    k, h, w = y.shape
    if h < 3 or w < 3:
        return {name: np.full(k, np.nan) for name in ("sharpness", "edge_density")}
    above, here, below = y[:, :-2:2], y[:, 1:-1:2], y[:, 2::2]
    upright = above + below
    laplacian = upright[:, :, 1:-1] - 4 * here[:, :, 1:-1]
    laplacian += here[:, :, :-2]
    laplacian += here[:, :, 2:]
    exact = laplacian.reshape(k, -1).astype(np.float64)
    roughness = np.einsum("ki,ki->k", exact, exact) / exact.shape[1]
    upright += 2 * here
    slope = np.abs(upright[:, :, 2:] - upright[:, :, :-2])
    across = below - above
    rise = across[:, :, :-2] + across[:, :, 2:]
    rise += 2 * across[:, :, 1:-1]
    slope += np.abs(rise, out=rise)
    edges = np.count_nonzero(slope > EDGE_LEVEL, axis=(1, 2)) / slope[0].size
    return {"sharpness": np.sqrt(roughness / (variance + NOISE)), "edge_density": edges}


def _borders(planes: Stack, y: Levels) -> Numbers:
    shares = np.zeros(len(y))
    for k in np.flatnonzero(_flat_edge(y)):
        shares[k] = border_share(planes[:, k])
    return shares


def _flat_edge(y: Levels) -> npt.NDArray[np.bool_]:
    """Which pictures may have an outermost line of one colour: its luma spreads no wider than its
    channels, but for the rounding."""
    lines = (y[:, 0], y[:, -1], y[:, :, 0], y[:, :, -1])
    flat = [np.ptp(line, axis=1) <= 2 * BORDER_TOLERANCE + 1 for line in lines]
    return np.asarray(np.logical_or.reduce(flat))


def border_share(planes: Stack) -> float:
    """Share of the area (3, h, w) in bars of one colour along the edges, 0 … 1.

    A bar is a run of lines from an edge of which every pixel is within BORDER_TOLERANCE of the
    median colour of the outermost line. It counts only where it ends in a straight step: between
    its last line but one and the second line behind it (resampling mixes those between) at least
    STEP_SHARE of the pixels change by more than that. A studio background ends irregularly at the
    object, a sky fades: neither counts.
    """
    h, w = planes[0].shape
    top, bottom = _bar(planes), _bar(planes[:, ::-1])
    if top + bottom >= h:
        return 0.0
    inner = planes[:, top : h - bottom].swapaxes(1, 2)
    left, right = _bar(inner), _bar(inner[:, ::-1])
    if left + right >= w:
        return 0.0
    return float(1 - (h - top - bottom) * (w - left - right) / (h * w))


def _bar(planes: Stack) -> int:
    """Lines (second axis) of the bar at the beginning, 0 where there is none."""
    if (np.ptp(planes[:, 0], axis=1) > 2 * BORDER_TOLERANCE).any():
        return 0
    colour = _medians(planes[:, 0])
    low = np.ceil(np.maximum(colour - BORDER_TOLERANCE, 0)).astype(np.uint8)
    high = np.floor(np.minimum(colour + BORDER_TOLERANCE, 255)).astype(np.uint8)
    if not _within(planes[:, :1], low, high).all():
        return 0
    within = _within(planes, low, high)
    if within.all():
        return 0
    length = int(within.argmin())
    last, behind = max(length - 2, 0), min(length + 1, len(within) - 1)
    step = np.abs(planes[:, behind].astype(np.int16) - planes[:, last]) > BORDER_TOLERANCE
    return length if step.any(axis=0).mean() >= STEP_SHARE else 0


def _within(planes: Stack, low: Stack, high: Stack) -> npt.NDArray[np.bool_]:
    """(lines,) whether all pixels of a line lie between two colours, ends included."""
    lowest, highest = planes.min(axis=2), planes.max(axis=2)
    return np.asarray(((lowest >= low[:, None]) & (highest <= high[:, None])).all(axis=0))


def _medians(lines: Stack) -> Numbers:
    """Median along the last axis; np.median needs six times as long for a line."""
    ordered, n = np.sort(lines, axis=1), lines.shape[1]
    return np.asarray(ordered[:, (n - 1) // 2 : n // 2 + 1].mean(axis=1), np.float64)
