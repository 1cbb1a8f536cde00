"""Which pictures belong together when nobody says so? k-means over their descriptors.

The centres are found on a part of the pictures (Lloyd 1982 from k-means++, Arthur and Vassilvitskii
2007), then every picture goes to its nearest one: a million take a second or two. What a cluster
means is what its pictures have in common to the descriptor: layout and colour (similar.py).
"""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt

SEED = 0
FITTED_ON = 20_000
"""Pictures that the centres are found on: with k up to MOST, 200 and more for each."""
ROUNDS, STARTS = 25, 3
FEWEST, USUAL, MOST = 2, 20, 100
BLOCK = 65_536

Floats = npt.NDArray[np.float32]


def clusters(described: Floats, k: int, seed: int = SEED) -> npt.NDArray[np.int32]:
    """(n,) int32 cluster of every picture, the largest is 0; -1 where there is no picture.

    described  (n, d) float32, NaN rows: no picture
    k          how many are asked for; fewer come back where pictures are that much alike
    """
    known = np.flatnonzero(~np.isnan(described[:, 0]))
    codes = np.full(len(described), -1, np.int32)
    if not len(known):
        return codes
    rng = np.random.default_rng(seed)
    some = known if len(known) <= FITTED_ON else np.sort(rng.choice(known, FITTED_ON, False))
    centres = _centres(np.asarray(described[some], np.float64), k, seed)
    for start in range(0, len(known), BLOCK):
        rows = known[start : start + BLOCK]
        codes[rows] = nearest_centre(np.asarray(described[rows]), centres)
    counts = np.bincount(codes[known], minlength=len(centres))
    place = np.empty(len(centres), np.int32)
    place[np.argsort(-counts, kind="stable")] = np.arange(len(centres))
    codes[known] = place[codes[known]]
    return codes


def _centres(pictures: npt.NDArray[np.float64], k: int, seed: int) -> Floats:
    """(at most k, d) float32 centres, each different: the tightest of a few starts."""
    k = min(k, len(np.unique(pictures, axis=0)))
    return min((_started(pictures, k, seed + i) for i in range(STARTS)), key=lambda s: s[0])[1]


def _started(pictures: npt.NDArray[np.float64], k: int, seed: int) -> tuple[float, Floats]:
    """(sum of squared distances, centres) of one start."""
    from scipy.cluster.vq import kmeans2

    with warnings.catch_warnings():
        # one that nothing is nearest to stays where it began: it gets no picture below either
        warnings.filterwarnings("ignore", "One of the clusters is empty")
        found, codes = kmeans2(pictures, k, iter=ROUNDS, minit="++", seed=seed)
    spread = float(((pictures - found[codes]) ** 2).sum())
    return spread, np.unique(found, axis=0).astype(np.float32)


def nearest_centre(pictures: Floats, centres: Floats) -> npt.NDArray[np.int64]:
    """(m,) int64 which centre each picture is nearest to, the first of equals."""
    # |x - c|² less |x|², which is the same for every centre
    apart = (centres**2).sum(1) - 2 * pictures @ centres.T
    return np.asarray(np.argmin(apart, axis=1), np.int64)
