"""Is every broken file of every format called broken and named right, and no sound one?

    python benchmarks/broken_formats.py [EACH] [SEED]

30 kinds of files (formats, and ways to compress them), EACH (default 6) of each, damaged in nine
ways; the moving ones hold three pictures. Pillow's word, asked in a process of its own, is the
truth for "cannot be loaded", and for which of the three are there; what cuts a file or leaves it
whole is known. Real photos where RECIPE_REAL_DATA has clothing.
"""

from __future__ import annotations

import collections
import contextlib
import io
import multiprocessing
import os
import random
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from corrupt_files import interval
from pass_rate import _synthetic
from PIL import Image

from recipe_core import recipe

CUT = ("cut by 1 %", "cut by half", "cut to 5 %", "cut by 8 bytes")
PICTURES = 3
WHOLE = ("whole", "with 100 bytes behind it")


def main(arguments: list[str] | None = None) -> None:
    asked = [int(a) for a in (sys.argv[1:] if arguments is None else arguments)]
    each, seed = (*asked, 6, 1)[:2] if len(asked) < 2 else asked
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "files"
        n = sum(1 for _ in _written(root, each, random.Random(seed)))
        recipe.scan(root, Path(folder) / "w", check_ids=["corruption"])
        evidence = recipe.evidence(Path(folder) / "w")
        path, error = evidence.texts("path"), evidence.texts("error")
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            loaded = pool.map(_pillow_loads, [root / p for p in path])
    rows = [(*p.rsplit("_", 1)[0].split("/"), e, k)
            for p, e, k in zip(path, error, loaded, strict=True)]  # fmt: skip
    _print(n, [(damage, e, k > 0) for _, damage, e, k in rows])
    later = [bool(e) for kind, damage, e, k in rows
             if "moving" in kind and damage in CUT and 0 < k < PICTURES]  # fmt: skip
    called = f"called broken {sum(later)}, {interval(sum(later), len(later))}"
    print(f"Cut files with the first of {PICTURES} pictures, not all: {len(later)}, {called}.")


def _print(n: int, rows: list[tuple[str, str, bool]]) -> None:
    lost = [e for _, e, ok in rows if not ok]
    whole = [e for d, e, ok in rows if d in WHOLE and ok]
    cut = [e for d, e, ok in rows if d in CUT and not ok]
    print("| | n | | 95 % interval |\n|---|--:|--:|---|")
    for name, k, of in (
        ("Pillow cannot load it: called broken", sum(map(bool, lost)), len(lost)),
        ("sound, also with bytes behind it: called broken", sum(map(bool, whole)), len(whole)),
        ("cut off and not loaded: called cut off", cut.count("truncated"), len(cut)),
    ):
        print(f"| {name} | {of} | {k} | {interval(k, of)} |")
    print(f"\n{n} files. What cut files are called: {dict(collections.Counter(cut))}")


def _written(root: Path, each: int, draw: random.Random) -> Iterator[Path]:
    for kind, make in _kinds(draw).items():
        for damage, harm in _damages(draw).items():
            for i in range(each):
                path = root / kind / f"{damage}_{i}.{kind.split()[0]}"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(harm(make(i)))
                yield path


