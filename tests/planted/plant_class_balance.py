"""Planted: classes that are missing from a split, too small, or outnumbered."""

from __future__ import annotations

from pathlib import Path

from tests.planted.pictures import photo, save
from tests.planted.plant import Plant

HEALTHY = {
    "train": {"cat": 30, "dog": 24, "owl": 21},
    "validation": {"cat": 12, "dog": 11, "owl": 10},
    "test": {"cat": 12, "dog": 11, "owl": 10},
}


def write(folder: Path, counts: dict[str, dict[str, int]]) -> None:
    seed = 0
    for split, classes in counts.items():
        for label, n in classes.items():
            for i in range(n):
                save(photo(seed), folder / split / label / f"{i:03d}.jpg")
                seed += 1


def healthy(folder: Path) -> None:
    write(folder, HEALTHY)


def missing(folder: Path) -> None:
    write(folder, HEALTHY | {"validation": {"cat": 12, "dog": 11}})


def rare(folder: Path) -> None:
    write(folder, HEALTHY | {"train": {"cat": 110, "dog": 24, "owl": 10}})


def owls(counts: dict[str, int]) -> frozenset[str]:
    return frozenset(f"{s}/owl/{i:03d}.jpg" for s, n in counts.items() for i in range(n))


PLANTS = (
    Plant("a class missing from validation", missing, healthy,
          owls({"train": 21, "test": 10}), frozenset({"fail"})),
    Plant("a class too small to learn, outnumbered 11 : 1", rare, healthy,
          owls({"train": 10, "validation": 10, "test": 10}), frozenset({"warn"})),
)  # fmt: skip
