"""How long does a full scan take beside CleanVision and imagededup, on the same photos?

    python benchmarks/peers.py [--rounds 5] [--photos 1000] [--sets photos,clothing]

Every tool runs as a process of its own, from start to exit, all of them in turn within each round,
so that a busy machine slows them alike; a first round, which compiles bytecode, is not counted. The
peers live in environments below benchmarks/.envs that this script makes (uv, or venv and pip); the
photos below benchmarks/.work.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter, ImageOps

HERE = Path(__file__).resolve().parent
WORKERS = 2
SIZE = (500, 375)
QUALITY = 90

CLEANVISION = """
import sys
from cleanvision import Imagelab
lab = Imagelab(data_path=sys.argv[1], verbose=False)
lab.find_issues(n_jobs=int(sys.argv[2]), verbose=False)
print(len(lab.issues))
"""

# imagededup's package imports its CNN method, which loads torch and downloads weights before any
# hash is computed. Hashing uses neither: empty stand-ins for those two modules spare it that time.
IMAGEDEDUP = """
import sys, types
for name, attributes in (
    ("imagededup.utils.models", ("CustomModel",)), ("imagededup.methods.cnn", ("CNN",)),
):
    stand_in = types.ModuleType(name)
    for attribute in attributes:
        setattr(stand_in, attribute, None)
    sys.modules[name] = stand_in
from imagededup.methods import PHash
method = PHash(verbose=False)
workers = int(sys.argv[2])
codes = method.encode_images(image_dir=sys.argv[1], recursive=True, num_enc_workers=workers)
method.find_duplicates(encoding_map=codes, num_dist_workers=workers)
print(len(codes))
"""


@dataclass(frozen=True)
class Contestant:
    """A tool and how it is started on a folder; `images` reads from its output how many it did."""

    name: str
    command: Callable[[Path], list[str]]
    images: Callable[[str], int]


def main(arguments: list[str] | None = None) -> None:
    """Print the table: whole-process wall times, medians with (min-max), interleaved."""
    options = _options(arguments)
    contestants = [_ours(), *_peers()]
    print(_headline(options.rounds))
    print()
    print("| photos | tool | n | seconds, median (min-max) | photos/s | times ours (min-max) |")
    print("|---|---|--:|--:|--:|--:|")
    for name, folder in _sets(options.sets.split(","), options.photos):
        for line in _rows(name, folder, contestants, options.rounds):
            print(line, flush=True)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--photos", type=int, default=1000)
    parser.add_argument("--sets", default="photos,clothing")
    return parser.parse_args(arguments)


def _headline(rounds: int) -> str:
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"Pillow {version('pillow')}; {WORKERS} workers each, {rounds} rounds, files in the page "
        "cache, recipe on an empty workspace each time"
    )


def _ours() -> Contestant:
    def command(folder: Path) -> list[str]:
        workspace = tempfile.mkdtemp(prefix="peers-", dir=HERE / ".work")
        recipe = str(Path(sys.executable).with_name("recipe"))
        return [recipe, "scan", str(folder), "-w", workspace, "--workers", str(WORKERS), "--json"]

    def images(output: str) -> int:
        return int(json.loads(output)["dataset"]["n_samples"])

    return Contestant("recipe scan, all checks", command, images)


def _peers() -> Iterator[Contestant]:
    for name, requirement, script in (
        ("CleanVision 0.3.7, all checks", "cleanvision==0.3.7", CLEANVISION),
        ("imagededup 0.3.3, PHash encode + find", "imagededup==0.3.3", IMAGEDEDUP),
    ):
        python = _environment(requirement)
        yield Contestant(name, _starter(python, script), lambda out: int(out.split()[-1]))


def _starter(python: Path, script: str) -> Callable[[Path], list[str]]:
    return lambda folder: [str(python), "-c", script, str(folder), str(WORKERS)]


def _environment(requirement: str) -> Path:
    """Python of an environment that holds this peer, made on the first call."""
    folder = HERE / ".envs" / requirement.replace("==", "-")
    python = folder / "bin" / "python"
    if not (folder / "made").exists():
        shutil.rmtree(folder, ignore_errors=True)
        _make(folder, python, requirement)
        (folder / "made").touch()
    return python


def _make(folder: Path, python: Path, requirement: str) -> None:
    if shutil.which("uv"):
        # torch is 5 GB that hashing does not use (see IMAGEDEDUP); CleanVision does not ask for it
        without = HERE / ".envs" / "without_torch.txt"
        without.parent.mkdir(parents=True, exist_ok=True)
        without.write_text(
            "".join(f"{p}; sys_platform == 'never'\n" for p in ("torch", "torchvision"))
        )
        _must("uv", "venv", "-q", "--python", "3.11", folder)
        _must("uv", "pip", "install", "-q", "--python", python, "--override", without, requirement)
    else:
        _must(sys.executable, "-m", "venv", folder)
        _must(python, "-m", "pip", "install", "-q", requirement)


def _must(*command: str | Path) -> None:
    subprocess.run([str(c) for c in command], check=True, stdout=sys.stderr)


def _sets(names: list[str], n: int) -> Iterator[tuple[str, Path]]:
    (HERE / ".work").mkdir(exist_ok=True)
    real = (
        Path(os.environ.get("RECIPE_REAL_DATA", HERE.parents[1] / "shared" / "data")) / "clothing"
    )
    if "photos" in names:
        kind = "clothing" if real.is_dir() else "synthetic"
        folder = HERE / ".work" / f"{kind}_{SIZE[0]}x{SIZE[1]}_{n}"
        if not folder.is_dir():
            _write_photos(folder, sorted(real.rglob("*.jpg")), n)
        yield f"{kind} at {SIZE[0]}×{SIZE[1]}", folder
    if "clothing" in names and real.is_dir():
        yield "clothing as it is", real


def _write_photos(folder: Path, originals: list[Path], n: int) -> None:
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    pieces = -(-n // len(originals)) if originals else 1
    for i in range(n):
        k = i * len(originals) * pieces // n
        original = originals[k // pieces] if originals else None
        picture = _piece(original, k % pieces, pieces) if original else _synthetic(i)
        label = original.parent.name if original else f"class_{i % 10}"
        (part / label).mkdir(parents=True, exist_ok=True)
        picture.save(part / label / f"{i:05d}.jpg", quality=QUALITY)
    part.rename(folder)


def _piece(path: Path, k: int, pieces: int) -> Image.Image:
    """One of so many parts of a photo that share no pixel, cut across its longer side."""
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    long, short = max(picture.size), min(picture.size)
    begin, end = k * long // pieces, (k + 1) * long // pieces
    tall = picture.height >= picture.width
    part = picture.crop((0, begin, short, end) if tall else (begin, 0, end, short))
    return ImageOps.fit(part, SIZE, Image.Resampling.LANCZOS)


def _synthetic(seed: int) -> Image.Image:
    """A picture with detail at every scale: smooth patches, edges and some grain."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8))
    picture = coarse.resize(SIZE, Image.Resampling.NEAREST).filter(ImageFilter.GaussianBlur(2))
    grain = rng.normal(0, 6, (SIZE[1], SIZE[0], 3))
    return Image.fromarray(np.clip(np.asarray(picture) + grain, 0, 255).astype(np.uint8))


