"""Planted: sizes, shapes and colour so mixed that one preprocessing cannot fit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PIL import Image

from tests.planted.pictures import photo, save
from tests.planted.plant import Plant

N = 60


def write(folder: Path, change: Callable[[Image.Image], Image.Image] | None = None) -> None:
    for i in range(N):
        image = photo(i)
        if change is not None and i % 4 == 0:
            image = change(image)
        save(image, folder / ("cat" if i % 2 else "dog") / f"{i:03d}.jpg")


def enlarged(image: Image.Image) -> Image.Image:
    return image.resize((1200, 900))


def panorama(image: Image.Image) -> Image.Image:
    return image.resize((288, 72))


def grey(image: Image.Image) -> Image.Image:
    return image.convert("L")


PLANTS = tuple(
    Plant(name, partial(write, change=change), write, verdicts=frozenset({"warn"}))
    for name, change in (
        ("every fourth picture is 12 times larger", enlarged),
        ("every fourth picture is three times as wide", panorama),
        ("every fourth picture is grey", grey),
    )
)
