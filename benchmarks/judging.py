"""How long does a slider take? Every judge over 100,000 samples, without opening a file.

    python benchmarks/judging.py [--samples 100000]

The table of a real scan (RECIPE_REAL_DATA's clothing photos, else the sample data) is repeated
until it has that many rows; pairs of copies are repeated with it. The limit named: 300 ms.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recipe_core import recipe
from recipe_core.kernel.check import Check, judged
from recipe_core.kernel.evidence import Evidence

ROOT = Path(__file__).resolve().parents[1]
REAL = Path(os.environ.get("RECIPE_REAL_DATA", ROOT.parent / "shared" / "data")) / "clothing"
SOURCE = REAL if REAL.is_dir() else ROOT / "sample_data" / "digits"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=7)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        recipe.scan(SOURCE, Path(folder) / "w")
        large = repeated(recipe.evidence(Path(folder) / "w"), asked.samples)
    print(f"| judge ({len(large):,} samples, from {SOURCE.name}) | median, ms | max, ms | said |")
    print("|---|---|---|---|")
    for check in recipe.checks("data"):
        print(_row(check, large, asked.repeats))


def _row(check: Check, evidence: Evidence, repeats: int) -> str:
    judged(check, evidence)  # the columns as vectors are made once per scan, not once per slider
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        finding = judged(check, evidence)
        seconds.append(time.perf_counter() - start)
    median, most = 1e3 * statistics.median(seconds), 1e3 * max(seconds)
    said = f"{finding.verdict}, {len(finding.subjects):,} subjects"
    return f"| {check.id} | {median:.0f} | {most:.0f} | {said} |"


def repeated(evidence: Evidence, n: int) -> Evidence:
    """The same evidence again and again until it has n rows."""
    small = len(evidence)
    times = -(-n // small)
    pieces = [_with_own_content(evidence.samples, k) for k in range(times)]
    samples = pa.concat_tables(pieces).slice(0, n).combine_chunks()
    tables = {k: _shifted(t, small, n, times) for k, t in evidence.tables.items()}
    return Evidence(evidence.dataset, samples, evidence.boxes, tables)


def _with_own_content(samples: pa.Table, k: int) -> pa.Table:
    """Repetition k as other files: else everything would be a copy of everything."""
    i = samples.column_names.index("content_hash")
    own = pc.binary_join_element_wise(samples["content_hash"], pa.scalar(str(k)), pa.scalar("-"))
    return samples.set_column(i, "content_hash", own)


def _shifted(table: pa.Table, small: int, n: int, times: int) -> pa.Table:
    """A table of pairs repeated with its row numbers moved on; any other table as it is."""
    names = [c for c in table.column_names if c == "row" or c.startswith("row_")]
    if not names:
        return table
    pieces = []
    for k in range(times):
        piece = table
        for name in names:
            i = piece.column_names.index(name)
            moved = pa.array(piece[name].to_numpy() + k * small)
            piece = piece.set_column(i, name, moved)
        rows = np.max([piece[name].to_numpy() for name in names], axis=0)
        pieces.append(piece.filter(pa.array(rows < n)))
    return pa.concat_tables(pieces)


if __name__ == "__main__":
    main()
