"""How much more do patches of patches say? A second layer of filters on what the first answers.

The first layer is that of embedding_patches.py with smaller patches. What exceeds its threshold is
averaged down to MAP × MAP places; along the main directions of these maps patches are drawn again,
evened, whitened and made filters, whose answers are averaged over GRID × GRID cells of the picture
and of its mirror image. Nothing is trained and no label is looked at.

Out of five folds a kernel classifier is right about 0.72 instead of 0.68 of CIFAR-10's 10,000 test
pictures and 0.78 instead of 0.73 of 3,781 photos of clothing (benchmarks/RESULTS.md); a third layer
adds nothing there. Coates and Ng, "Selecting Receptive Fields in Deep Networks", NeurIPS 2011.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from recipe_core.images.embedding_patches import (
    CONTRAST,
    Floats,
    Squares,
    evened,
    whitened,
    whitening,
)

FIRST_PATCH, FIRST_FILTERS = 5, 256
MAP = 16
"""Places a side of the first layer's answers: what filters of 5 pixels leave of 32, halved."""
KEPT = 64
"""Main directions of those answers: 90 % of their variance."""
PATCH, GRID = 3, 3
CONTRAST_OF_ANSWERS = 0.01
"""Added to the variance of a patch of answers, as a share of the variance of all of them."""
THRESHOLD = 0.25
"""In standard deviations of the answers."""
SEEN, DRAWN = 1000, 40_000
"""Pictures and patches that a layer is made from: 70 for each of the 576 numbers of a patch."""
BATCH_CPU, BATCH_CUDA = 8, 128
MADE_BY = 50
"""Pictures at once while the filters are drawn, the same on every device."""


@dataclass(frozen=True)
class _Layer:
    """Whitened patches as filters, on the device.

    weights    (d, k) float32
    offsets    (k,) float32 what the mean patch answers
    threshold  what an answer has to exceed
    contrast   added to a patch's variance
    """

    weights: torch.Tensor
    offsets: torch.Tensor
    threshold: float
    contrast: float

    def of(self, patches: torch.Tensor) -> torch.Tensor:
        """(b, places, d) -> (b, places, 2k) what exceeds the threshold, in either direction."""
        answers = (evened(patches, self.contrast) @ self.weights).sub_(self.offsets)
        above = (answers - self.threshold).clamp_(min=0)
        return torch.cat([above, answers.neg_().sub_(self.threshold).clamp_(min=0)], 2)


