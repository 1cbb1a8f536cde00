"""How fast does a data set of 100,000 and 1,000,000 samples answer filters, counts and plots?

    python benchmarks/browse_queries.py [--samples 100000 1000000] [--queries 40] [--seed 0]

The table is that of a real scan of sample_data/digits, repeated: every copy has a path and an id of
its own, and its measures are moved by up to 1 %, so that hardly two are equal; findings and
thumbnails are repeated with it. Every query is asked once, so no answer comes from a cache;
columns and orders are worked out when a query first needs them, which is part of its time.
Printed: p50 and p95 in milliseconds; the first answer of each kind apart; and the memory of the
process (the sample table included) after opening and at its peak.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa

from recipe_core import recipe
from recipe_core.data import similar
from recipe_core.data.browse import Browser, Filter, Order
from recipe_core.kernel.evidence import Evidence
from recipe_core.kernel.nouns import Dataset, Finding, Subjects
from recipe_core.kernel.report import Report
from recipe_core.store import results
from recipe_core.store.workspace import Workspace, commit

SOURCE = Path(__file__).resolve().parents[1] / "sample_data" / "digits"
LIMITS = {"rows": 100, "facets": 200, "histogram": 50, "scatter": 300, "compare": 2000}
"""Milliseconds at a million samples that we want to stay below (p95)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--queries", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--in", dest="place", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.place:
        _ask(Path(asked.place), asked.queries, asked.seed)
        return
    with tempfile.TemporaryDirectory() as folder:
        scanned = Path(folder) / "scanned"
        recipe.scan(SOURCE, scanned)
        for n in asked.samples:
            place = repeated(scanned, Path(folder) / str(n), n)
            command = [sys.executable, __file__, "--in", str(place)]
            options = ["--queries", str(asked.queries), "--seed", str(asked.seed)]
            subprocess.run([*command, *options], check=True)


def repeated(scanned: Path, place: Path, n: int) -> Path:
    """A workspace of n samples: those of a scan again and again, with thumbnails and findings."""
    found, report = recipe.evidence(scanned), recipe.last_report(scanned)
    assert report is not None
    place.mkdir(parents=True)
    for file in ("workspace.json", *(p.name for p in scanned.glob("thumbs-*.pack"))):
        (place / file).hardlink_to(scanned / file)
    samples, boxes = _tiled(found.samples, n), found.boxes.slice(0, 0)
    old = found.dataset
    dataset = Dataset(old.name, old.root, old.format, samples, boxes, old.class_names, old.splits)
    folder = commit(Workspace(place), lambda f: results.write_dataset(
        f, results.read_source(Workspace(scanned)), dataset, samples, boxes))  # fmt: skip
    findings = tuple(_again(f, len(found), n) for f in report.findings)
    results.write_report(folder, Report(report.dataset, findings, report.versions, report.created))
    _write_descriptors(scanned, folder / similar.FILE, n)
    return place


def _tiled(table: pa.Table, n: int) -> pa.Table:
    rng, wanted = np.random.default_rng(0), np.arange(n) % table.num_rows
    tiled = table.take(pa.array(wanted))
    for i, field in enumerate(table.schema):
        if pa.types.is_floating(field.type) or field.name == "file_size":
            moved = np.asarray(tiled[field.name].to_numpy()) * rng.uniform(0.99, 1.01, n)
            missing = np.isnan(moved)
            numbers = pa.array(np.nan_to_num(moved), mask=missing).cast(field.type, safe=False)
            tiled = tiled.set_column(i, field, numbers)
    names = [f"{s}/{c}/{i:07d}.jpg" for i, (s, c) in enumerate(zip(
        tiled["split"].to_pylist(), tiled["label"].to_pylist(), strict=True))]  # fmt: skip
    ids = [f"{i:016x}" for i in range(n)]
    for name, texts in (("path", sorted(names)), ("sample_id", ids), ("content_hash", ids)):
        tiled = tiled.set_column(table.column_names.index(name), name, pa.array(texts))
    return tiled.replace_schema_metadata(table.schema.metadata)


