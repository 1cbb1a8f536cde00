"""Where does every picture lie on a map on which like ones stand together?

    pca    the two main directions: distances across the map mean something, neighbours less
    tsne   neighbours stay neighbours; how far two groups lie apart means little

van der Maaten and Hinton, "Visualizing Data using t-SNE", JMLR 2008, by openTSNE (Policar, Strazar
and Zupan, JSS 2024), started from the main directions (Kobak and Berens, Nature Communications
2019), so that the whole keeps its order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from recipe_core.images.neighbours import nearest, unit
from recipe_core.kernel.errors import UnknownName
from recipe_core.kernel.progress import Progress

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]

KINDS = ("tsne", "pca")
PERPLEXITY = 30
"""Neighbours that a picture keeps close: van der Maaten and Hinton take 5 to 50."""
LEAST = 3 * PERPLEXITY // 2
"""Pictures below which there is no crowd to lay out: their main directions are drawn."""
MOST = 50_000
"""Pictures that are laid out; of more, the others lie among their nearest of these."""
EXAGGERATED, ROUNDS, SPOKEN_EVERY = 250, 500, 25
SMALL = 10_000
"""Pictures from which the forces are worked out on a grid (Linderman et al. 2019)."""
AMONG = 5
BLOCK = 65_536


def flat(vectors: Floats, how: str, seed: int, progress: Progress) -> Floats:
    """(n, 2) float32, 0 in the middle, 99 of 100 within -1 … 1.

    vectors  (n, d) along their main directions, the widest first

    Raises UnknownName for the kind of map, and whatever `progress` raises to stop.
    """
    if how not in KINDS:
        raise UnknownName("kind of map", how, KINDS)
    if how == "pca" or len(vectors) < LEAST:
        return _scaled(_two(vectors))
    if len(vectors) <= MOST:
        return _scaled(_laid_out(vectors, seed, progress))
    drawn = np.sort(np.random.default_rng(seed).permutation(len(vectors))[:MOST])
    places = _laid_out(vectors[drawn], seed, progress)
    return _scaled(_among(vectors, drawn, places, progress))


def _two(vectors: Floats) -> Floats:
    found = np.zeros((len(vectors), 2), np.float32)
    found[:, : vectors.shape[1]] = vectors[:, :2]
    return found


def _scaled(places: Floats) -> Floats:
    if not len(places):
        return places
    centred = places - np.median(places, axis=0).astype(np.float32)
    reach = float(np.quantile(np.abs(centred).max(1), 0.99))
    return np.asarray(centred / (reach or 1.0), np.float32)


def _laid_out(vectors: Floats, seed: int, progress: Progress) -> Floats:
    import openTSNE
    from openTSNE import affinity, initialization, nearest_neighbors

    from recipe_core.execution.engines import usable_cores

    n, jobs = len(vectors), usable_cores()
    perplexity = min(PERPLEXITY, (n - 1) // 3)
    progress("laying out the map", 0, EXAGGERATED + ROUNDS)
    near, cosines = nearest(vectors, 3 * perplexity)
    apart = np.sqrt(np.maximum(2 - 2 * cosines, 0)).astype(np.float64)
    known = nearest_neighbors.PrecomputedNeighbors(near, apart)
    close = affinity.PerplexityBasedNN(
        knn_index=known, perplexity=perplexity, n_jobs=jobs, random_state=seed
    )
    start = initialization.rescale(_two(vectors).astype(np.float64))
    made: Any = openTSNE.TSNEEmbedding(
        start, close, negative_gradient_method="fft" if n > SMALL else "bh", n_jobs=jobs,
        random_state=seed,
    )  # fmt: skip

    def told(done: int) -> Any:
        def say(iteration: int, error: float, embedding: Any) -> None:
            progress("laying out the map", done + iteration, EXAGGERATED + ROUNDS)

        return {"callbacks": say, "callbacks_every_iters": SPOKEN_EVERY}

    made = made.optimize(EXAGGERATED, exaggeration=12, momentum=0.5, **told(0))
    made = made.optimize(ROUNDS, momentum=0.8, **told(EXAGGERATED))
    return np.asarray(made, np.float32)


def _among(vectors: Floats, drawn: Rows, places: Floats, progress: Progress) -> Floats:
    """Every other picture in the middle of the nearest of those that are laid out."""
    import faiss

    index: Any = faiss.IndexFlatIP(vectors.shape[1])
    index.add(unit(vectors[drawn]))
    found = np.empty((len(vectors), 2), np.float32)
    for start in range(0, len(vectors), BLOCK):
        progress("placing the others on the map", start, len(vectors))
        _, near = index.search(unit(vectors[start : start + BLOCK]), AMONG)
        found[start : start + BLOCK] = np.median(places[near], axis=1)
    found[drawn] = places
    return found