def _rows(name: str, folder: Path, contestants: list[Contestant], rounds: int) -> Iterator[str]:
    n = sum(1 for p in folder.rglob("*.jpg") if p.read_bytes())  # reading warms the page cache
    seconds: dict[str, list[float]] = {c.name: [] for c in contestants}
    for k in range(rounds + 1):
        for contestant in contestants:
            taken = _timed(contestant, folder, n)
            if k:
                seconds[contestant.name].append(taken)
    ours = seconds[contestants[0].name]
    for contestant in contestants:
        yield _row(name, contestant.name, n, seconds[contestant.name], ours)


def _timed(contestant: Contestant, folder: Path, n: int) -> float:
    command = contestant.command(folder)
    start = time.perf_counter()
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    seconds = time.perf_counter() - start
    for workspace in (HERE / ".work").glob("peers-*"):
        shutil.rmtree(workspace)
    if done.returncode != 0:
        raise SystemExit(f"{contestant.name} exited {done.returncode}:\n{done.stderr[-2000:]}")
    if contestant.images(done.stdout) != n:
        raise SystemExit(f"{contestant.name} did {contestant.images(done.stdout)} of {n} photos")
    return seconds


def _row(name: str, tool: str, n: int, seconds: list[float], ours: list[float]) -> str:
    times = [s / o for s, o in zip(seconds, ours, strict=True)]
    median = statistics.median(seconds)
    return (
        f"| {name} | {tool} | {n} | {_spread(seconds, '.1f')} | {n / median:.0f} | "
        f"{_spread(times, '.1f')} |"
    )


def _spread(values: list[float], form: str) -> str:
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:{form}} ({low:{form}}-{high:{form}})"


if __name__ == "__main__":
    main()
