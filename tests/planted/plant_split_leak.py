"""Which files does split_leak have to name? Test pictures that training has seen."""

from __future__ import annotations

import shutil
from pathlib import Path

from PIL import ImageOps

from tests.planted.plant import Plant
from tests.planted.plant_exact_duplicates import photo


def splits(folder: Path) -> None:
    """Eight pictures in training and four in test, of two classes, none of them twice."""
    for i in range(12):
        place = folder / ("train" if i < 8 else "test") / ("cat" if i % 2 else "dog")
        place.mkdir(parents=True, exist_ok=True)
        photo(i).save(place / f"{i:02}.jpg", quality=92)


def copied(folder: Path) -> None:
    splits(folder)
    shutil.copyfile(folder / "test/cat/09.jpg", folder / "train/cat/new.jpg")


def mirrored(folder: Path) -> None:
    splits(folder)
    ImageOps.mirror(photo(10)).save(folder / "train/dog/new.jpg", quality=60)


def within_a_split(folder: Path) -> None:
    splits(folder)
    shutil.copyfile(folder / "train/cat/01.jpg", folder / "train/cat/new.jpg")
    ImageOps.mirror(photo(8)).save(folder / "test/dog/new.jpg", quality=60)


PLANTS = (
    Plant("a test picture copied into training", copied, splits,
          frozenset({"test/cat/09.jpg", "train/cat/new.jpg"}), frozenset({"fail"})),
    Plant("a mirrored copy in training", mirrored, within_a_split,
          frozenset({"test/dog/10.jpg", "train/dog/new.jpg"}), frozenset({"fail"})),
)  # fmt: skip
