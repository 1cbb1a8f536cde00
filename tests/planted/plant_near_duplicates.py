"""Which files does near_duplicates have to name? An edited picture; not one that is alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from tests.planted.plant import Plant
from tests.planted.plant_exact_duplicates import photo, photos, same_bytes

Edit = Callable[[Image.Image], Image.Image]


def cropped(picture: Image.Image) -> Image.Image:
    w, h = picture.size
    return picture.crop((w // 20, 0, w, h - h // 20))


def captioned(picture: Image.Image) -> Image.Image:
    edited = picture.copy()
    ImageDraw.Draw(edited).rectangle((0, int(picture.height * 0.9), *picture.size), fill="black")
    return edited


EDITS: dict[str, Edit] = {
    "recompressed": lambda p: p,
    "half size": lambda p: p.resize((p.width // 2, p.height // 2)),
    "cropped": cropped,
    "brighter": lambda p: ImageEnhance.Brightness(p).enhance(1.3),
    "darker": lambda p: ImageEnhance.Brightness(p).enhance(0.7),
    "grey": lambda p: p.convert("L"),
    "mirrored": ImageOps.mirror,
    "rotated 90": lambda p: p.transpose(Image.Transpose.ROTATE_90),
    "captioned": captioned,
    "bordered": lambda p: ImageOps.expand(p, p.width // 20, "white"),
    "tilted": lambda p: p.rotate(2, Image.Resampling.BICUBIC),
}


def _planted(edit: Edit) -> Callable[[Path], None]:
    def fault(folder: Path) -> None:
        photos(folder)
        edit(photo(4)).save(folder / "edited.jpg", quality=40)

    return fault


def alike(folder: Path) -> None:
    """One studio, one lamp, one outline: a different pattern in each is a different picture."""
    photos(folder)
    for i in range(8):
        studio = Image.new("RGB", (240, 180), (230, 230, 232))
        studio.paste(photo(100 + i, (100, 140)), (70, 20))
        studio.save(folder / f"studio_{i}.jpg", quality=92)


def flat(folder: Path) -> None:
    """Nothing to recognise: slightly different shades of one colour."""
    photos(folder)
    for i in range(4):
        Image.new("RGB", (240, 180), (90 + i, 120, 150)).save(folder / f"flat_{i}.jpg")


NAMED = frozenset({"04.jpg", "edited.jpg"})
TWINS = {"cropped": alike, "brighter": flat, "recompressed": same_bytes}
PLANTS = tuple(
    Plant(name, _planted(edit), TWINS.get(name, photos), NAMED) for name, edit in EDITS.items()
)
