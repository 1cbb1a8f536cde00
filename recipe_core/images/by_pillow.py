"""What does Pillow see in a file? Its header, its pixels, and its complaints."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

from recipe_core.images.limits import PIXEL_LIMIT, TooMuch, too_much
from recipe_core.images.picture import Opened, kept
from recipe_core.images.refusals import refused
from recipe_core.images.thumbnails import LONGER_SIDE, packed

WITHOUT_DECODER = frozenset({"EPS", "WMF", "GRIB", "BUFR", "HDF5", "MPEG"})
"""Formats that Pillow names but only hands on. Ghostscript would run a stranger's program (EPS is
one), so EPS is not decoded even where Ghostscript is installed."""


@dataclass(frozen=True)
class _Loaded:
    """A picture that Pillow loaded, reduced: premultiplied RGBA, and what the full one was."""

    rgba: npt.NDArray[np.uint8]
    facts: dict[str, Any]
    width: int
    height: int
    orientation: int


def by_pillow(data: bytes, extension: str, strict_ok: bool | None = None) -> Opened:
    """The picture by Pillow alone, with Pillow's reasons where it has none."""
    told: list[str] = []
    facts: dict[str, Any] = {"strict_ok": strict_ok}
    try:
        with quiet(told):
            loaded = _load(data, facts)
    except Exception as e:
        error, detail = refused(e, data, extension, facts)
        facts |= {"error": error, "error_detail": detail, "warning": "; ".join(told)}
        return Opened(facts | {"pillow_ok": None if error == "bomb" else False})
    facts |= loaded.facts | {"pillow_ok": True, "error": "", "error_detail": ""}
    facts |= {"warning": "; ".join(told)}
    used = facts["alpha_used"]
    white = packed(_over(loaded.rgba, 255) if used else loaded.rgba)
    opaque = kept(white, facts, loaded.orientation, loaded.width, loaded.height)
    if not used:
        return opaque
    grey = kept(
        packed(_over(loaded.rgba, 128)), facts, loaded.orientation, loaded.width, loaded.height
    )
    return replace(opaque, pixels=grey.pixels)


def _over(rgba: npt.NDArray[np.uint8], ground: int) -> npt.NDArray[np.uint8]:
    """Premultiplied RGBA over a grey ground."""
    rest = (255 - rgba[..., 3:].astype(np.uint16)) * ground // 255
    over: npt.NDArray[np.uint8] = np.minimum(rgba + rest, 255).astype(np.uint8)
    return over


def _load(data: bytes, facts: dict[str, Any]) -> _Loaded:
    """Header facts go into `facts` as soon as they are known: a failing decode keeps them."""
    register_heif(data)
    with Image.open(io.BytesIO(data)) as image:
        facts |= {"format": image.format or "", "mode": image.mode}
        facts |= {"width": image.width, "height": image.height}
        facts |= {"compression": image.info.get("compression")}
        if image.format in WITHOUT_DECODER:
            raise NotImplementedError(f"no decoder for {image.format}")
        need = len(data) + image.width * image.height * _bytes_per_pixel(image)
        if reason := too_much(image.width * image.height, need):
            raise TooMuch(reason)
        facts |= {"bits": _bits(image), "orientation": 1}
        if image.format == "PNG":  # its EXIF block may stand behind the pixels
            image.load()
        facts |= {"orientation": _orientation(image)}
        image.load()
        left = _orientation(image)  # Pillow turns a TIFF while it loads it
        more = {"n_frames": _frames(image), "has_alpha": image.has_transparency_data}
        return _reduced(image, more, left)


def register_heif(data: bytes) -> None:
    """Makes Pillow read HEIF where these bytes are one."""
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
        small = Image.fromarray(eight_bit(image, factor))
        return _Loaded(np.asarray(small.convert("RGBA")), more, width, height, orientation)
    colour = averageable(image, more["has_alpha"])
    if colour.mode == "RGBA" and colour.getchannel("A").getextrema()[0] != 255:
        more["alpha_used"] = True
        # averaged with their opacity, or hidden colours would show through
        colour = colour.convert("RGBa")
    small = colour.reduce(factor) if factor > 1 else colour
    rgba = small if small.mode == "RGBa" else small.convert("RGB").convert("RGBA")
    pixels = np.frombuffer(rgba.tobytes(), np.uint8).reshape(rgba.height, rgba.width, 4)
    return _Loaded(pixels, more, width, height, orientation)


def averageable(image: Image.Image, transparent: bool) -> Image.Image:
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


def eight_bit(image: Image.Image, factor: int) -> npt.NDArray[np.uint8]:
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


_LOCK = threading.Lock()


@contextlib.contextmanager
def quiet(told: list[str] | None = None) -> Iterator[None]:
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
