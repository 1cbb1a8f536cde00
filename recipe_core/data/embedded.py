"""What does an embedding tell of every picture: its kin, its place on a map, how alone it is?

Made by `recipe embed`, never by a scan: it takes minutes. The columns are shown with the samples;
the vectors themselves stay beside the workspace's other files (images/embedding.py).
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recipe_core.data.clusters import USUAL, clusters
from recipe_core.data.flat_map import KINDS, flat
from recipe_core.data.outlying import outlying
from recipe_core.images.embedding import Compact, compact
from recipe_core.images.neighbours import EXACT, nearest, recall, unit
from recipe_core.kernel.check import Measure
from recipe_core.kernel.errors import MissingInput, UnknownName
from recipe_core.kernel.evidence import Evidence, Files
from recipe_core.kernel.progress import Progress

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]

NAME = "embedding"
MAP_X, MAP_Y = "map_x", "map_y"
CLUSTER, OUTLIER = "embedding_cluster", "embedding_outlier"
NEAR_ROWS, NEAR_COSINES = "neighbours", "neighbour_cosines"
NEIGHBOURS = 10
FEWEST = 3
"""Pictures below which nobody has neighbours."""
ABOUT = b"recipe"
"""Key of the summary in the table's metadata, as JSON."""


@dataclass(frozen=True)
class Options:
    """How pictures are described and what is made of it.

    embedding  see images/embedding.py
    map        see data/flat_map.py
    clusters   how many groups are asked for
    device     cpu, cuda or auto
    """

    embedding: str = "patches"
    map: str = KINDS[0]
    clusters: int = USUAL
    device: str = "auto"
    seed: int = 0


def measure(evidence: Evidence, files: Files, progress: Progress) -> pa.Table:
    """The measure under its usual options."""
    return measure_embedding(evidence, files, progress, Options())[0]


def measure_embedding(
    evidence: Evidence, files: Files, progress: Progress, options: Options
) -> tuple[pa.Table, Compact]:
    """`row`, the columns, NEAR_ROWS and NEAR_COSINES of every picture; and their vectors.

    The outlier score is that of data/outlying.py, by the NEIGHBOURS nearest.

    Raises MissingInput where there are no pictures, Misuse for what cannot be asked, and whatever
    `progress` raises to stop.
    """
    if options.map not in KINDS:
        raise UnknownName("kind of map", options.map, KINDS)
    started = time.perf_counter()
    where = "cpu" if options.embedding.endswith(".npy") else device(options.device)
    made = compact(
        evidence, files, options.embedding, folder=files.folder, device=where, seed=options.seed,
        progress=progress,
    )  # fmt: skip
    n = len(made.rows)
    if n < FEWEST:
        raise MissingInput(f"an embedding needs {FEWEST} pictures that decode; there are {n}")
    vectors = np.asarray(made.vectors, np.float32)
    progress("seeking neighbours", 0, 0)
    near, cosines = nearest(vectors, NEIGHBOURS)
    places = flat(vectors, options.map, options.seed, progress)
    progress("finding clusters", 0, 0)
    groups = clusters(unit(vectors), options.clusters, options.seed)
    summary = {
        "embedding": made.name, "kind": options.embedding, "pictures": n,
        "dimensions": int(vectors.shape[1]), "neighbours": NEIGHBOURS,
        "recall": 1.0 if n <= EXACT else recall(vectors, near, options.seed), "exact": n <= EXACT,
        "map": options.map, "clusters": int(groups.max()) + 1, "seed": options.seed,
        "vectors": made.file.name if made.file else "",
        "seconds": round(time.perf_counter() - started, 1),
    }  # fmt: skip
    table = pa.table({
        "row": pa.array(made.rows, pa.int64()),
        MAP_X: pa.array(places[:, 0], pa.float32()), MAP_Y: pa.array(places[:, 1], pa.float32()),
        CLUSTER: _named(groups),
        OUTLIER: pa.array(outlying(vectors, near, cosines), pa.float32()),
        NEAR_ROWS: _lists([made.rows[r[r >= 0]] for r in near], pa.int64()),
        NEAR_COSINES: _lists([c[r >= 0] for r, c in zip(near, cosines, strict=True)],
                             pa.float32()),
    })  # fmt: skip
    return table.replace_schema_metadata({ABOUT: json.dumps(summary).encode()}), made


