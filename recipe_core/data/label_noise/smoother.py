"""What would a classifier say of every sample that has never seen it, for any labels one may plant?

Kernel ridge regression on one column per class. Its out-of-fold answer is a fixed linear map of the
targets, worked out once; other labels then cost a matrix product. That is what makes it affordable
to plant wrong labels dozens of times and to look at what is found.

The kernel is Gaussian on standardised vectors, its width near the median distance. Up to EXACT
samples all are used (leave-a-fold-out in closed form: Pahikkala, Boberg and Salakoski, "Fast n-fold
cross-validation for regularized least-squares", SCAI 2006); beyond, LANDMARKS of them span the
space (Williams and Seeger, "Using the Nyström method to speed up kernel machines", NeurIPS 2000).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve, cholesky, lapack, solve_triangular

from recipe_core.kernel.progress import Progress, silent

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int64]

EXACT = 12_000
LANDMARKS = 6000
PENALTY = 0.4
"""Ridge penalty relative to the kernel's value of 1 between a picture and itself."""
WIDTH = 0.7
"""Square of the kernel's width, in medians of the squared distance between two samples."""
FEW_LANDMARKS = 2000
STRAIGHT_PENALTY = 0.008
"""Of the straight line, per sample."""
FLATTER = 0.75
"""Power of its spread by which a direction is divided: 0 keeps the spread, 1 makes all alike."""
BLOCK = 2048

Smoother = Callable[[Floats], Floats]
"""Targets (n, m) float32 -> (n, m) float32 out-of-fold answers."""


def smoother(
    vectors: npt.NDArray[np.floating], folds: Codes, *, penalty: float = PENALTY, seed: int = 0,
    exact: int = EXACT, progress: Progress = silent,
) -> Smoother:  # fmt: skip
    """The out-of-fold answer of a kernel ridge as a function of its targets.

    vectors  (n, d) any floats; the same samples as
    folds    (n,) 0 … k - 1: a sample's answer rests on the samples of the other folds

    Raises whatever `progress` raises to stop.
    """
    rng = np.random.default_rng(seed)
    if len(vectors) <= exact:
        return _exact(_kernel(vectors, progress), folds, penalty, progress)
    chosen = np.sort(rng.permutation(len(vectors))[: min(LANDMARKS, len(vectors))])
    features = _features(vectors, chosen, _scaling(vectors), progress)
    return _spanned(features, folds, penalty, progress)


def coarse(
    place: Floats, folds: Codes, *, seed: int = 0, progress: Progress = silent
) -> tuple[Smoother, Smoother]:
    """Two cheap classifiers that err elsewhere than the first: few directions, wide and flat.

    place  (n, d) float32 main directions of the vectors, centred
    folds  (n,) 0 … k - 1

    A line in these directions, and a kernel in which small directions count more than they vary.
    Raises whatever `progress` raises to stop.
    """
    spread = place.std(0) + 1e-12
    share = spread / spread.max()
    middle = place.mean(0)
    straight = np.asarray((place - middle) / (spread.max() * np.sqrt(share)), np.float32)
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.permutation(len(place))[: min(FEW_LANDMARKS, len(place))])
    flat = np.asarray(1 / (spread.max() * share**FLATTER), np.float32)
    bent = _features(place, chosen, (middle, flat), progress)
    return (
        _spanned(straight, folds, STRAIGHT_PENALTY * len(place), progress),
        _spanned(bent, folds, PENALTY, progress),
    )


