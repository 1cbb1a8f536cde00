"""Is every broken file called broken, and no sound one?

    python benchmarks/corrupt_files.py

Files with known truth (`corrupt/truth.csv` in the folder that RECIPE_REAL_DATA names: `decodable`
is Pillow's word, `ref_ok` that of pngcheck or djpeg -strict). Every disagreement with either is
listed.
"""

from __future__ import annotations

import collections
import csv
import os
from pathlib import Path
from typing import Any

from recipe_core.images.look import FileRef, look

WHY = {
    "hopper.heif": "the truth was made without pillow-heif; here it decodes",
    "exif_text.png": "a NUL in a tEXt chunk: the picture does not depend on it",
    "tRNS_null_1x1.png": "a tRNS chunk of the wrong length: ancillary, all pixels are intact",
    "chunk_no_fctl.png": "an animation chunk without its control chunk: Pillow refuses to load it",
    "png_decompression_dos.png": "text chunks that inflate beyond Pillow's limit: it refuses",
}


def main() -> None:
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    root = Path(os.environ.get("RECIPE_REAL_DATA", default)) / "corrupt"
    if not (root / "truth.csv").is_file():
        print(f"No {root}/truth.csv: set RECIPE_REAL_DATA.")
        return
    truth = list(csv.DictReader((root / "truth.csv").open(encoding="utf-8")))
    refs = [FileRef(i, os.fsencode(root / t["path"])) for i, t in enumerate(truth)]
    rows = look(refs, lambda i: None).table.to_pylist()
    _print_rates(truth, rows)
    _print_classes(rows)
    _print_disagreements(truth, rows)


def _print_rates(truth: list[dict[str, str]], rows: list[dict[str, Any]]) -> None:
    broken = [t["decodable"] == "0" or t["ref_ok"] == "False" for t in truth]
    called = [r["error"] != "" for r in rows]
    both = sum(b and c for b, c in zip(broken, called, strict=True))
    print("| broken: Pillow cannot load it, or the strict tool objects | n | | 95 % interval |")
    print("|---|---|---|---|")
    print(f"| recall | {sum(broken)} | {both} | {interval(both, sum(broken))} |")
    print(f"| precision | {sum(called)} | {both} | {interval(both, sum(called))} |")


def interval(k: int, n: int) -> str:
    """k of n as a rate with Wilson's 95 % interval."""
    z, p = 1.96, k / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    return f"{p:.3f} [{max(0, middle - half):.3f}, {min(1, middle + half):.3f}]"


def _print_classes(rows: list[dict[str, Any]]) -> None:
    print("\n| class | files |\n|---|---|")
    for name, n in collections.Counter(r["error"] for r in rows).most_common():
        print(f"| {name or '(sound)'} | {n} |")


def _print_disagreements(truth: list[dict[str, str]], rows: list[dict[str, Any]]) -> None:
    print("\n| disagreement | Pillow loads it | reference | here | why |\n|---|---|---|---|---|")
    for t, r in zip(truth, rows, strict=True):
        loads, ref = t["decodable"] == "1", t["ref_ok"]
        agrees = (r["error"] == "") == loads and (not ref or (r["error"] == "") == (ref == "True"))
        if not agrees:
            name = t["path"].rsplit("/", 1)[-1]
            why = WHY.get(name) or r["error_detail"]
            print(f"| {name} | {loads} | {ref or '-'} | {r['error'] or 'sound'} | {why} |")


if __name__ == "__main__":
    main()
