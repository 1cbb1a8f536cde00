"""How fast is a whole scan beside only reading and decoding, and where does its time go?

    python benchmarks/scan_rate.py [--photos 3000] [--rounds 5]

Whole processes from start to exit, in turn within each round, files in the page cache:
`recipe scan` with all checks, two workers, on an empty workspace; two processes that read every
second photo as torchvision's ImageFolder does (`pil_loader`: open, convert("RGB")), two that only
load it with Pillow (the same decode without the copy that convert makes), and two that decode it
with simplejpeg at the scan's scale. The first of these is what "only reads and decodes" means.
"Scan runs at" is the scan's rate over the contestant's. The lower rows divide one further scan of
each round by what its progress says. Bytecode is compiled before the first round.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

from peers import _write_photos as write_photos

from recipe_core.images.jpeg import reduction

HERE = Path(__file__).resolve().parent
WORK = HERE / ".work"
SIZE = (500, 375)
PROCESSES = 2
SHORT = -(-SIZE[1] // reduction(*SIZE))

LOADER = """
import sys
from pathlib import Path
from PIL import Image
def pil_loader(path):
    with open(path, "rb") as f:
        img = Image.open(f)
        return img.convert("RGB")
for path in sorted(Path(sys.argv[1]).rglob("*.jpg"))[int(sys.argv[2])::int(sys.argv[3])]:
    pil_loader(path)
"""
PILLOW = """
import io, sys
from pathlib import Path
from PIL import Image
for path in sorted(Path(sys.argv[1]).rglob("*.jpg"))[int(sys.argv[2])::int(sys.argv[3])]:
    Image.open(io.BytesIO(path.read_bytes())).load()
"""
SIMPLEJPEG = """
import sys
from pathlib import Path
import simplejpeg
short = int(sys.argv[4])
for path in sorted(Path(sys.argv[1]).rglob("*.jpg"))[int(sys.argv[2])::int(sys.argv[3])]:
    simplejpeg.decode_jpeg(path.read_bytes(), "RGB", min_height=short, min_width=short)
"""
# prints [phase, seconds since the epoch] at every change of phase
DIVIDED = """
import json, sys, time
from recipe_core import recipe
seen = [["start", float(sys.argv[3])]]
def progress(phase, done, total):
    if phase != seen[-1][0]:
        seen.append([phase, time.time()])
report = recipe.scan(sys.argv[1], sys.argv[2], workers=int(sys.argv[4]), progress=progress)
print(json.dumps([report.dataset["n_samples"], seen]))
"""


def main(arguments: list[str] | None = None) -> None:
    """Print the table: medians with (min-max)."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args(arguments)
    kind, folder = photos(asked.photos)
    times, parts = measured(folder, asked.photos, asked.rounds)
    scan = times["recipe scan, all checks"]
    print(
        f"| {asked.photos} photos of {SIZE[0]} × {SIZE[1]} ({kind}), {PROCESSES} processes,"
        f" {asked.rounds} rounds | seconds, median (min-max) | photos/s | scan runs at |"
    )
    print("|---|--:|--:|--:|")
    for name, seconds in times.items():
        rate = asked.photos / statistics.median(seconds)
        ratios = [other / own for other, own in zip(seconds, scan, strict=True)]
        print(f"| {name} | {_spread(seconds)} | {rate:.0f} | {_spread(ratios)} |")
    for name, seconds in parts.items():
        print(f"| of a scan: {name} | {_spread(seconds)} | | |")


def photos(n: int) -> tuple[str, Path]:
    """What they are, and the folder of n of them; made once."""
    default = HERE.parents[1] / "shared" / "data"
    real = sorted((Path(os.environ.get("RECIPE_REAL_DATA", default)) / "clothing").rglob("*.jpg"))
    kind = "clothing" if real else "synthetic"
    folder = WORK / f"{kind}_{SIZE[0]}x{SIZE[1]}_{n}"
    if not folder.is_dir():
        WORK.mkdir(exist_ok=True)
        write_photos(folder, real, n)
    parts = ", parts of photos that share no pixel" if 0 < len(real) < n else ""
    return f"{kind}{parts}", folder


def measured(
    folder: Path, n: int, rounds: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Seconds of every round by contestant, and of the divided scan by part."""
    contestants: dict[str, Callable[[], None]] = {
        "recipe scan, all checks": lambda: _scan(folder, n),
        "torchvision's pil_loader": lambda: _decode(LOADER, folder),
        "read + Pillow's load()": lambda: _decode(PILLOW, folder),
        "read + simplejpeg at the same scale": lambda: _decode(SIMPLEJPEG, folder),
    }
    times: dict[str, list[float]] = {name: [] for name in contestants}
    parts: dict[str, list[float]] = {}
    for k in range(rounds + 1):
        for name, run in contestants.items():
            start = time.perf_counter()
            run()
            if k:  # the first round compiles bytecode and fills the page cache
                times[name].append(time.perf_counter() - start)
        divided = _divided(folder, n)
        for part, seconds in divided.items() if k else ():
            parts.setdefault(part, []).append(seconds)
    return times, parts


def _environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return {
        **kept, "PYTHONPATH": str(HERE.parent), "PYTHONPYCACHEPREFIX": str(WORK / "bytecode"),
        "OPENBLAS_NUM_THREADS": "1",
    }  # fmt: skip


def _scan(folder: Path, n: int) -> None:
    with tempfile.TemporaryDirectory(dir=WORK) as workspace:
        recipe = str(Path(sys.executable).with_name("recipe"))
        options = ("-w", workspace, "--workers", str(PROCESSES), "--json")
        said = json.loads(_output([recipe, "scan", str(folder), *options]))
    _same(said["dataset"]["n_samples"], n)


def _divided(folder: Path, n: int) -> dict[str, float]:
    """Seconds by part of a scan."""
    with tempfile.TemporaryDirectory(dir=WORK) as workspace:
        started = str(time.time())
        command = [sys.executable, "-c", DIVIDED, str(folder), workspace, started, str(PROCESSES)]
        n_seen, phases = json.loads(_output(command))
        phases.append(["end", time.time()])
    _same(n_seen, n)
    parts = dict.fromkeys((*PARTS.values(), LISTING, OTHER), 0.0)
    for part, (begin, end) in zip(_parts(phases), pairwise(phases), strict=True):
        parts[part] += end[1] - begin[1]
    return parts


LISTING, OTHER = "start and listing", "other measures and storing"
PARTS = {
    "start": LISTING,
    "listing files": LISTING,
    "reading images": "reading, with the workers' start",
    "storing results": OTHER,
    "measuring near pairs": "near pairs",
    "judging": "judging",
    "done": "exit",
}


def _parts(phases: list[tuple[str, float]]) -> Iterator[str]:
    """The part that each phase but the last belongs to: an unknown one goes on with its part."""
    part = LISTING
    for phase, _ in phases[:-1]:
        other = OTHER if phase.startswith("measuring ") else part
        part = PARTS.get("judging" if phase.startswith("judging ") else phase, other)
        yield part


def _decode(script: str, folder: Path) -> None:
    at_work = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(folder), str(k), str(PROCESSES), str(SHORT)],
            env=_environment(),
        )
        for k in range(PROCESSES)
    ]
    codes = [p.wait() for p in at_work]
    if any(codes):
        raise SystemExit("a process that decodes failed")


def _output(command: list[str]) -> str:
    done = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command[0]} exited {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


def _same(n_seen: int, n: int) -> None:
    if n_seen != n:
        raise SystemExit(f"the scan saw {n_seen} of {n} photos")


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


if __name__ == "__main__":
    main()
