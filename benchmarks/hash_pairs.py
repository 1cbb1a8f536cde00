"""How long does it take to find all pairs of close 64-bit hashes, and does it stay in memory?

    python benchmarks/hash_pairs.py [REPEATS]

Each row is measured in a process of its own, so that its peak memory is its own. The wanted
figures, on two cores: a million hashes in under 20 s at radius 3 and 90 s at radius 8, below 2 GB.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from recipe_core.images.hamming import collapse, pairs_within
from recipe_core.images.likeness import hashes as perceptual

Hashes = npt.NDArray[np.uint64]


def main(repeats: int = 5) -> None:
    print("| hashes | n | radius | seconds (median) | seconds (all) | pairs | complete | peak MB |")
    print("|---|---|---|---|---|---|---|---|")
    for name, n, radius in ROWS:
        with multiprocessing.get_context("spawn").Pool(1) as alone:
            row = json.loads(alone.apply(measured, (name, n, radius, repeats)))
        each = " ".join(f"{s:.1f}" for s in row["seconds"])
        median = statistics.median(row["seconds"])
        print(
            f"| {name} | {row['n']:,} | {radius} | {median:.2f} | {each} "
            f"| {row['pairs']:,} | {row['complete']} | {row['peak']:.0f} |", flush=True,
        )  # fmt: skip


def measured(name: str, n: int, radius: int, repeats: int) -> str:
    given = MAKERS[name](n)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        unique, _, _ = collapse(given)
        pairs = pairs_within(unique, radius)
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return json.dumps({
        "n": len(given), "seconds": seconds, "pairs": len(pairs), "complete": pairs.complete,
        "peak": peak,
    })  # fmt: skip


def uniform(n: int) -> Hashes:
    return np.random.default_rng(0).integers(0, 2**64, n, dtype=np.uint64)


def photo_like(n: int) -> Hashes:
    """Hashes of random spectra that fall off as photos' do, from 2,000 kinds of scene."""
    rng = np.random.default_rng(0)
    frequency = np.hypot(*np.meshgrid(np.arange(8), np.arange(8))) + 0.5
    scenes = rng.normal(0, 1, (2_000, 8, 8))
    parts = []
    for at in range(0, n, 50_000):
        k = min(50_000, n - at)
        own = rng.laplace(0, 1, (k, 8, 8)) + scenes[rng.integers(0, len(scenes), k)]
        parts.append(perceptual((own / frequency**1.5).astype(np.float32)))
    return np.concatenate(parts)


def half_constant(n: int) -> Hashes:
    """One byte that never changes, as in pictures that all share a layout."""
    return uniform(n) | np.uint64(0xFF00)


def copies(n: int) -> Hashes:
    return np.full(n, 0x123456789ABCDEF0, np.uint64)


def crowd(n: int) -> Hashes:
    """All within five bits of one centre."""
    rng = np.random.default_rng(0)
    made = np.full(n, 0x123456789ABCDEF0, np.uint64)
    for _ in range(5):
        made ^= np.uint64(1) << rng.integers(0, 64, n, dtype=np.uint64)
    return made


MAKERS: dict[str, Callable[[int], Hashes]] = {
    "uniform": uniform, "photo-like": photo_like, "one constant byte": half_constant,
    "copies of one": copies, "crowd around one": crowd,
}  # fmt: skip
ROWS = (
    ("uniform", 100_000, 3), ("uniform", 100_000, 8), ("uniform", 1_000_000, 3),
    ("uniform", 1_000_000, 8), ("photo-like", 1_000_000, 3), ("photo-like", 1_000_000, 8),
    ("one constant byte", 1_000_000, 8), ("copies of one", 100_000, 8),
    ("crowd around one", 100_000, 3), ("crowd around one", 100_000, 8),
)  # fmt: skip


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:]))
