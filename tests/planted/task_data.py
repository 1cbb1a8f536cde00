"""On which data do the planted pipelines train? The sample digits, and small sets drawn here.

Every set is a folder `<split>/<class>/<n>.png`, the same files every time. The pictures are easy
for a small net and hard for a plain property: colour, place, size and paper vary within a class.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

DIGITS = Path(__file__).resolve().parents[2] / "sample_data" / "digits"
SIZE = 32
SHAPES = ("arch", "bar", "cross", "disc", "frame", "ring", "square", "star", "tee", "triangle")


def folder_of(data: str, below: Path) -> Path:
    """The data set called `data`, written below the folder when it is not there yet."""
    if data == "digits":
        return DIGITS
    root = below / data
    if not (root / "complete").exists():
        WRITERS[data](root)
        (root / "complete").touch()
    return root


def colours(root: Path) -> None:
    """Six classes: three shapes, each in a red and a blue class: the colour tells half of it."""
    for k, (shape, hue) in enumerate((s, h) for s in ("bar", "disc", "star") for h in (0.02, 0.6)):
        name = f"{'red' if hue < 0.5 else 'blue'}_{shape}"
        write(root, name, {"train": 48, "validation": 24}, seed=k, shape=shape, hue=hue)


def two(root: Path) -> None:
    """Two classes of equal size."""
    for k, shape in enumerate(("cross", "ring")):
        write(root, shape, {"train": 150, "validation": 60}, seed=10 + k, shape=shape)


def hundred(root: Path) -> None:
    """A hundred classes: ten shapes in ten hues, few pictures each."""
    for k, shape in enumerate(SHAPES):
        for h in range(10):
            counts = {"train": 6, "validation": 3}
            write(root, f"{shape}_{h}", counts, seed=100 + 10 * k + h, shape=shape, hue=h / 10)


def rare(root: Path) -> None:
    """Three classes, the largest fifty times the smallest."""
    for k, (shape, n) in enumerate({"disc": 500, "square": 150, "triangle": 10}.items()):
        write(root, shape, {"train": n, "validation": max(10, n // 5)}, seed=300 + k, shape=shape)


def grey(root: Path) -> None:
    """Five classes stored as greyscale pictures."""
    for k, shape in enumerate(SHAPES[:5]):
        counts = {"train": 60, "validation": 24}
        write(root, shape, counts, seed=400 + k, shape=shape, mode="L")


WRITERS: dict[str, Callable[[Path], None]] = {
    f.__name__: f for f in (colours, two, hundred, rare, grey)
}


def write(
    root: Path, name: str, counts: dict[str, int], *, seed: int, shape: str,
    hue: float | None = None, mode: str = "RGB",
) -> None:  # fmt: skip
    rng = np.random.default_rng([seed, 5])
    for split, n in counts.items():
        folder = root / split / name
        folder.mkdir(parents=True)
        for i in range(n):
            picture(rng, shape, hue).convert(mode).save(folder / f"{i:03d}.png")


def picture(rng: np.random.Generator, shape: str, hue: float | None) -> Image.Image:
    """One drawing of SIZE x SIZE: the shape in its hue (any, where None) on grainy grey paper."""
    paper = rng.integers(150, 225)
    big = Image.new("RGB", (4 * SIZE, 4 * SIZE), (paper,) * 3)
    tone = rng.random() if hue is None else hue + rng.normal(0, 0.015)
    ink = tuple(int(255 * v) for v in colorsys.hsv_to_rgb(tone % 1, 0.9, rng.uniform(0.35, 0.75)))
    centre = 2 * SIZE + rng.uniform(-14, 14, 2)
    draw(ImageDraw.Draw(big), shape, centre, rng.uniform(30, 48), ink)
    small = np.asarray(big.resize((SIZE, SIZE), Image.Resampling.BOX), np.float64)
    return Image.fromarray(np.clip(small + rng.normal(0, 8, small.shape), 0, 255).astype(np.uint8))


def draw(on: ImageDraw.ImageDraw, shape: str, centre: np.ndarray, r: float, ink: tuple) -> None:
    def box(left: float, top: float, right: float, bottom: float) -> None:
        x, y = centre
        on.rectangle((x + left * r, y + top * r, x + right * r, y + bottom * r), fill=ink)

    def polygon(points: list[tuple[float, float]]) -> None:
        on.polygon([(centre[0] + r * x, centre[1] + r * y) for x, y in points], fill=ink)

    around = (centre[0] - r, centre[1] - r, centre[0] + r, centre[1] + r)
    if shape == "disc":
        on.ellipse(around, fill=ink)
    elif shape == "ring":
        on.ellipse(around, outline=ink, width=int(r / 3))
    elif shape == "frame":
        on.rectangle(around, outline=ink, width=int(r / 3))
    elif shape == "square":
        box(-0.85, -0.85, 0.85, 0.85)
    elif shape == "bar":
        box(-1, -0.25, 1, 0.25)
    elif shape == "cross":
        box(-1, -0.22, 1, 0.22)
        box(-0.22, -1, 0.22, 1)
    elif shape == "tee":
        box(-1, -1, 1, -0.5)
        box(-0.22, -1, 0.22, 1)
    elif shape == "arch":
        on.arc(
            (around[0], around[1], around[2], around[3] + r), 180, 360, fill=ink, width=int(r / 3)
        )
    elif shape == "triangle":
        polygon([(0, -1), (1, 0.8), (-1, 0.8)])
    else:
        turns = [math.pi * (k / 5 - 0.5) for k in range(10)]
        polygon([(math.cos(t) * (1, 0.42)[k % 2], math.sin(t) * (1, 0.42)[k % 2])
                 for k, t in enumerate(turns)])  # fmt: skip
