"""How do a first and a second scan behave at 100,000 and 1,000,000 files?

    python benchmarks/many_files.py [--files 100000 1000000]

Small pictures (32 px JPEG, 1,000 different ones) are repeated through hard links. Printed: rate of
the first scan, rate of the second one of unchanged files (whole process, all checks), and the peak
memory of the driver and of the largest worker.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

DIFFERENT = 1000
PER_FOLDER = 5000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--repeats", type=int, default=5, help="of the second scan")
    asked = parser.parse_args()
    second = f"second scan, files/s (median of {asked.repeats})"
    peaks = "driver peak, MB | largest worker peak, MB"
    print(f"| files | first scan, files/s | {second} | {peaks} | table, MB |")
    print("|---|---|---|---|---|---|")
    for n in asked.files:
        with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
            print(_row(Path(folder), n, asked.repeats), flush=True)


def _row(folder: Path, n: int, repeats: int) -> str:
    _data_set(folder / "data", n)
    first = _scan(folder)
    seconds = statistics.median(_scan(folder)[0] for _ in range(repeats))
    table = sum(p.stat().st_size for p in (folder / "w" / "results").rglob("*.parquet"))
    return (
        f"| {n:,} | {n / first[0]:,.0f} | {n / seconds:,.0f} | {first[1] / 2**20:,.0f} "
        f"| {first[2] / 2**20:,.0f} | {table / 2**20:,.0f} |"
    )


def _data_set(folder: Path, n: int) -> None:
    originals = folder.with_name("originals")
    originals.mkdir()
    rng = np.random.default_rng(0)
    for i in range(DIFFERENT):
        coarse = Image.fromarray(rng.integers(0, 255, (5, 5, 3), dtype=np.uint8))
        coarse.resize((32, 32), Image.Resampling.BICUBIC).save(originals / f"{i}.jpg", quality=90)
    for i in range(n):
        if i % PER_FOLDER == 0:
            part = folder / f"class{i // PER_FOLDER:03d}"
            part.mkdir(parents=True)
        os.link(originals / f"{i % DIFFERENT}.jpg", part / f"{i:07d}.jpg")


def _scan(folder: Path) -> tuple[float, int, int]:
    """Seconds of the whole process, peak resident bytes of the driver and of its largest worker."""
    words = [
        sys.executable,
        "-m",
        "recipe_core.cli",
        "scan",
        str(folder / "data"),
        "-w",
        str(folder / "w"),
    ]
    start = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    peaks = [0, 0]
    watcher = threading.Thread(target=_watch, args=(process.pid, peaks))
    watcher.start()
    _, said = process.communicate()
    watcher.join()
    if process.returncode:
        raise SystemExit(said.decode())
    return time.perf_counter() - start, peaks[0], peaks[1]


def _watch(pid: int, peaks: list[int]) -> None:
    try:
        driver = psutil.Process(pid)
        while driver.is_running() and driver.status() != psutil.STATUS_ZOMBIE:
            peaks[0] = max(peaks[0], driver.memory_info().rss)
            workers = [c.memory_info().rss for c in driver.children(recursive=True)]
            peaks[1] = max(peaks[1], *workers, 0)
            time.sleep(0.1)
    except psutil.Error:
        return


if __name__ == "__main__":
    main()
