"""What is known about the samples on screen beside their pictures? Findings, decisions, boxes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from app import opened, words
from recipe_core import recipe
from recipe_core.kernel.evidence import Files
from recipe_core.store.workspace import Workspace

MOST_BOXES = 100
"""Boxes drawn over one thumbnail; of more, the largest."""


def state() -> str:
    """Changes whenever a decision does; part of a window's address, since windows are cached."""
    return str(recipe.decisions(opened.workspace()).state())


def badges() -> dict[str, list[str]]:
    """check id -> [short, name, verdict] of every finding that names samples."""
    return {
        f.check: [short(f.check), words.spoken(f.check), f.verdict]
        for f in opened.findings().values()
        if len(f.subjects)
    }


def short(check_id: str) -> str:
    """near_duplicates -> ND, corruption -> Co: what fits on a picture's corner."""
    parts = check_id.split("_")
    return parts[0][:2].capitalize() if len(parts) == 1 else "".join(p[:1] for p in parts).upper()


def described(rows: npt.NDArray[np.int64]) -> list[dict[str, Any]]:
    """What stands beside each picture; whatever is empty is left out.

    row, path, label, split, error; findings (check ids), decision (`excluded` or `kept`),
    relabel (the new label), tags, note.
    """
    names = opened.names().take(rows)
    splits, findings, decided = _splits(rows), _findings(rows), _decisions(rows)
    return [
        _filled(row=int(row), path=path, label=label, error=error, split=split, findings=found)
        | decision
        for row, (path, label, error), split, found, decision in zip(
            rows, names, splits, findings, decided, strict=True
        )
    ]


def pictures(rows: npt.NDArray[np.int64]) -> list[bytes]:
    """The thumbnails (JPEG), b'' where there is none."""
    held = _files(str(opened.workspace()), opened.state())
    return [held.thumbnail(int(row)) or b"" for row in rows]


@lru_cache(maxsize=2)
def _files(_workspace: str, _state: str) -> Files:
    """Opened once per results: asked for one by one, each would look up what is in force."""
    return recipe.files(Workspace(opened.workspace()), opened.evidence())


def _filled(**values: Any) -> dict[str, Any]:
    return {k: v for k, v in values.items() if v not in ("", None, [])}


def _splits(rows: npt.NDArray[np.int64]) -> list[str | None]:
    samples = opened.evidence().samples
    if "split" not in samples.column_names:
        return [None] * len(rows)
    found: list[str | None] = samples["split"].take(pa.array(rows)).to_pylist()
    return found


def _findings(rows: npt.NDArray[np.int64]) -> list[list[str]]:
    checks, named = _named(str(opened.workspace()), opened.state())
    bits = named[rows]
    return [[c for i, c in enumerate(checks) if b >> i & 1] for b in bits.tolist()]


@lru_cache(maxsize=2)
def _named(_workspace: str, _state: str) -> tuple[tuple[str, ...], npt.NDArray[np.uint64]]:
    """Check ids, and (n,) one bit for each that blames the sample, as the filter counts them."""
    found = opened.findings()
    bits = np.zeros(len(opened.evidence()), np.uint64)
    for i, finding in enumerate(found.values()):
        bits[finding.subjects.blamed()] |= np.uint64(1 << i)
    return tuple(found), bits


def _decisions(rows: npt.NDArray[np.int64]) -> list[dict[str, Any]]:
    place, table = _decided(str(opened.workspace()), opened.state(), state())
    at = [place.get(row) for row in rows.tolist()] if place else [None] * len(rows)
    return [{} if i is None else _decision(table.slice(i, 1).to_pylist()[0]) for i in at]


@lru_cache(maxsize=2)
def _decided(_workspace: str, _results: str, _state: str) -> tuple[dict[int, int], pa.Table]:
    """Where the rows with a decision stand in the table of decisions."""
    table = recipe.decided(opened.workspace())
    return {r: i for i, r in enumerate(table["row"].to_pylist()) if r is not None}, table


def _decision(row: dict[str, Any]) -> dict[str, Any]:
    word = {True: "excluded", False: "kept", None: ""}[row["excluded"]]
    return _filled(decision=word, relabel=row["label"], tags=row["tags"], note=row["note"])


# -- boxes --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Boxes:
    """Every box with a place on its picture: those of row i stand from starts[i] to starts[i + 1].

    corners  (k, 4) float32, xmin, ymin, xmax, ymax as shares of the displayed picture's sides
    labels   (k,) text
    """

    starts: npt.NDArray[np.int64]
    corners: npt.NDArray[np.float32]
    labels: pa.ChunkedArray

    def of(self, row: int) -> list[list[Any]]:
        """[[xmin, ymin, xmax, ymax, label], …], the largest first, at most MOST_BOXES."""
        first, last = int(self.starts[row]), int(self.starts[row + 1])
        corners = self.corners[first:last]
        area = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
        chosen = np.argsort(-area, kind="stable")[:MOST_BOXES]
        names = self.labels.slice(first, last - first).to_pylist()
        return [[*np.round(corners[i].astype(float), 4).tolist(), names[i] or ""] for i in chosen]


def boxed(rows: npt.NDArray[np.int64]) -> list[dict[str, Any]]:
    """`size` ([width, height] in pixels) and `boxes` of each sample that has any, {} else."""
    found, samples = boxes(), opened.evidence().samples
    if not len(found.corners):
        return [{} for _ in rows]
    sides = [samples[c].take(pa.array(rows)).to_pylist() for c in ("width", "height")]
    return [
        {"size": [w, h], "boxes": here} if (here := found.of(int(row))) else {}
        for row, w, h in zip(rows, *sides, strict=True)
    ]


def boxes() -> Boxes:
    """The boxes of the open data set."""
    return _boxes(str(opened.workspace()), opened.state())


@lru_cache(maxsize=2)
def _boxes(_workspace: str, _state: str) -> Boxes:
    found = opened.evidence()
    return relative(found.boxes, found.samples)


def relative(boxes: pa.Table, samples: pa.Table) -> Boxes:
    """Boxes in pixels of the displayed picture as shares of its sides.

    Left out: boxes of pictures without a known size, and corners that are no number.
    """
    n = samples.num_rows
    if not boxes.num_rows or not {"width", "height"} <= set(samples.column_names):
        return Boxes(
            np.zeros(n + 1, np.int64),
            np.empty((0, 4), np.float32),
            pa.chunked_array([], pa.string()),
        )
    row = boxes["row"].to_numpy()
    width, height = (_floats(samples[c])[row] for c in ("width", "height"))
    sides = np.stack([width, height, width, height], axis=1)
    corners = np.stack([_floats(boxes[c]) for c in ("xmin", "ymin", "xmax", "ymax")], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = corners / sides
    known = np.flatnonzero(np.isfinite(shares).all(axis=1))
    order = known[np.argsort(row[known], kind="stable")]
    starts = np.searchsorted(row[order], np.arange(n + 1))
    return Boxes(starts, shares[order].astype(np.float32), boxes["label"].take(pa.array(order)))


def _floats(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    values = pc.fill_null(pc.cast(column, pa.float64(), safe=False), np.nan)
    return np.asarray(values.to_numpy(), dtype=np.float64)
