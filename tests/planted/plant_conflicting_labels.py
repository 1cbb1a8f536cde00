"""Which files does conflicting_labels have to name? One picture under two labels."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.planted.plant import Plant
from tests.planted.plant_exact_duplicates import photo


def classes(folder: Path) -> None:
    """Twelve pictures of two classes, none of them twice."""
    for i in range(12):
        place = folder / ("cat" if i % 2 else "dog")
        place.mkdir(parents=True, exist_ok=True)
        photo(i).save(place / f"{i:02}.jpg", quality=92)


def copied(folder: Path) -> None:
    classes(folder)
    shutil.copyfile(folder / "cat/03.jpg", folder / "dog/other.jpg")


def edited(folder: Path) -> None:
    classes(folder)
    photo(6).resize((120, 90)).save(folder / "cat/other.jpg", quality=70)


def same_label(folder: Path) -> None:
    classes(folder)
    shutil.copyfile(folder / "cat/03.jpg", folder / "cat/other.jpg")
    photo(6).resize((120, 90)).save(folder / "dog/other.jpg", quality=70)


PLANTS = (
    Plant("one file in two classes", copied, same_label,
          frozenset({"cat/03.jpg", "dog/other.jpg"}), frozenset({"fail"})),
    Plant("an edited copy in another class", edited, same_label,
          frozenset({"dog/06.jpg", "cat/other.jpg"}), frozenset({"warn"})),
)  # fmt: skip
