"""Planted: pictures that show nothing, little, or not enough light or focus."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from tests.planted.pictures import photo, save
from tests.planted.plant import Plant

N = 40
SPOILED = (3, 17, 30)


def write(folder: Path, spoil: Callable[[Image.Image], Image.Image] | None = None) -> None:
    for i in range(N):
        image = photo(i)
        if spoil is not None and i in SPOILED:
            image = spoil(image)
        save(image, folder / ("cat" if i % 2 else "dog") / f"{i:03d}.jpg")


def blank(image: Image.Image) -> Image.Image:
    return Image.new("RGB", image.size, (180, 170, 160))


def cut_off(image: Image.Image) -> Image.Image:
    pixels = np.array(image)
    pixels[32:] = 128
    return Image.fromarray(pixels)


def dark(image: Image.Image) -> Image.Image:
    return image.point(lambda v: v * 0.12)


def washed_out(image: Image.Image) -> Image.Image:
    return image.point(lambda v: 255 - (255 - v) * 0.15)


def blurred(image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(4))


def stretched(image: Image.Image) -> Image.Image:
    return image.resize((400, 50))


def tiny(image: Image.Image) -> Image.Image:
    return image.resize((14, 11))


NAMED = frozenset(f"{'cat' if i % 2 else 'dog'}/{i:03d}.jpg" for i in SPOILED)

PLANTS = tuple(
    Plant(name, partial(write, spoil=spoil), write, NAMED)
    for name, spoil in (
        ("blank pictures", blank), ("the lower half is a grey band", cut_off),
        ("dark pictures", dark), ("washed-out pictures", washed_out),
        ("blurred pictures", blurred), ("odd shapes", stretched), ("tiny pictures", tiny),
    )
)  # fmt: skip
