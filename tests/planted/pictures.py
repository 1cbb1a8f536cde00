"""What does a healthy picture look like? Soft coloured shapes and grain, from a seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

SIZE = (96, 72)


def photo(seed: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """A colour picture of `size` with contrast, edges and grain; another one for every seed."""
    rng = np.random.default_rng([seed, 77])
    width, height = size
    corners = rng.integers(40, 215, (3, 4, 3)).astype(np.uint8)
    image = Image.fromarray(corners).resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for _ in range(7):
        x, y = rng.uniform(-0.1, 0.9, 2)
        w, h = rng.uniform(0.08, 0.4, 2)
        box = (x * width, y * height, (x + w) * width, (y + h) * height)
        colour = tuple(int(c) for c in rng.integers(20, 235, 3))
        (draw.ellipse if rng.random() < 0.5 else draw.rectangle)(box, fill=colour)
    noisy = np.asarray(image) + rng.normal(0, 5, (height, width, 1))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def save(image: Image.Image, path: Path, **options: Any) -> None:
    """Writes the picture by its ending (JPEG at quality 88 unless told), making the folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jpg":
        options = {"quality": 88} | options
    image.save(path, **options)
