"""Which edits of a photo are recognised as copies, how often falsely, and how fast?

    python benchmarks/duplicates.py [EDITED]

Needs the data sets clothing and cifar10 below RECIPE_REAL_DATA (default: ../shared/data). EDITED
photos (default 300) of clothing are edited in every way and must be found among all the others.
A false alarm is any other reported pair between unedited photos, except those listed in
KNOWN, which a person looked at. Intervals are 95 % Wilson intervals.
"""

from __future__ import annotations

import collections
import hashlib
import io
import os
import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from recipe_core.data.checks.near_duplicates import Params
from recipe_core.data.near_pairs import measure_near
from recipe_core.kernel.evidence import Evidence
from recipe_core.kernel.intervals import wilson
from recipe_core.kernel.nouns import BOX_FIELDS, SAMPLE_FIELDS, Dataset

DATA = Path(os.environ.get("RECIPE_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))
KNOWN = frozenset({("637a56e4", "6075b4a5")})
"""Pairs of clothing that are truly one shot: a pair of shorts, once filed under skirt."""

Edit = Callable[[Image.Image, random.Random], Image.Image]


def cropped(share: float) -> Edit:
    def edit(p: Image.Image, rng: random.Random) -> Image.Image:
        w, h = int(p.width * share), int(p.height * share)
        x, y = rng.randint(0, p.width - w), rng.randint(0, p.height - h)
        return p.crop((x, y, x + w, y + h))

    return edit


def text(p: Image.Image, rng: random.Random) -> Image.Image:
    p = p.copy()
    at = (p.width * 0.1, p.height * rng.uniform(0.1, 0.8))
    ImageDraw.Draw(p).text(at, "SAMPLE PHOTO 2024", "white", font_size=max(8, p.width // 12))
    return p


def logo(p: Image.Image, rng: random.Random) -> Image.Image:
    p = p.copy()
    s = min(p.size) // 6
    x, y = rng.choice((4, p.width - s - 4)), rng.choice((4, p.height - s - 4))
    ImageDraw.Draw(p).ellipse((x, y, x + s, y + s), (200, 30, 30))
    return p


def caption(p: Image.Image, _: random.Random) -> Image.Image:
    p = p.copy()
    ImageDraw.Draw(p).rectangle((0, int(p.height * 0.9), *p.size), "black")
    return p


EDITS: dict[str, Edit] = {
    "JPEG quality 30": lambda p, _: Image.open(io.BytesIO(jpeg(p, 30))),
    "half size": lambda p, _: p.resize((p.width // 2, p.height // 2)),
    "crop to 95 %, anywhere": cropped(0.95),
    "crop to 90 %, anywhere": cropped(0.9),
    "crop to 80 %, centred": lambda p, _: ImageOps.crop(p, (p.width // 10, p.height // 10) * 2),
    "brightness + 30 %": lambda p, _: ImageEnhance.Brightness(p).enhance(1.3),
    "brightness - 30 %": lambda p, _: ImageEnhance.Brightness(p).enhance(0.7),
    "contrast + 40 %": lambda p, _: ImageEnhance.Contrast(p).enhance(1.4),
    "grey": lambda p, _: p.convert("L").convert("RGB"),
    "mirrored": lambda p, _: ImageOps.mirror(p),
    "rotated 90": lambda p, _: p.transpose(Image.Transpose.ROTATE_90),
    "text across": text,
    "logo in a corner": logo,
    "caption bar": caption,
    "border added": lambda p, r: ImageOps.expand(p, p.width // 20, r.choice(["black", "white"])),
    "tilted 2 degrees": lambda p, r: p.rotate(r.choice([-2, 2]), Image.Resampling.BICUBIC),
    "tilted 3 degrees": lambda p, r: p.rotate(r.choice([-3, 3]), Image.Resampling.BICUBIC),
    "mirrored, then crop to 95 %": lambda p, r: cropped(0.95)(ImageOps.mirror(p), r),
}


@dataclass(frozen=True)
class Thumbnails:
    """Thumbnails only: near copies are judged on nothing else."""

    data: Sequence[bytes]

    def original(self, row: int) -> bytes:
        raise OSError("not kept")

    def thumbnail(self, row: int) -> bytes | None:
        return self.data[row]

    def shared_out(self, work: Callable[[Any], Any], parts: Iterable[Any]) -> Iterator[Any]:
        return map(work, parts)


def main(edited: int = 300) -> None:
    missing = [n for n in ("clothing", "cifar10") if not (DATA / n).is_dir()]
    if missing:
        print(f"Not run: no {' and '.join(missing)} in {DATA} (set RECIPE_REAL_DATA).")
        return
    limit = Params().min_similarity
    print(f"Judged at the default: similarity >= {limit}, radius {Params().radius}.\n")
    edits_of_clothing(edited, limit)
    judged_pairs_of_cifar(limit)


def edits_of_clothing(edited: int, limit: float) -> None:
    rng = random.Random(0)
    paths = sorted((DATA / "clothing").rglob("*.jpg"))
    chosen = rng.sample(range(len(paths)), edited)
    data, kind, source = [], [], []
    for i, path in enumerate(paths):
        data.append(thumbnail(Image.open(path)))
        kind.append("")
        source.append(i)
    for i in chosen:
        shown = ImageOps.exif_transpose(Image.open(paths[i])).convert("RGB")
        for name, edit in EDITS.items():
            data.append(thumbnail(edit(shown, rng)))
            kind.append(name)
            source.append(i)
    start = time.perf_counter()
    pairs = near(data, limit)
    seconds = time.perf_counter() - start
    hits: collections.Counter[str] = collections.Counter()
    false = []
    for a, b in pairs:
        if source[a] == source[b] and "" in (kind[a], kind[b]):
            hits[kind[a] or kind[b]] += 1
        elif kind[a] == kind[b] == "":
            false.append((paths[a].stem[:8], paths[b].stem[:8]))
    print("| edit of a clothing photo | found of n | recall, 95 % interval |\n|---|---|---|")
    for name in EDITS:
        print(f"| {name} | {hits[name]} of {edited} | {share(hits[name], edited)} |")
    known = [p for p in false if p in KNOWN or p[::-1] in KNOWN]
    n = len(paths)
    print(
        f"\nUnedited photos: {len(false)} pairs reported among {n:,} photos "
        f"({n * (n - 1) // 2:,} pairs), {len(known)} of them known to be one shot; false: "
        f"{[p for p in false if p not in known]}.\nWhole measure over {len(data):,} thumbnails: "
        f"{seconds:.1f} s.\n"
    )


def judged_pairs_of_cifar(limit: float) -> None:
    root = DATA / "cifar10"
    paths = sorted((root / "test").rglob("*.jpg"))
    place = {p.relative_to(root).as_posix(): i for i, p in enumerate(paths)}
    start = time.perf_counter()
    found = near([thumbnail(Image.open(p)) for p in paths], limit)
    judged = pa.csv.read_csv(root / "near_duplicate_pairs.csv").to_pylist()
    print("| cifar10, pairs judged by people | found of n | recall, 95 % interval |\n|---|---|---|")
    known = set()
    for meaning in sorted({r["meaning"] for r in judged}):
        rows = [tuple(sorted((place[r["path_a"]], place[r["path_b"]])))
                for r in judged if r["meaning"] == meaning]  # fmt: skip
        known |= set(rows)
        hit = sum(r in found for r in rows)
        print(f"| {meaning} | {hit} of {len(rows)} | {share(hit, len(rows))} |")
    others = sorted(found - known)
    print(
        f"\n{len(others)} other pairs reported ({time.perf_counter() - start:.1f} s), to look at:"
    )
    for a, b in others[:12]:
        print(f"    {paths[a].relative_to(root)}  {paths[b].relative_to(root)}")


def near(data: Sequence[bytes], limit: float) -> set[tuple[int, int]]:
    samples = pa.table({
        "content_hash": [hashlib.blake2b(d, digest_size=16).hexdigest() for d in data],
        "error": [""] * len(data),
    })  # fmt: skip
    nothing = SAMPLE_FIELDS.empty_table()
    dataset = Dataset("made", Path("made"), "folder", nothing, BOX_FIELDS.empty_table(), (), ())
    table = measure_near(
        Evidence(dataset, samples, BOX_FIELDS.empty_table()), Thumbnails(data), lambda *_: None
    )
    keep = table.filter(pa.compute.greater_equal(table["similarity"], limit))
    pairs = zip(keep["row_a"].to_pylist(), keep["row_b"].to_pylist(), strict=True)
    return {(min(a, b), max(a, b)) for a, b in pairs}


def thumbnail(picture: Image.Image) -> bytes:
    shown = ImageOps.exif_transpose(picture).convert("RGB")
    shown.thumbnail((160, 160), Image.Resampling.LANCZOS)
    return jpeg(shown, 85)


def jpeg(picture: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return out.getvalue()


def share(k: int, n: int) -> str:
    low, high = wilson(k, n)
    return f"{k / n:.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:]))
