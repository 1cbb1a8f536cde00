"""How far out does each picture lie? A stranger stands alone, or is extreme though it does not.

    alone    the mean distance (1 - cosine) to the nearest pictures: Ramaswamy, Rastogi and Shim,
             "Efficient algorithms for mining outliers", SIGMOD 2000
    extreme  the distance from the middle in units of the data's own spread (Mahalanobis 1936), the
             covariance shrunk as Ledoit and Wolf (2004) say: few pictures do not fill the space

A drawing among photographs is plain, and plain pictures point the same way as many others: by
cosines it has company. A photograph of another thing is no more extreme than the others, but alone.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

FITTED_ON = 20_000
"""Vectors that say what the spread is; of 256 numbers each, so many settle it."""
BLOCK = 16_384


def outlying(vectors: Floats, near: Rows, cosines: Floats) -> Floats:
    """(n,) float32 powers of ten: at 2, one in a hundred lies so far out; 0 … log10(2 n).

    vectors        (n, d), n >= 2
    near, cosines  (n, k) the nearest others and how near they are, from `neighbours.nearest`

    The mean over both ways of lying far out (as Fisher combines tests, 1925), each by the share of
    pictures that lie at least as far.
    """
    there = near >= 0
    alone = np.where(there, 1 - cosines, 0).sum(1) / np.maximum(there.sum(1), 1)
    return np.asarray((_rarity(alone) + _rarity(_extreme(vectors))) / 2, np.float32)


def _rarity(values: npt.NDArray[np.floating]) -> Doubles:
    from scipy.stats import rankdata  # a scan loads this module and needs neither

    n = len(values)
    return np.asarray(-np.log10((n + 0.5 - rankdata(values)) / n), np.float64)


def _extreme(vectors: Floats) -> Doubles:
    """(n,) squared distance from the middle in units of the spread."""
    from sklearn.covariance import LedoitWolf

    step = max(1, len(vectors) // FITTED_ON)
    spread = LedoitWolf().fit(vectors[::step])
    blocks = (vectors[i : i + BLOCK] for i in range(0, len(vectors), BLOCK))
    return np.concatenate([spread.mahalanobis(block) for block in blocks])
