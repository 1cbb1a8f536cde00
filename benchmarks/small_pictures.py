"""Which edited copies of small pictures are found in a leaked test set, and are digits copies?

    python benchmarks/small_pictures.py [PICTURES]

PICTURES (default 4,000) of CIFAR-10's test pictures (32 × 32), three quarters of them for training;
in the test split 800 of the others, and 40 copies of training pictures for each of 21 edits. And
1,797 handwritten digits (scikit-learn's, drawn at 28 pixels), no two of them copies.
"""

from __future__ import annotations

import collections
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from corrupt_files import interval
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps
from sklearn.datasets import load_digits

from recipe_core import recipe
from recipe_core.kernel.nouns import Finding

EACH, OTHERS = 40, 800
DRAW = random.Random(5)


def crop(p: Image.Image, share: float) -> Image.Image:
    w, h = (round(n * share) for n in p.size)
    x, y = DRAW.randint(0, p.width - w), DRAW.randint(0, p.height - h)
    return p.crop((x, y, x + w, y + h))


def covered(p: Image.Image, box: tuple[float, float, float, float], colour: str) -> Image.Image:
    edited = p.copy()
    ImageDraw.Draw(edited).rectangle(box, fill=colour)
    return edited


EDITS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG quality 20": lambda p: p,
    "half size": lambda p: p.resize((p.width // 2, p.height // 2)),
    "crop to 93 %": lambda p: crop(p, 0.93),
    "crop to 88 %": lambda p: crop(p, 0.88),
    "mirrored": ImageOps.mirror,
    "rotated 90": lambda p: p.rotate(90, expand=True),
    "rotated 180": lambda p: p.rotate(180),
    "brightness + 35 %": lambda p: ImageEnhance.Brightness(p).enhance(1.35),
    "brightness - 40 %": lambda p: ImageEnhance.Brightness(p).enhance(0.6),
    "contrast + 50 %": lambda p: ImageEnhance.Contrast(p).enhance(1.5),
    "saturation - 80 %": lambda p: ImageEnhance.Color(p).enhance(0.2),
    "grey": lambda p: p.convert("L"),
    "blur": lambda p: p.filter(ImageFilter.GaussianBlur(p.width / 150)),
    "gamma 0.7": lambda p: p.point([int(255 * (v / 255) ** 0.7) for v in range(256)] * 3),
    "border": lambda p: ImageOps.expand(p, round(p.width * 0.04), "white"),
    "logo": lambda p: covered(p, (1, 1, 2 + p.width * 0.2, 2 + p.height * 0.12), "red"),
    "caption": lambda p: covered(p, (0, p.height * 0.88, p.width, p.height), "black"),
    "tilt 2 degrees": lambda p: p.rotate(2, Image.Resampling.BICUBIC),
    "15 % wider": lambda p: p.resize((round(p.width * 1.15), p.height)),
    "noise": lambda p: Image.blend(p, Image.effect_noise(p.size, 60).convert("RGB"), 0.12),
    "red and blue swapped": lambda p: Image.merge("RGB", p.split()[::-1]),
}


def main(arguments: list[str] | None = None) -> None:
    asked = sys.argv[1:] if arguments is None else arguments
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    real = Path(os.environ.get("RECIPE_REAL_DATA", default)) / "cifar10" / "test"
    with tempfile.TemporaryDirectory() as folder:
        if real.is_dir():
            files = sorted(real.rglob("*.jpg"))[: int(asked[0]) if asked else 4000]
            _leaked(files, Path(folder) / "leaked")
            _print_leak(*_judged(Path(folder) / "leaked", "split_leak"))
        else:
            print(f"No {real}: set RECIPE_REAL_DATA.")
        _digits(Path(folder) / "digits")
        finding, paths = _judged(Path(folder) / "digits", "near_duplicates")
        called = len(finding.subjects.blamed())
    print(f"\nDigits: {called} of {len(paths):,} called near copies; {finding.verdict}:"
          f" {finding.summary}")  # fmt: skip


def _leaked(files: list[Path], root: Path) -> None:
    DRAW.shuffle(files)
    train, others = files[: len(files) * 3 // 4], files[len(files) * 3 // 4 :][:OTHERS]
    for split in ("train", "test"):
        (root / split / "a").mkdir(parents=True)
    for path in train:
        shutil.copy(path, root / "train/a" / f"{path.parent.name}{path.name}")
    for path in others:
        shutil.copy(path, root / "test/a" / f"other__{path.parent.name}{path.name}")
    for k, (name, edit) in enumerate(EDITS.items()):
        for i in range(EACH):
            path = train[(k * EACH + i) % len(train)]
            edited = edit(Image.open(path).convert("RGB")).convert("RGB")
            quality = 20 if name == "JPEG quality 20" else 85
            edited.save(root / "test/a" / f"{name}__{path.parent.name}{path.name}", quality=quality)


def _digits(root: Path) -> None:
    root.mkdir()
    for i, ink in enumerate(load_digits().images):
        whole = Image.new("L", (28, 28))
        whole.paste(Image.fromarray((ink * 255 / 16).astype(np.uint8)).resize((20, 20)), (4, 4))
        whole.save(root / f"{i}.png")


def _judged(root: Path, check: str) -> tuple[Finding, list[str]]:
    workspace = root.with_suffix(".recipe")
    (finding,) = recipe.scan(root, workspace, check_ids=[check]).findings
    return finding, list(recipe.evidence(workspace).texts("path"))


def _print_leak(finding: Finding, paths: list[str]) -> None:
    named = set(finding.subjects.rows.tolist())
    told: dict[str, list[bool]] = collections.defaultdict(list)
    for row, path in enumerate(paths):
        if path.startswith("test/"):
            told[path.split("/")[-1].split("__")[0]].append(row in named)
    others = told.pop("other")
    print("| edit | named by split_leak | 95 % interval |\n|---|--:|---|")
    for name, found in told.items():
        print(f"| {name} | {sum(found)} of {len(found)} | {interval(sum(found), len(found))} |")
    every = [f for found in told.values() for f in found]
    print(f"| all edits | {sum(every)} of {len(every)} | {interval(sum(every), len(every))} |")
    print(f"\nOf {len(others)} other test pictures {sum(others)} are named, to look at:")
    rows = [r for r in sorted(named) if "/other__" in paths[r]]
    print("  " + ", ".join(paths[r].split("__")[1] for r in rows))


if __name__ == "__main__":
    main()
