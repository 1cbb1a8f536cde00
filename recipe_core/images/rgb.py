"""What does a network see of a file? Its picture in RGB, turned as it is displayed.

The same picture that the pass over the files measured: transparent parts over white, as in the
thumbnails, 16-bit greys brought to 8 bits instead of clipped.
"""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from recipe_core.images.by_pillow import averageable, eight_bit, quiet, register_heif


def rgb(data: bytes, at_least: int = 0) -> Image.Image:
    """The file's picture in RGB, EXIF orientation applied.

    at_least  where positive, a JPEG may come at 1/2, 1/4 or 1/8 of its size as long as its shorter
              side keeps twice this many pixels, so that reducing it further still filters well

    Raises what Pillow raises for what it cannot read.
    """
    register_heif(data)
    with quiet(), Image.open(io.BytesIO(data)) as image:
        if at_least and image.format == "JPEG":
            _draft(image, 2 * at_least)
        image.load()
        return _displayed(image)


def _draft(image: Image.Image, shortest: int) -> None:
    shrink = max(1, min(image.size) // shortest)
    if shrink > 1:
        image.draft(None, (image.width // shrink, image.height // shrink))


def _displayed(image: Image.Image) -> Image.Image:
    turned = ImageOps.exif_transpose(image)
    if turned.mode.startswith("I;16") or turned.mode in ("I", "F"):
        return Image.fromarray(eight_bit(turned, 1)).convert("RGB")
    if not turned.has_transparency_data:
        return averageable(turned, False).convert("RGB")
    over = Image.new("RGBA", turned.size, (255, 255, 255, 255))
    return Image.alpha_composite(over, turned.convert("RGBA")).convert("RGB")


def fitted(image: Image.Image, size: int) -> Image.Image:
    """The centre size × size of the picture once its shorter side has `size` pixels.

    What torchvision's Resize(size) and CenterCrop(size) make of a Pillow image: bilinear, filtered
    when reducing (antialiased), the aspect ratio kept, the ends of the longer side cut off.
    """
    width, height = image.size
    shorter = min(width, height)
    wide, high = (int(size * n / shorter) for n in (width, height))
    small = image.resize((wide, high), Image.Resampling.BILINEAR)
    left, top = round((wide - size) / 2), round((high - size) / 2)
    return small.crop((left, top, left + size, top + size))


def pixels(data: bytes, size: int) -> npt.NDArray[np.uint8]:
    """(3, size, size) uint8 of a file's picture, `fitted`."""
    return np.ascontiguousarray(
        np.asarray(fitted(rgb(data, size), size), np.uint8).transpose(2, 0, 1)
    )
