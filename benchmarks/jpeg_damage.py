"""How much silent damage in JPEGs is found, and is any sound photo accused?

    python benchmarks/jpeg_damage.py [--damaged-of 1000] [--side 1900]

Damage is planted in the scan data of clothing photos (seed 0), as they are or enlarged to `side`
pixels; false alarms are counted on all untouched photos of every folder. The interval is Wilson's,
95 %.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import simplejpeg
from PIL import Image

from recipe_core.images.look import FileRef, look

FOLDERS = ("clothing", "cifar10", "raccoon", "exif_orientation")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--damaged-of", type=int, default=1000, help="photos to damage, each way")
    parser.add_argument("--side", type=int, help="longer side, in pixels, of what is damaged")
    asked = parser.parse_args()
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    root = Path(os.environ.get("RECIPE_REAL_DATA", default))
    files = {f: sorted((root / f).rglob("*.jp*g")) for f in FOLDERS}
    if not files["clothing"]:
        print(f"No photos below {root}/clothing: set RECIPE_REAL_DATA.")
        return
    print("| damage | n | found | recall, 95 % interval | libjpeg's warnings alone |")
    print("|---|---|---|---|---|")
    step = max(1, len(files["clothing"]) // asked.damaged_of)
    for damage in (flipped, overwritten, zeroed, cut):
        _print_recall(damage, files["clothing"][::step], asked.side)
    print("\n| untouched photos | n | accused | rate, 95 % interval |\n|---|---|---|---|")
    for name, paths in files.items():
        if paths:
            accused = sum(map(_accused, paths))
            print(f"| {name} | {len(paths)} | {accused} | {interval(accused, len(paths))} |")


def _print_recall(
    damage: Callable[[bytes, random.Random], bytes | None], paths: Iterable[Path],
    side: int | None,
) -> None:  # fmt: skip
    r = random.Random(0)
    n = found = warned = 0
    with tempfile.TemporaryDirectory() as folder:
        damaged = Path(folder) / "damaged.jpg"
        for path in paths:
            data = damage(_enlarged(path, side) if side else path.read_bytes(), r)
            if data is not None:
                n += 1
                damaged.write_bytes(data)
                found += _accused(damaged)
                warned += _warned(data)
    print(f"| {damage.__doc__} | {n} | {found} | {interval(found, n)} | {warned / n:.3f} |")


def _accused(path: Path) -> bool:
    table = look([FileRef(0, os.fsencode(path))], lambda i: None).table
    return bool(table["error"][0].as_py())


def _enlarged(path: Path, side: int) -> bytes:
    made = io.BytesIO()
    with Image.open(path) as photo:
        scale = side / max(photo.size)
        size = round(photo.width * scale), round(photo.height * scale)
        photo.convert("RGB").resize(size, Image.Resampling.BICUBIC).save(made, "JPEG", quality=85)
    return made.getvalue()


def _warned(data: bytes) -> bool:
    try:
        simplejpeg.decode_jpeg(data, min_height=1, min_width=1)
    except ValueError:
        return True
    return False


def interval(k: int, n: int) -> str:
    """k of n as a rate with Wilson's 95 % interval."""
    z, p = 1.96, k / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    return f"{p:.3f} [{max(0, middle - half):.4f}, {min(1, middle + half):.4f}]"


def _scan(data: bytes) -> int:
    """Where the data of the first scan begins."""
    at = 2
    while data[at + 1] != 0xDA:
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")


def flipped(data: bytes, r: random.Random) -> bytes:
    """20 flipped bits"""
    made = bytearray(data)
    for _ in range(20):
        k = r.randrange(_scan(data) * 8, (len(data) - 2) * 8)
        made[k // 8] ^= 1 << k % 8
    return bytes(made)


def overwritten(data: bytes, r: random.Random) -> bytes:
    """64 random bytes"""
    k = r.randrange(_scan(data), len(data) - 66)
    return data[:k] + r.randbytes(64) + data[k + 64 :]


def zeroed(data: bytes, r: random.Random) -> bytes | None:
    """a zeroed block of 4 kB"""
    if len(data) - 4098 <= _scan(data):
        return None
    k = r.randrange(_scan(data), len(data) - 4098)
    return data[:k] + bytes(4096) + data[k + 4096 :]


def cut(data: bytes, r: random.Random) -> bytes:
    """the last 1 % cut off"""
    return data[: len(data) - max(1, len(data) // 100)]


if __name__ == "__main__":
    main()
