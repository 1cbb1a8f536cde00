"""Which part of a picture does a tensor show? The whole, or its middle, stretched or not."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

Floats = npt.NDArray[np.float64]

ZOOMS = np.geomspace(1, 16, 45)
"""How far into its middle a picture may be cropped: the last leaves 1 / 256 of it."""
NEARLY_WHOLE = 0.5


class View(NamedTuple):
    """The middle of a picture that a tensor is most like.

    alike  correlation of the two, -1 … 1
    share  of the picture's area
    whole  the best correlation with at least NEARLY_WHOLE of the area
    """

    alike: float
    share: float
    whole: float


def view_of(x: Floats, picture: Image.Image) -> View:
    """x (c, h, w): its mean over the channels is compared with the picture in grey."""
    mine, grey = x.mean(0), picture.convert("L")
    height, width = mine.shape
    short = min(grey.width / width, grey.height / height)
    best, share, whole = 0.0, 1.0, 0.0
    for zoom in ZOOMS:
        for w, h in ((grey.width / zoom, grey.height / zoom),
                     (short * width / zoom, short * height / zoom)):  # fmt: skip
            if min(w, h) < 2:
                continue
            box = ((grey.width - w) / 2, (grey.height - h) / 2,
                   (grey.width + w) / 2, (grey.height + h) / 2)  # fmt: skip
            part = grey.resize((width, height), Image.Resampling.BILINEAR, box=box)
            found = alike(mine, np.asarray(part, np.float64))
            seen = w * h / grey.width / grey.height
            if seen >= NEARLY_WHOLE:
                whole = max(whole, found)
            if found > best:
                best, share = found, seen
    return View(best, share, whole)


def alike(a: Floats, b: Floats) -> float:
    """Correlation; 0 where one of them is flat."""
    a, b = a.ravel() - a.mean(), b.ravel() - b.mean()
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / size if size > 0 else 0.0
