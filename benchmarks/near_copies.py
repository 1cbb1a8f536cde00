"""How long do near copies among many different photos take, end to end, and in what memory?

    python benchmarks/near_copies.py [FILES]

Makes FILES (default 100,000) different pictures of 96 × 72 pixels: windows of the photos of
clothing (of noise with a photograph's spectrum where they are not there), no two overlapping by
more than half; of one in each thousand an edited copy, in turn cropped, brighter, mirrored,
recompressed. Prints the seconds of the scan and of near copies within it, how many copies were
found, how many other pairs were reported, and the peak memory of the driver and of a worker.
"""

from __future__ import annotations

import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import simplejpeg
from PIL import Image, ImageEnhance, ImageOps

from recipe_core import recipe

DATA = Path(os.environ.get("RECIPE_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))
SIZE = (96, 72)
EVERY = 1000
SEEN = 30  # levels of contrast: a window of plain background has no copies to be found
EDITS: tuple[tuple[str, Callable[[Image.Image], Image.Image]], ...] = (
    ("cropped to 95 %", lambda p: p.crop((2, 1, SIZE[0] - 3, SIZE[1] - 2))),
    ("brighter by 30 %", lambda p: ImageEnhance.Brightness(p).enhance(1.3)),
    ("mirrored", ImageOps.mirror),
    ("recompressed", lambda p: p),
)


def main(arguments: list[str]) -> None:
    """Print the table."""
    n = int(arguments[0]) if arguments else 100_000
    folder = Path(tempfile.mkdtemp(prefix="near-copies-"))
    try:
        copies = _made(folder / "data", n)
        _table(n, copies, folder)
    finally:
        shutil.rmtree(folder)


def _made(folder: Path, n: int) -> dict[str, tuple[str, str]]:
    """Writes the pictures; the path of each copy -> what was done, and the path it was made of."""
    copies = {}
    for i, window in enumerate(_windows(n)):
        place = folder / f"{i // 1000:03d}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{i:06d}.jpg").write_bytes(_jpeg(window, 85))
        if len(copies) <= i // EVERY and np.asarray(window.convert("L")).std() >= SEEN:
            what, edit = EDITS[len(copies) % len(EDITS)]
            copy = folder / f"{(i * 7 + 13) % n // 1000:03d}" / f"{i:06d}_copy.jpg"
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(_jpeg(edit(window), 30 if what == "recompressed" else 85))
            told = (what, f"{i // 1000:03d}/{i:06d}.jpg")
            copies[copy.relative_to(folder).as_posix()] = told
    return copies


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    return bytes(simplejpeg.encode_jpeg(np.array(picture), quality))


def _windows(n: int) -> Iterator[Image.Image]:
    photos = sorted((DATA / "clothing").rglob("*.jpg"))
    each = -(-n // len(photos)) if photos else 1
    for k in range(n):
        if k % each == 0:
            photo = _photo(photos[k // each]) if photos else _noise(k)
        yield _window(photo, k % each, each)


def _photo(path: Path) -> Image.Image:
    with Image.open(path) as photo:
        return photo.convert("RGB")


def _noise(seed: int) -> Image.Image:
    r = np.random.default_rng(seed)
    h, w = SIZE[::-1]
    frequency = np.hypot(np.fft.fftfreq(h)[:, None], np.fft.fftfreq(w)) + 1 / w
    waves = np.fft.ifft2(np.fft.fft2(r.standard_normal((3, h, w))) / frequency).real
    return Image.fromarray(
        np.clip(waves / waves.std() * 50 + 128, 0, 255).astype(np.uint8).transpose(1, 2, 0)
    )


def _window(photo: Image.Image, k: int, each: int) -> Image.Image:
    """The k-th of `each` windows, half a window apart; a photo too small for them is enlarged."""
    columns = max(1, round(each**0.5))
    rows = -(-each // columns)
    width, height = SIZE[0] * (columns + 1) // 2, SIZE[1] * (rows + 1) // 2
    scale = max(width / photo.width, height / photo.height)
    photo = photo.resize((round(photo.width * scale) + 1, round(photo.height * scale) + 1))
    x, y = k % columns * SIZE[0] // 2, k // columns * SIZE[1] // 2
    return photo.crop((x, y, x + SIZE[0], y + SIZE[1]))


def groups_of_copies(place: Path) -> list[set[str]]:
    """The paths of each group that near_duplicates found."""
    groups: dict[int, set[str]] = {}
    for row in recipe.findings_table(place, ["near_duplicates"]).to_pylist():
        groups.setdefault(row["group"], set()).add(row["path"])
    return list(groups.values())


def _table(n: int, copies: dict[str, tuple[str, str]], folder: Path) -> None:
    seconds: dict[str, float] = {}
    last = ["", time.perf_counter()]

    def progress(activity: str, done: int, total: int) -> None:
        now = time.perf_counter()
        seconds[str(last[0])] = seconds.get(str(last[0]), 0.0) + now - float(last[1])
        last[:] = [activity, now]

    begin = time.perf_counter()
    recipe.scan(folder / "data", folder / "w", progress=progress)
    whole = time.perf_counter() - begin
    parts = ("reading hashes", "comparing hashes", "comparing pictures")
    groups = groups_of_copies(folder / "w")
    told = {frozenset((copy, original)) for copy, (_, original) in copies.items()}
    hit = sum(any(pair <= group for group in groups) for pair in told)
    others = sum(not any(pair <= group for pair in told) for group in groups)
    both = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    peak = [resource.getrusage(who).ru_maxrss / 1024 for who in both]
    print(f"| pictures | scan, s | of it {', '.join(parts)}, s | copies found | other groups "
          "| driver peak, MB | worker peak, MB |")  # fmt: skip
    print("|---|---|---|---|---|---|---|")
    print(f"| {n + len(copies):,} | {whole:.0f} | "
          f"{', '.join(f'{seconds.get(p, 0):.1f}' for p in parts)} | {hit} of {len(copies)} | "
          f"{others} | {peak[0]:.0f} | {peak[1]:.0f} |")  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1:])