class TwoLayers:
    """Describes squares (n, side, side, 3) uint8, side a multiple of MAP; seeded."""

    def __init__(
        self, squares: Squares, *, n_filters: int, seed: int = 0, device: str = "cpu"
    ) -> None:
        """`squares`: those that the filters are drawn from."""
        rng = np.random.default_rng(seed)
        self._device = device
        self._batch = BATCH_CUDA if device.startswith("cuda") else BATCH_CPU
        some = squares[np.sort(rng.permutation(len(squares))[:SEEN])]
        with torch.inference_mode():
            pixels = [self._pixels(some[b : b + MADE_BY]) for b in range(0, len(some), MADE_BY)]
            drawn = _drawn((_first_patches(p) for p in pixels), len(some), rng)
            self._first = _layer(drawn, FIRST_FILTERS, CONTRAST, rng, device)
            maps = [self._map(p) for p in pixels]
            self._mean, self._axes = _main(maps)
            drawn = _drawn((self._patches(m) for m in maps), len(some), rng)
            contrast = CONTRAST_OF_ANSWERS * float(drawn.var()) + 1e-12
            self._second = _layer(drawn, n_filters, contrast, rng, device)

    def of(self, squares: Squares) -> Floats:
        """(k, 18 · n_filters) float32 of these squares."""
        batches = range(0, len(squares), self._batch)
        with torch.inference_mode():
            found = [self._of(self._pixels(squares[b : b + self._batch])) for b in batches]
        return np.concatenate(found)

    def _of(self, pixels: torch.Tensor) -> Floats:
        both = self._cells(pixels) + self._cells(pixels.flip(3))
        return np.asarray((both / 2).flatten(1).cpu().numpy())

    def _pixels(self, squares: Squares) -> torch.Tensor:
        return torch.from_numpy(squares).to(self._device).permute(0, 3, 1, 2).float()

    def _map(self, pixels: torch.Tensor) -> torch.Tensor:
        """(b, 2 · FIRST_FILTERS, MAP, MAP)"""
        answers = _as_map(self._first.of(_first_patches(pixels)))
        return F.avg_pool2d(answers, answers.shape[3] // MAP)

    def _patches(self, maps: torch.Tensor) -> torch.Tensor:
        """(b, places, KEPT · PATCH²)"""
        along = (maps.permute(0, 2, 3, 1) - self._mean) @ self._axes
        return F.unfold(along.permute(0, 3, 1, 2), PATCH).transpose(1, 2)

    def _cells(self, pixels: torch.Tensor) -> torch.Tensor:
        answers = self._second.of(self._patches(self._map(pixels)))
        return F.adaptive_avg_pool2d(_as_map(answers), GRID)


def _first_patches(pixels: torch.Tensor) -> torch.Tensor:
    """(b, side², d): one around each pixel; beyond the edge the picture is mirrored."""
    around = F.pad(pixels, [FIRST_PATCH // 2] * 4, mode="reflect")
    return F.unfold(around, FIRST_PATCH).transpose(1, 2)


def _as_map(answers: torch.Tensor) -> torch.Tensor:
    """(b, h², k) -> (b, k, h, h)"""
    b, places, k = answers.shape
    side = round(places**0.5)
    return answers.transpose(1, 2).reshape(b, k, side, side)


def _drawn(blocks: Iterable[torch.Tensor], pictures: int, rng: np.random.Generator) -> Floats:
    """(about DRAWN, d) patches from random places, as many from each of the pictures."""
    found = []
    for block in blocks:
        every = block.reshape(-1, block.shape[2])
        share = min(-(-DRAWN * len(block) // pictures), len(every))
        chosen = torch.from_numpy(rng.permutation(len(every))[:share])
        found.append(every[chosen.to(every.device)].cpu().numpy())
    return np.concatenate(found)


def _main(blocks: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """(c,) the mean and (c, KEPT) the main directions of (b, c, h, h) blocks over all places."""
    n, c = sum(len(b) for b in blocks) * MAP * MAP, blocks[0].shape[1]
    total = torch.zeros(c, dtype=torch.float64)
    square = torch.zeros(c, c, dtype=torch.float64)
    for block in blocks:
        places = block.permute(1, 0, 2, 3).reshape(c, -1)
        total += places.sum(1).double().cpu()
        square += (places @ places.T).double().cpu()
    mean = total / n
    axes = torch.linalg.eigh(square / n - torch.outer(mean, mean))[1][:, -KEPT:]
    device = blocks[0].device
    return mean.float().to(device), axes.float().contiguous().to(device)


def _layer(
    drawn: Floats, n_filters: int, contrast: float, rng: np.random.Generator, device: str
) -> _Layer:
    even = evened(torch.from_numpy(drawn), contrast).double().numpy()
    mean, whiten = whitening(even, float(even.var()))
    # fewer patches than filters, as of a handful of pictures: some are drawn twice
    pick = rng.permutation(len(even)) if len(even) >= n_filters else rng.integers(
        0, len(even), n_filters)  # fmt: skip
    weights = whitened(even[pick[:n_filters]], mean, whiten)
    some = (even[:8000] - mean) @ weights
    return _Layer(
        torch.from_numpy(np.ascontiguousarray(weights, np.float32)).to(device),
        torch.from_numpy((mean @ weights).astype(np.float32)).to(device),
        THRESHOLD * float(some.std()),
        contrast,
    )
