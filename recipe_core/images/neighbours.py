"""Which pictures lie nearest to each in an embedding? Exact up to EXACT vectors, by faiss."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]

EXACT = 200_000
"""Vectors that are all compared with each other; beyond, an inverted file looks at CELLS_SEEN."""
CELLS_SEEN = 32


def unit(vectors: Floats) -> Floats:
    """(n, d) float32 of length 1 (0 stays 0): their inner products are cosines."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-12), np.float32)


def nearest(vectors: Floats, k: int, *, exact: int = EXACT) -> tuple[Rows, Floats]:
    """(n, k) int64 rows and (n, k) float32 cosines of the k nearest others, nearest first.

    vectors  (n, d) float32. Fewer than k others: rows -1, cosine -1.
    exact    beyond so many the search is approximate (`recall` measures how good it is)
    """
    import faiss

    lengths = unit(vectors)
    index: Any = faiss.IndexFlatIP(lengths.shape[1])
    if len(lengths) > exact:
        cells = int(4 * np.sqrt(len(lengths)))
        index = faiss.IndexIVFFlat(index, lengths.shape[1], cells, faiss.METRIC_INNER_PRODUCT)
        index.train(lengths[:: max(1, len(lengths) // (50 * cells))])
        index.nprobe = CELLS_SEEN
    index.add(lengths)
    cosines, rows = index.search(lengths, min(k + 1, len(lengths)))
    return _without_oneself(rows.astype(np.int64), cosines, k)


def _without_oneself(rows: Rows, cosines: Floats, k: int) -> tuple[Rows, Floats]:
    """A copy of oneself may come first: oneself is left out wherever it stands."""
    n, found = rows.shape
    own = rows == np.arange(n)[:, None]
    own[~own.any(1), -1] = True  # not among its own neighbours (many copies): the last one goes
    kept_rows = rows[~own].reshape(n, found - 1)
    kept = np.full((n, k), -1, np.int64), np.full((n, k), -1, np.float32)
    kept[0][:, : found - 1] = kept_rows[:, :k]
    kept[1][:, : found - 1] = cosines[~own].reshape(n, found - 1)[:, :k]
    return kept


def recall(vectors: Floats, rows: Rows, seed: int = 0, probes: int = 1000) -> float:
    """The share of the true nearest neighbours that `rows` holds, on random probes."""
    import faiss

    lengths = unit(vectors)
    chosen = np.random.default_rng(seed).permutation(len(lengths))[:probes]
    k = rows.shape[1]
    index = faiss.IndexFlatIP(lengths.shape[1])
    index.add(lengths)
    _, true = index.search(lengths[chosen], k + 1)
    hits = [len((set(t.tolist()) - {c}) & set(r.tolist())) / k
            for t, c, r in zip(true, chosen.tolist(), rows[chosen], strict=True)]  # fmt: skip
    return float(np.mean(hits))
