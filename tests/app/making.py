"""What does the app's test data set hold? Real pictures, copies, a broken file, hostile names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

HOSTILE_CLASS = "<b>cat<b> & ![x](http:)"
HOSTILE_FILE = "<img src=x onerror=document.title='hacked'> ![x](evil.example).png"
BROKEN_FILE = "broken.jpg"
N_SAMPLES = 26


def write_source(folder: Path) -> Path:
    """26 files: two classes in two splits, a copy across the splits, one file cut off."""
    rng = np.random.default_rng(7)
    for split, n in (("train", 8), ("test", 4)):
        for label in (HOSTILE_CLASS, "dog"):
            place = folder / split / label
            place.mkdir(parents=True)
            for i in range(n):
                picture(rng).save(place / f"{i:03d}.jpg", quality=90)
    train, test = folder / "train" / HOSTILE_CLASS, folder / "test" / HOSTILE_CLASS
    picture(rng).save(train / HOSTILE_FILE)
    whole = (train / "000.jpg").read_bytes()
    (test / "000.jpg").write_bytes(whole)
    (train / BROKEN_FILE).write_bytes(whole[: len(whole) // 2])
    return folder


def picture(rng: np.random.Generator) -> Image.Image:
    """96 x 80 RGB: smooth patches, so that no two are alike and JPEG does them no harm."""
    coarse = rng.integers(0, 256, (6, 5, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((96, 80), Image.Resampling.BICUBIC)


def write_long_source(folder: Path, n: int) -> Path:
    """n names of a few pictures (hard links): a scan long enough to be stopped."""
    rng = np.random.default_rng(11)
    seeds = folder / "seeds"
    seeds.mkdir(parents=True)
    big = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    for i in range(8):
        rolled = Image.fromarray(np.roll(big, i, axis=1))
        rolled.resize((1600, 1200), Image.Resampling.BICUBIC).save(seeds / f"{i}.png")
    for i in range(n):
        (folder / f"{i:05d}.png").hardlink_to(seeds / f"{i % 8}.png")
    return folder
