"""What do a hundred thousand different pictures cost, and are copies still found among them?

    python benchmarks/different_photos.py [--files 100000] [--each 5]

Every photo of clothing is cut into windows that share no pixel (a grid of 4 columns), each saved as
a JPEG of its own. So none is a copy of another: a pair reported within one photo is its pattern or
its plain background that repeats itself; one between two photos is a false alarm, or two shots of
one thing. EDITED of them are edited in eight ways and saved beside them: how many of those are
found is set beside the recall that the check says. `each` is the limit on pairs that are compared
(near_pairs.MOST_EACH). The folder stays in benchmarks/.work.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
from duplicates import EDITS, share
from PIL import Image

from recipe_core import recipe
from recipe_core.data import near_pairs
from recipe_core.data.checks.near_duplicates import Params
from recipe_core.execution.engines import engine

HERE = Path(__file__).resolve().parent
WORK = HERE / ".work"
DATA = Path(os.environ.get("RECIPE_REAL_DATA", HERE.parents[1] / "shared" / "data"))
COLUMNS = 4
EDITED = 100
EDIT_NAMES = ("JPEG quality 30", "half size", "crop to 95 %, anywhere", "brightness + 30 %", "grey",
              "caption bar", "tilted 2 degrees", "mirrored")  # fmt: skip
"""The eight that the check plants."""
QUALITY = 90
WORKERS = 2
SHOWN = 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--each", type=int, default=near_pairs.MOST_EACH)
    asked = parser.parse_args()
    near_pairs.MOST_EACH, near_pairs.MOST_CANDIDATES = asked.each, asked.each * 100_000
    photos = sorted((DATA / "clothing").rglob("*.jpg"))
    if not photos:
        print(f"Not run: no clothing in {DATA} (set RECIPE_REAL_DATA).")
        return
    rows = max(1, round(asked.files / len(photos) / COLUMNS))
    folder = WORK / f"windows_{COLUMNS}x{rows}"
    if not folder.is_dir():
        _cut(photos, rows, folder)
    phases: list[tuple[str, float]] = []

    def progress(activity: str, done: int, total: int) -> None:
        if not phases or phases[-1][0] != activity:
            phases.append((activity, time.perf_counter()))

    with tempfile.TemporaryDirectory(dir=WORK) as workspace:
        began = time.perf_counter()
        said = recipe.scan(folder, workspace, engine=engine("local", WORKERS, keep=True),
                           progress=progress)  # fmt: skip
        ended = time.perf_counter()
        n = said.dataset["n_samples"]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
        print(f"{n:,} pictures in {ended - began:.0f} s ({n / (ended - began):,.0f} a second), "
              f"driver's peak {peak:,.0f} MB\n\n| part | seconds |\n|---|--:|")  # fmt: skip
        parts: Counter[str] = Counter()
        for (activity, start), (_, end) in pairwise([*phases, ("", ended)]):
            parts[activity] += end - start
        for activity, seconds in parts.items():
            if seconds >= 0.5:
                print(f"| {activity} | {seconds:.1f} |")
        _copies(Path(workspace))


def _copies(workspace: Path) -> None:
    found = recipe.evidence(workspace)
    near = found.table("near_pairs")
    alike = near["similarity"].to_numpy() >= np.float32(Params().min_similarity)
    paths = found.texts("path")
    pairs = [(str(paths[a]), str(paths[b])) for a, b in zip(
        near["row_a"].to_numpy()[alike], near["row_b"].to_numpy()[alike], strict=True)]  # fmt: skip
    again = {p[k] for p in pairs for k in (0, 1) if p[k].startswith("edited/")
             and _window(p[k]) == _window(p[1 - k])}  # fmt: skip
    pairs = [p for p in pairs if not any(x.startswith("edited/") for x in p)]
    between = [p for p in pairs if _photo(p[0]) != _photo(p[1])]
    verdict = next(f for f in recipe.check(workspace).findings if f.check == "near_duplicates")
    reached = near["complete"][0].as_py() if len(near) else "all"
    print(
        f"\n{len(near):,} pairs alike from 0.6 on (all compared up to {reached} bits); "
        f"{len(pairs):,} alike enough to be reported: {len(pairs) - len(between):,} within one "
        f"photo, {len(between):,} between two\n{verdict.verdict}: {verdict.summary}\n"
    )
    for a, b in between[:SHOWN]:
        print(f"    {a}  {b}")
    numbers = verdict.numbers
    print(
        f"\nEdited windows found: {len(again)} of {EDITED * len(EDIT_NAMES)}, "
        f"{share(len(again), EDITED * len(EDIT_NAMES))}; the check says {numbers['recall']:.3f} "
        f"({numbers['recall_low']:.3f} to {numbers['recall_high']:.3f}) at a radius of "
        f"{numbers['radius']} bits"
    )
    for k, name in enumerate(EDIT_NAMES):
        mine = [p for p in again if p.endswith(f"-{k}.jpg")]
        print(f"    {name}: {len(mine)} of {EDITED}")


def _window(path: str) -> str:
    return path.rpartition("/")[2].partition(".jpg")[0].partition("-edit-")[0]


def _photo(path: str) -> str:
    return _window(path).rpartition("_")[0]


def _cut(photos: Sequence[Path], rows: int, folder: Path) -> None:
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    WORK.mkdir(exist_ok=True)
    for label in {p.parent.name for p in photos}:
        (part / label).mkdir(parents=True)
    tasks = [(p, rows, part / p.parent.name) for p in photos]
    with ProcessPoolExecutor(WORKERS) as pool:
        list(pool.map(_windows, tasks, chunksize=32))
    _edit(sorted(part.rglob("*.jpg")), part / "edited")
    part.rename(folder)


def _edit(windows: Sequence[Path], folder: Path) -> None:
    rng = random.Random(0)
    folder.mkdir()
    for path in rng.sample(windows, EDITED):
        for k, name in enumerate(EDIT_NAMES):
            edited = EDITS[name](Image.open(path), rng)
            edited.save(folder / f"{path.stem}-edit-{k}.jpg", quality=QUALITY)


def _windows(task: tuple[Path, int, Path]) -> None:
    path, rows, folder = task
    with Image.open(path) as opened:
        photo = opened.convert("RGB")
    w, h = photo.width // COLUMNS, photo.height // rows
    for k in range(COLUMNS * rows):
        x, y = k % COLUMNS * w, k // COLUMNS * h
        photo.crop((x, y, x + w, y + h)).save(folder / f"{path.stem}_{k:02d}.jpg", quality=QUALITY)


if __name__ == "__main__":
    main()
