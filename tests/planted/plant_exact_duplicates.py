"""Which files does exact_duplicates have to name? Copies by bytes, and by pixels in other bytes."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from tests.planted.plant import Plant

N = 16


def photo(seed: int, size: tuple[int, int] = (240, 180)) -> Image.Image:
    """A colour picture of soft light, a few shapes and fine texture, another for every seed."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(30, 226, (6, 8, 3), dtype=np.uint8))
    picture = coarse.resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(25):
        x, y = int(rng.integers(0, size[0])), int(rng.integers(0, size[1]))
        r = int(rng.integers(4, 24))
        colour = tuple(int(c) for c in rng.integers(0, 256, 3))
        (draw.ellipse if rng.random() < 0.5 else draw.rectangle)((x, y, x + r, y + r), fill=colour)
    grain = rng.normal(0, 6, (size[1], size[0], 1))
    return Image.fromarray(np.clip(np.asarray(picture) + grain, 0, 255).astype(np.uint8))


def photos(folder: Path, n: int = N, ending: str = ".jpg") -> None:
    for i in range(n):
        photo(i).save(folder / f"{i:02}{ending}", quality=92)


def pngs(folder: Path) -> None:
    photos(folder, ending=".png")


def same_bytes(folder: Path) -> None:
    photos(folder)
    shutil.copyfile(folder / "03.jpg", folder / "holiday.jpg")
    shutil.copyfile(folder / "03.jpg", folder / "IMG_0001.jpg")


def same_pixels(folder: Path) -> None:
    pngs(folder)
    photo(5).save(folder / "again.bmp")
    photo(5).save(folder / "packed.png", compress_level=1)


def same_pixels_by_exif(folder: Path) -> None:
    """Stored lying on its side with an EXIF orientation: displayed, it equals 07.png."""
    pngs(folder)
    exif = Image.Exif()
    exif[0x0112] = 6
    photo(7).transpose(Image.Transpose.ROTATE_90).save(folder / "turned.png", exif=exif)


def transposed_shape(folder: Path) -> None:
    """The same bytes of pixels as 64 × 32 and as 32 × 64 are two pictures."""
    pngs(folder)
    grey = np.random.default_rng(0).integers(0, 256, 2048, dtype=np.uint8)
    Image.fromarray(grey.reshape(32, 64)).save(folder / "wide.png")
    Image.fromarray(grey.reshape(64, 32)).save(folder / "tall.png")


def empty_files(folder: Path) -> None:
    photos(folder)
    (folder / "a.jpg").touch()
    (folder / "b.jpg").touch()


PLANTS = (
    Plant("same bytes", same_bytes, photos, frozenset({"03.jpg", "holiday.jpg", "IMG_0001.jpg"})),
    Plant("same pixels in other formats", same_pixels, pngs,
          frozenset({"05.png", "again.bmp", "packed.png"})),
    Plant("same pixels by EXIF", same_pixels_by_exif, transposed_shape,
          frozenset({"07.png", "turned.png"})),
    Plant("beside empty files", same_bytes, empty_files,
          frozenset({"03.jpg", "holiday.jpg", "IMG_0001.jpg"})),
)  # fmt: skip