def _again(finding: Finding, size: int, n: int) -> Finding:
    s, copies = finding.subjects, -(-n // size)
    rows = (s.rows[None, :] + size * np.arange(copies)[:, None]).ravel()
    inside = rows < n
    scores = np.tile(s.scores, copies)[inside]
    details = [d for d, keep in zip(list(s.details) * copies, inside, strict=True) if keep]
    return replace(finding, subjects=Subjects(rows[inside], scores, details))


def _write_descriptors(scanned: Path, path: Path, n: int) -> None:
    """Repeated and moved a little, like the measures: working them out is another question."""
    found: Evidence = recipe.evidence(scanned)
    thumbnail = recipe.files(Workspace(scanned), found).thumbnail
    one = similar.described(len(found), thumbnail)
    target = np.lib.format.open_memmap(path, "w+", np.float32, (n, similar.WIDTH))
    rng = np.random.default_rng(1)
    for start in range(0, n, 65536):
        rows = np.arange(start, min(start + 65536, n))
        target[rows] = one[rows % len(one)] + rng.normal(0, 1, (len(rows), one.shape[1]))
    target.flush()


# -- asking ---------------------------------------------------------------------------------------


def _ask(place: Path, queries: int, seed: int) -> None:
    began = time.perf_counter()
    browser = recipe.browser(place)
    opened = time.perf_counter() - began
    memory = psutil.Process().memory_info().rss / 2**20
    rng = np.random.default_rng(seed)
    print(f"\n{browser.n:,} samples; opened in {opened:.1f} s, {memory:,.0f} MB\n")
    print("| question | first, ms | p50, ms | p95, ms | wanted at 1M |\n|---|---|---|---|---|")
    for name, ask in _questions(browser, rng, place).items():
        times = [_timed(ask, _filter(browser, rng)) for _ in range(queries)]
        later = times[1:]
        print(
            f"| {name} | {times[0]:.0f} | {np.median(later):.0f} | {np.quantile(later, 0.95):.0f} "
            f"| {LIMITS.get(name.split(',', maxsplit=1)[0], '')} |", flush=True,
        )  # fmt: skip
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    memory = psutil.Process().memory_info().rss / 2**20
    mapped = browser.n * similar.WIDTH * 4 / 2**20
    print(f"\nmemory now {memory:,.0f} MB, peak {peak:,.0f} MB, of which descriptors, mapped from "
          f"their file and dropped at need: {mapped:,.0f} MB")  # fmt: skip


def _timed(ask: Callable[[Filter], Any], filter: Filter) -> float:
    began = time.perf_counter()
    ask(filter)
    return (time.perf_counter() - began) * 1000


def _filter(browser: Browser, rng: np.random.Generator) -> Filter:
    """One to three parts of the kinds that people click."""
    made = Filter()
    for part in rng.choice(("label", "split", "finding", "range", "search", "where"),
                           rng.integers(1, 4), replace=False):  # fmt: skip
        if part in ("label", "split", "finding"):
            values = [v for v, _ in browser.facet(Filter(), part)]
            some = rng.choice(len(values), rng.integers(1, min(4, len(values)) + 1), replace=False)
            made = made.with_values(str(part), [values[i] for i in some])
        elif part == "range":
            column = str(rng.choice(_spread(browser)))
            edges = browser.histogram(Filter(), column).edges
            low, high = np.sort(rng.uniform(edges[1], edges[-2], 2))
            made = made.with_range(column, float(low), float(high))
        elif part == "search":
            made = made.but(search=f"{rng.integers(0, 1000):03d}")
        else:
            made = made.but(where=f"brightness < {rng.uniform(0, 0.5):.4f} and width > 20")
    return made


def _spread(browser: Browser) -> list[str]:
    return ["brightness", "contrast", "sharpness", "entropy", "file_size", "edge_density"]


def _questions(
    browser: Browser, rng: np.random.Generator, place: Path
) -> dict[str, Callable[[Filter], Any]]:
    column = lambda: str(rng.choice(_spread(browser)))  # noqa: E731
    row = lambda: int(rng.integers(browser.n))  # noqa: E731

    def decide(filter: Filter) -> int:
        recipe.decide(place, "tag", [row()], f"tag {row()}")
        return len(recipe.browser(place).rows(filter.with_values("decision", ["undecided"])))

    return {
        "rows, in table order": browser.rows,
        "rows, by a column": lambda f: browser.rows(f, Order(column(), bool(rng.integers(2)))),
        "rows, all by a column": lambda f: browser.rows(
            Filter().with_range("width", -row(), None), Order(column(), bool(rng.integers(2)))),
        "rows, by label": lambda f: browser.rows(f, Order("label")),
        "rows, by path": lambda f: browser.rows(f, Order("path", True)),
        "rows, at random": lambda f: browser.rows(f, Order(seed=row())),
        "facets, all categories": lambda f: browser.facets(f.with_range("height", -row(), None)),
        "histogram": lambda f: browser.histogram(f, column()),
        "crosstab, label × split": lambda f: browser.crosstab(f, "label", "split"),
        "crosstab, finding × label": lambda f: browser.crosstab(f, "finding", "label"),
        "scatter, coloured by label": lambda f: browser.scatter(f, column(), column(), "label"),
        "compare, with the rest": lambda f: browser.compare(f, Filter()),
        "similar": lambda f: browser.similar(row()),
        "quantile": lambda f: browser.quantile(row()),
        "decide, then rows": decide,
    }  # fmt: skip


if __name__ == "__main__":
    main()
