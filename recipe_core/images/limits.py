"""How large may a picture be before it is not decoded?"""

from __future__ import annotations

PIXEL_LIMIT = 500_000_000
"""Pixels of a picture above which it is a `bomb`: no photograph, and hours of decoding."""
DECODE_LIMIT = 1_300_000_000
"""Bytes that a file and its decoding may need at once, so that a worker stays below 1.5 GB; above:
`bomb`. About 500 megapixels pass as a baseline JPEG (1/8 scale), 300 as an RGB PNG, 150 as a WebP,
and 100 as an uncompressed TIFF with transparency."""


class TooMuch(Exception):
    """A picture whose decoding would need more than the limits."""


def too_much(pixels: int, need: float) -> str:
    """Why this many pixels, or bytes at once, are too many; '' where they are not."""
    if pixels > PIXEL_LIMIT:
        return f"{pixels / 1e6:.0f} megapixels are more than the limit of {PIXEL_LIMIT / 1e6:.0f}"
    if need > DECODE_LIMIT:
        return f"decoding {pixels / 1e6:.0f} megapixels would need {need / 1e9:.1f} GB of memory"
    return ""
