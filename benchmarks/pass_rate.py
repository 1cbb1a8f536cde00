"""How much slower is the whole pass over a photo than only reading and decoding it?

    python benchmarks/pass_rate.py [--photos 300] [--rounds 5]

500 × 375 photos (quality 90), one process, contestants in turn within each round. Wall and CPU
time: on a busy machine the ratio of CPU times is the steadier one.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # many workers share the cores; read when numpy is loaded

import numpy as np  # noqa: E402
import simplejpeg  # noqa: E402
from PIL import Image  # noqa: E402

from recipe_core.images.jpeg import reduction  # noqa: E402
from recipe_core.images.look import FileRef, look  # noqa: E402

SIZE = (500, 375)
CHUNK = 64
SCALE = reduction(*SIZE)
SHORT = -(-SIZE[1] // SCALE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source, paths = photos(Path(folder), asked.photos)
        times = measured(paths, asked.rounds)
    print(f"{asked.photos} photos of {SIZE[0]} × {SIZE[1]} ({source}), medians of {asked.rounds}\n")
    print("| contestant | wall, photos/s | CPU, ms a photo | whole pass runs at (wall) | (CPU) |")
    print("|---|---|---|---|---|")
    pass_wall, pass_cpu = (statistics.median(t) for t in zip(*times["whole pass"], strict=True))
    for name, pairs in times.items():
        wall, cpu = (statistics.median(t) for t in zip(*pairs, strict=True))
        print(
            f"| {name} | {asked.photos / wall:.0f} | {cpu / asked.photos * 1e3:.2f}"
            f" | {wall / pass_wall:.2f} | {cpu / pass_cpu:.2f} |"
        )


def photos(folder: Path, n: int) -> tuple[str, list[Path]]:
    """n files; every fourth upright."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    real = sorted((Path(os.environ.get("RECIPE_REAL_DATA", default)) / "clothing").rglob("*.jpg"))
    paths = []
    for k in range(n):
        image = Image.open(real[k * len(real) // n]) if real else _synthetic(k)
        size = SIZE if k % 4 else SIZE[::-1]
        paths.append(folder / f"{k}.jpg")
        image.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(paths[-1], quality=90)
    return ("clothing photos" if real else "synthetic, no photos found"), paths


def _synthetic(k: int) -> Image.Image:
    """Noise with the 1/f spectrum of photographs."""
    r = np.random.default_rng(k)
    h, w = SIZE[::-1]
    frequency = np.hypot(np.fft.fftfreq(h)[:, None], np.fft.fftfreq(w)) + 1 / w
    channels = []
    for _ in range(3):
        waves = np.fft.ifft2(np.fft.fft2(r.standard_normal((h, w))) / frequency).real
        channels.append(np.clip(waves / waves.std() * 50 + 128, 0, 255).astype(np.uint8))
    return Image.fromarray(np.stack(channels, axis=2))


def measured(paths: list[Path], rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Wall and CPU seconds of every round, by contestant."""
    refs = [FileRef(i, os.fsencode(p)) for i, p in enumerate(paths)]

    def whole_pass() -> None:
        for start in range(0, len(refs), CHUNK):
            look(refs[start : start + CHUNK], lambda i: None)

    contestants: dict[str, Callable[[], None]] = {
        "read + simplejpeg at the same scale": lambda: _each(paths, _simplejpeg),
        "read + Pillow in full": lambda: _each(paths, _pillow),
        "read + Pillow draft at the same scale": lambda: _each(paths, _draft),
        "whole pass": whole_pass,
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in contestants}
    for k in range(rounds + 1):
        for name, run in contestants.items():
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            if k:  # the first round warms the caches up
                times[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return times


def _each(paths: list[Path], decode: Callable[[bytes], object]) -> None:
    for path in paths:
        decode(path.read_bytes())


def _simplejpeg(data: bytes) -> object:
    return simplejpeg.decode_jpeg(data, "RGB", min_height=SHORT, min_width=SHORT)


def _pillow(data: bytes) -> object:
    return Image.open(io.BytesIO(data)).load()


def _draft(data: bytes) -> object:
    image = Image.open(io.BytesIO(data))
    image.draft("RGB", (image.width // SCALE, image.height // SCALE))
    return image.load()


if __name__ == "__main__":
    main()
