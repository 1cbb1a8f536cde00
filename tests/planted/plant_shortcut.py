"""Planted: one class that its file or frame gives away."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from tests.planted.pictures import photo, save
from tests.planted.plant import Plant

CLASSES = ("cat", "dog", "owl", "fox")
N = 40


def write(folder: Path, change: Callable[[Image.Image], Image.Image] | None = None,
          ending: str = "jpg", **options: Any) -> None:  # fmt: skip
    for c, label in enumerate(CLASSES):
        for i in range(N):
            image = photo(c * N + i)
            if label == "owl":
                image = change(image) if change is not None else image
                save(image, folder / label / f"{i:03d}.{ending}", **options)
            else:
                save(image, folder / label / f"{i:03d}.jpg")


def framed(image: Image.Image) -> Image.Image:
    return ImageOps.expand(image.resize((80, 56)), 8, "black")


def larger(image: Image.Image) -> Image.Image:
    return image.resize((128, 96))


OWLS = frozenset(f"owl/{i:03d}.jpg" for i in range(N))

PLANTS = (
    Plant("one class is saved at quality 50", partial(write, quality=50), write, OWLS),
    Plant("one class has a frame", partial(write, change=framed), write, OWLS),
    Plant("one class is larger", partial(write, change=larger), write, OWLS),
    Plant("one class is saved as PNG", partial(write, ending="png"), write,
          frozenset(f"owl/{i:03d}.png" for i in range(N))),
)  # fmt: skip