def _kinds(draw: random.Random) -> dict[str, Callable[[int], bytes]]:
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    real = sorted((Path(os.environ.get("RECIPE_REAL_DATA", default)) / "clothing").rglob("*.jpg"))

    def picture(i: int, mode: str = "RGB") -> Image.Image:
        found = Image.open(real[i * 37 % len(real)]) if real else _synthetic(i)
        size = (draw.randrange(40, 400), draw.randrange(40, 400))
        return found.convert("RGB").resize(size).convert(mode)

    def saved(format: str, mode: str = "RGB", **how: Any) -> Callable[[int], bytes]:
        return lambda i: _bytes(picture(i, mode), format, **how)

    def moving(format: str, **how: Any) -> Callable[[int], bytes]:
        def made(i: int) -> bytes:
            first, *more = (picture(i + k).resize((60, 40)) for k in range(PICTURES))
            return _bytes(first, format, save_all=True, append_images=more, **how)

        return made

    def deep(i: int) -> bytes:
        return _bytes(Image.fromarray(np.asarray(picture(i, "L")).astype(np.uint16) * 257), "PNG")

    return {
        "jpg progressive": saved("JPEG", progressive=True), "jpg 444": saved("JPEG", subsampling=0),
        "jpg grey": saved("JPEG", "L"), "jpg cmyk": saved("JPEG", "CMYK"),
        "jpg restart": saved("JPEG", restart_marker_rows=2), "png": saved("PNG"),
        "png palette": saved("PNG", "P"), "png 1 bit": saved("PNG", "1"),
        "png alpha": saved("PNG", "LA"), "png 16 bit": deep, "png moving": moving("PNG"),
        "gif": saved("GIF", "P"), "gif moving": moving("GIF"), "webp": saved("WEBP"),
        "webp lossless": saved("WEBP", lossless=True), "webp moving": moving("WEBP"),
        "tif": saved("TIFF"), "tif lzw": saved("TIFF", compression="tiff_lzw"),
        "tif deflate": saved("TIFF", compression="tiff_adobe_deflate"),
        "tif jpeg": saved("TIFF", compression="jpeg"), "bmp": saved("BMP"), "ico": saved("ICO"),
        "ppm": saved("PPM"), "tga": saved("TGA"), "jp2": saved("JPEG2000"), "avif": saved("AVIF"),
        "pcx": saved("PCX"), "sgi": saved("SGI"), "tif moving": moving("TIFF"),
        "tif lzw moving": moving("TIFF", compression="tiff_lzw"),
    }  # fmt: skip


def _bytes(picture: Image.Image, format: str, **how: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, format, **how)
    return stream.getvalue()


def _damages(draw: random.Random) -> dict[str, Callable[[bytes], bytes]]:
    def flipped(data: bytes) -> bytes:
        changed = bytearray(data)
        for _ in range(20):
            changed[draw.randrange(len(data) // 10, len(data))] ^= 1 << draw.randrange(8)
        return bytes(changed)

    def over(make: Callable[[int], bytes], most: int) -> Callable[[bytes], bytes]:
        def harmed(data: bytes) -> bytes:
            at = draw.randrange(len(data) // 4, len(data))
            n = min(most, len(data) - at)
            return data[:at] + make(n) + data[at + n :]

        return harmed

    def head(data: bytes) -> bytes:
        changed = bytearray(data)
        for _ in range(3):
            changed[draw.randrange(min(60, len(data)))] = draw.randrange(256)
        return bytes(changed)

    cuts = (lambda d: d[: len(d) * 99 // 100], lambda d: d[: len(d) // 2],
            lambda d: d[: max(1, len(d) // 20)], lambda d: d[:-8])  # fmt: skip
    return {
        "whole": lambda d: d, "with 100 bytes behind it": lambda d: d + draw.randbytes(100),
        **dict(zip(CUT, cuts, strict=True)), "20 bits": flipped,
        "64 random bytes": over(draw.randbytes, 64), "512 zeros": over(bytes, 512),
        "16 random bytes first": lambda d: draw.randbytes(16) + d[16:], "3 bytes of the head": head,
    }  # fmt: skip


def _pillow_loads(path: Path) -> int:
    """How many pictures, up to PICTURES, 0 where it cannot load the first."""
    warnings.simplefilter("ignore")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libtiff's remarks
    there = 0
    with contextlib.suppress(Exception), Image.open(path) as picture:
        for k in range(PICTURES):
            if k:  # files of one picture have no other to go to
                picture.seek(k)
            picture.load()
            there = k + 1
    return there


if __name__ == "__main__":
    main()
