"""Planted: a test split that is brighter, larger, or saved otherwise than training."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PIL import Image

from tests.planted.pictures import photo, save
from tests.planted.plant import Plant

COUNTS = {"train": 120, "validation": 60, "test": 60}


def write(folder: Path, change: Callable[[Image.Image], Image.Image] | None = None,
          quality: int = 88) -> None:  # fmt: skip
    seed = 0
    for split, n in COUNTS.items():
        for i in range(n):
            image = photo(seed)
            seed += 1
            if split == "test" and change is not None:
                image = change(image)
            target = folder / split / ("cat" if i % 2 else "dog") / f"{i:03d}.jpg"
            save(image, target, quality=quality if split == "test" else 88)


def brighter(image: Image.Image) -> Image.Image:
    return image.point(lambda v: min(255, v * 0.8 + 60))


def larger(image: Image.Image) -> Image.Image:
    return image.resize((192, 144))


PLANTS = (
    Plant("test pictures are brighter", partial(write, change=brighter), write),
    Plant("test pictures are larger", partial(write, change=larger), write),
    Plant("test pictures are saved at quality 40", partial(write, quality=40), write),
)
