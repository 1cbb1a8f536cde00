"""Which files does label_noise have to name? Drawings of three things, some in the wrong folder."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from tests.planted.plant import Plant

EACH = 150
KINDS = ("disc", "box", "stripes")
MOVED = tuple((KINDS[i % 3], KINDS[(i + 1 + i // 3 % 2) % 3], 7 * i % EACH) for i in range(36))
"""What it shows, where it lies, its number."""


@cache
def drawing(kind: str, i: int) -> Image.Image:
    """32 pixels of noise with a disc, a box or stripes of any colour somewhere in it."""
    rng = np.random.default_rng([{"disc": 1, "box": 2, "stripes": 3}[kind], i])
    ground = rng.integers(20, 70, 3) + rng.integers(0, 40, (32, 32, 3))
    image = Image.fromarray(ground.astype(np.uint8))
    draw, colour = ImageDraw.Draw(image), tuple(rng.integers(170, 255, 3).tolist())
    x, y, size = (int(v) for v in (rng.integers(2, 9), rng.integers(2, 9), rng.integers(17, 22)))
    if kind == "disc":
        draw.ellipse((x, y, x + size, y + size), fill=colour)
    elif kind == "box":
        draw.rectangle((x, y, x + size, y + size), fill=colour)
    else:
        for k in range(0, size, 5):
            draw.line((x, y + k, x + size, y + k), fill=colour, width=2)
    return image


def drawings(folder: Path) -> None:
    for kind in KINDS:
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for i in range(EACH):
            drawing(kind, i).save(folder / kind / f"{kind}{i:02}.png")


def mislabelled(folder: Path) -> None:
    drawings(folder)
    for shows, given, i in MOVED:
        shutil.move(folder / shows / f"{shows}{i:02}.png", folder / given / f"{shows}{i:02}.png")


NAMED = frozenset(f"{given}/{shows}{i:02}.png" for shows, given, i in MOVED)

PLANTS = (
    Plant("36 of 450 drawings in the wrong folder", mislabelled, drawings, NAMED,
          frozenset({"warn", "fail"})),
)  # fmt: skip