def _scaling(vectors: npt.NDArray[np.floating]) -> tuple[Floats, Floats]:
    """Mean and scale of each number; one that hardly varies is not blown up."""
    sample = np.asarray(vectors[:: max(1, len(vectors) // 20_000)], np.float32)
    mean, spread = sample.mean(0), sample.std(0)
    floor = 0.05 * float(np.median(spread)) + 1e-12
    return mean, 1 / np.maximum(spread, floor)


def _gaussian(a: Floats, b: Floats, width: float) -> Floats:
    """(len(a), len(b)) Gaussian kernel of scaled vectors; in place, as it is large."""
    found = a @ b.T
    found *= 2
    found -= np.einsum("ij,ij->i", a, a)[:, None]
    found -= np.einsum("ij,ij->i", b, b)[None, :]
    found *= np.float32(1 / width)
    np.minimum(found, 0, out=found)
    return np.asarray(np.exp(found, out=found), np.float32)


def _width(scaled: Floats) -> float:
    """The square of the kernel's width."""
    some = scaled[:: max(1, len(scaled) // 512)]
    square = np.einsum("ij,ij->i", some, some)
    apart = square[:, None] + square[None, :] - 2 * some @ some.T
    return float(max(WIDTH * np.median(apart[np.triu_indices(len(some), 1)]), 1e-9))


def _kernel(vectors: npt.NDArray[np.floating], progress: Progress) -> Floats:
    mean, scale = _scaling(vectors)
    scaled = (np.asarray(vectors, np.float32) - mean) * scale
    width, n = _width(scaled), len(scaled)
    kernel = np.empty((n, n), np.float32)
    for start in range(0, n, BLOCK):
        progress("comparing pictures", start, n)
        rows = slice(start, start + BLOCK)  # of a symmetric matrix the half on and right of it
        kernel[rows, start:] = _gaussian(scaled[rows], scaled[start:], width)
        kernel[start:, rows] = kernel[rows, start:].T
    return kernel


def _exact(kernel: Floats, folds: Codes, penalty: float, progress: Progress) -> Smoother:
    """Residuals of a left-out fold are its block of the inverse, solved for the dual weights."""
    progress("fitting the classifier", 0, 0)
    kernel.ravel()[:: len(kernel) + 1] += np.float32(penalty)
    inverse = _inverse(kernel)
    members = [np.flatnonzero(folds == k) for k in range(int(folds.max()) + 1)]
    blocks = [(m, cho_factor(inverse[np.ix_(m, m)], lower=True)) for m in members]

    def answer(targets: Floats) -> Floats:
        weights = inverse @ targets
        found = np.empty_like(targets)
        for where, block in blocks:
            found[where] = targets[where] - cho_solve(block, weights[where])
        return found

    return answer


def _inverse(matrix: Floats) -> Floats:
    """Of a symmetric positive definite matrix, by its Cholesky factor; destroys it."""
    factor, bad = lapack.spotrf(matrix.T, lower=True, overwrite_a=True, clean=False)
    inverse, worse = lapack.spotri(factor, lower=True, overwrite_c=True)
    if bad or worse:
        raise np.linalg.LinAlgError("the kernel is not positive definite")
    lower = np.tril(inverse)
    return np.ascontiguousarray(lower + np.tril(lower, -1).T, np.float32)


def _features(
    vectors: npt.NDArray[np.floating], chosen: Codes, scaling: tuple[Floats, Floats],
    progress: Progress,
) -> Floats:  # fmt: skip
    """(n, m) coordinates whose inner products are the kernel's, as far as the chosen ones span."""
    mean, scale = scaling
    marks = (np.asarray(vectors[chosen], np.float32) - mean) * scale
    width = _width(marks)
    inner = _gaussian(marks, marks, width).astype(np.float64)
    inner.ravel()[:: len(marks) + 1] += 1e-3
    root = cholesky(inner, lower=True).astype(np.float32)
    found = np.empty((len(vectors), len(marks)), np.float32)
    for start in range(0, len(vectors), BLOCK):
        progress("comparing pictures", start, len(vectors))
        block = (np.asarray(vectors[start : start + BLOCK], np.float32) - mean) * scale
        alike = _gaussian(block, marks, width)
        found[start : start + BLOCK] = solve_triangular(root, alike.T, lower=True).T
    return found


def _spanned(features: Floats, folds: Codes, penalty: float, progress: Progress) -> Smoother:
    members = [np.flatnonzero(folds == k) for k in range(int(folds.max()) + 1)]
    squares = []
    for k, where in enumerate(members):
        progress("fitting the classifier", k, len(members))
        squares.append(features[where].T @ features[where])
    total = np.sum(squares, axis=0)
    factors = []
    for square in squares:
        others = total - square
        others.ravel()[:: len(others) + 1] += np.float32(penalty)
        factors.append(cho_factor(others, lower=True, overwrite_a=True))

    def answer(targets: Floats) -> Floats:
        sums = [features[where].T @ targets[where] for where in members]
        whole = np.sum(sums, axis=0)
        found = np.empty_like(targets)
        for where, factor, own in zip(members, factors, sums, strict=True):
            found[where] = features[where] @ cho_solve(factor, whole - own).astype(np.float32)
        return found

    return answer