def kin(table: pa.Table, made: Compact) -> Rows:
    """(k, NEIGHBOURS) int64 places of each picture's neighbours among the described, -1: none."""
    found = np.full((len(made.rows), NEIGHBOURS), -1, np.int64)
    lists = table[NEAR_ROWS].combine_chunks()
    lengths = np.diff(np.asarray(lists.offsets.to_numpy(), np.int64))
    inside = np.arange(NEIGHBOURS) < lengths[:, None]
    found[inside] = np.searchsorted(made.rows, np.asarray(lists.flatten().to_numpy(), np.int64))
    return found


def _named(groups: npt.NDArray[np.int32]) -> pa.Array:
    """Clusters as texts that sort by size: 01 is the largest."""
    digits = max(2, len(str(int(groups.max(initial=0)) + 1)))
    return pa.array([f"{g + 1:0{digits}d}" for g in groups.tolist()], pa.string())


def _lists(values: list[npt.NDArray[Any]], kind: pa.DataType) -> pa.Array:
    ends = np.concatenate([[0], np.cumsum([len(v) for v in values])])
    flat_values = np.concatenate(values) if values else np.empty(0)
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.array(flat_values, kind))


def device(asked: str) -> str:
    """The device of this name; auto: a GPU where there is one."""
    if asked != "auto":
        return asked
    import importlib

    return "cuda" if importlib.import_module("torch").cuda.is_available() else "cpu"


# -- what was stored ----------------------------------------------------------------------------


def summary_of(table: pa.Table) -> dict[str, Any]:
    """What `measure_embedding` said about the whole."""
    stored: dict[str, Any] = json.loads((table.schema.metadata or {}).get(ABOUT, b"{}"))
    return stored


@dataclass(frozen=True)
class Embedded:
    """The stored vectors of a data set, by sample.

    name     how the pictures were described, in words
    vectors  (k, d) float16, mapped from a file
    place    (n,) int64 where each sample's vector lies, -1 without one
    """

    name: str
    vectors: npt.NDArray[np.float16]
    place: Rows

    def distances(self, row: int) -> Floats:
        """(n,) float32 1 - cosine to one sample's, NaN without a picture; (n,) NaN if it has none.

        By blocks: the vectors of a million pictures need not fit into memory.
        """
        found = np.full(len(self.place), np.nan, np.float32)
        at = int(self.place[row])
        if at < 0:
            return found
        wanted = unit(np.asarray(self.vectors[at : at + 1], np.float32))[0]
        apart = np.empty(len(self.vectors), np.float32)
        for start in range(0, len(apart), BLOCK):
            block = unit(np.asarray(self.vectors[start : start + BLOCK], np.float32))
            apart[start : start + BLOCK] = 1 - block @ wanted
        known = self.place >= 0
        found[known] = np.maximum(apart[self.place[known]], 0)
        return found


BLOCK = 16_384


def stored(evidence: Evidence, folder: Path) -> Embedded | None:
    """The embedding of these samples; None where there is none, or its vectors are gone.

    folder  where descriptions are kept
    """
    path = described_in(evidence, folder)
    if path is None:
        return None
    table = evidence.tables[NAME]
    try:
        vectors = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    rows = np.asarray(table["row"].to_numpy(), np.int64)
    if vectors.ndim != 2 or len(vectors) != len(rows):
        return None
    place = np.full(len(evidence), -1, np.int64)
    place[rows] = np.arange(len(rows))
    return Embedded(str(summary_of(table)["embedding"]), vectors, place)


def described_in(evidence: Evidence, folder: Path | None) -> Path | None:
    """The file that the stored embedding's vectors lie in; None without one."""
    table = evidence.tables.get(NAME)
    name = summary_of(table).get("vectors") if table is not None else None
    return folder / str(name) if name and folder else None


EMBEDDED = Measure(
    NAME, 2, ("content_hash", "error"), measure, columns=(MAP_X, MAP_Y, CLUSTER, OUTLIER),
    asked=True, by="recipe embed",
)  # fmt: skip
