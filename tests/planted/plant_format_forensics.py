"""Which files does format_forensics have to name? Those that load as something else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.planted.plant import Plant

N = 12
ODD = (2, 9)

Save = Callable[[Image.Image, Path], None]


def photo(seed: int) -> Image.Image:
    """A smooth 96×72 colour picture, another for every seed."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(30, 226, (9, 12, 3), dtype=np.uint8))
    return coarse.resize((96, 72), Image.Resampling.BICUBIC)


def _planted(name: str, ending: str, plain: Save, odd: Save) -> Plant:
    def write(folder: Path, odd_ones: tuple[int, ...]) -> None:
        for i in range(N):
            (odd if i in odd_ones else plain)(photo(i), folder / f"{i:02}{ending}")

    return Plant(
        name, lambda folder: write(folder, ODD), lambda folder: write(folder, ()),
        frozenset(f"{i:02}{ending}" for i in ODD), frozenset({"warn"}),
    )  # fmt: skip


def as_named(image: Image.Image, path: Path) -> None:
    image.save(path)


def jpeg_whatever_the_name(image: Image.Image, path: Path) -> None:
    image.save(path, "JPEG")


def turned_by_exif(image: Image.Image, path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)


def upright_by_exif(image: Image.Image, path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 1
    image.save(path, exif=exif)


def in_inks(image: Image.Image, path: Path) -> None:
    image.convert("CMYK").save(path)


def eight_bits(image: Image.Image, path: Path) -> None:
    image.convert("L").save(path)


def sixteen_bits(image: Image.Image, path: Path) -> None:
    deep = np.asarray(image.convert("L"), dtype=np.uint16) * 257
    Image.fromarray(deep).save(path)


def opaque(image: Image.Image, path: Path) -> None:
    image.convert("RGBA").save(path)


def with_a_hole(image: Image.Image, path: Path) -> None:
    hole = image.convert("RGBA")
    hole.paste((255, 0, 255, 0), (20, 20, 60, 50))
    hole.save(path)


def with_frames(image: Image.Image, path: Path) -> None:
    others = [image.rotate(angle) for angle in (5, 10)]
    image.save(path, save_all=True, append_images=others, duration=100)


def grey_in_colour(image: Image.Image, path: Path) -> None:
    image.convert("L").convert("RGB").save(path)


PLANTS = (
    _planted("JPEG named png", ".png", as_named, jpeg_whatever_the_name),
    _planted("turned by EXIF", ".jpg", upright_by_exif, turned_by_exif),
    _planted("CMYK", ".jpg", as_named, in_inks),
    _planted("16 bits", ".png", eight_bits, sixteen_bits),
    _planted("transparent hole", ".png", opaque, with_a_hole),
    _planted("animated", ".gif", as_named, with_frames),
    _planted("grey among colour", ".jpg", as_named, grey_in_colour),
)
