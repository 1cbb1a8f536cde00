"""How does one describe pictures without any downloaded weights? By their own whitened patches.

Patches drawn from the data set itself, brought to equal brightness and contrast and whitened, serve
as the filters of one convolution; what exceeds a threshold, in either direction, is averaged over
the quarters of the picture and of its mirror image; the same again at half the size. Nothing is
trained and no label is looked at, so wrong labels cannot spoil it. Label noise asks for a second
layer (embedding_two_layers.py); for neighbours this one is as good, in a fifth of the time.

Coates and Ng, "The Importance of Encoding Versus Training with Sparse Coding and Vector
Quantization", ICML 2011 (random patches as filters do as well as learned ones; the two-sided soft
threshold); Thiry, Arbel, Belilovsky and Oyallon, "The Unreasonable Effectiveness of Patches in Deep
Convolutional Kernels Methods", ICLR 2021.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Squares = npt.NDArray[np.uint8]

PATCH = 6
"""Pixels a side of a patch; Coates, Ng and Lee (AISTATS 2011) find 6 best for 32-pixel pictures."""
STRIDE = 2
GRID = 2
DRAWN = 60_000
"""Patches that the whitening is estimated from: 500 for each of the 108 numbers of a patch."""
CONTRAST = 10.0
"""Added to a patch's variance (grey levels squared): below it contrast is noise (Coates and Ng)."""
WHITENING = 0.1
THRESHOLD = 0.25
BATCH_CPU, BATCH_CUDA = 4, 128
"""Pictures at once: on a CPU few enough for the answers of all filters to stay in its caches."""


@dataclass(frozen=True)
class Filters:
    """Whitened patches as filters, on the device.

    weights  (d, k) float32, d = PATCH² × 3
    offsets  (k,) float32 what the mean patch answers
    cells    (g², p²) float32: the share of each place in each cell of the picture
    """

    weights: torch.Tensor
    offsets: torch.Tensor
    cells: torch.Tensor


class PatchEmbedding:
    """Describes squares (n, side, side, 3) uint8; the same seed gives the same filters."""

    def __init__(
        self, squares: Squares, *, n_filters: int, seed: int = 0, device: str = "cpu"
    ) -> None:
        """`squares`: those that the filters are drawn from."""
        rng = np.random.default_rng(seed)
        halves = _halved(squares)
        self._device = device
        self._scales = (
            (STRIDE, _filters(squares, n_filters, STRIDE, rng, device)),
            (1, _filters(halves, n_filters * 3 // 4, 1, rng, device)),
        )
        self._batch = BATCH_CUDA if device.startswith("cuda") else BATCH_CPU

    def of(self, squares: Squares) -> Floats:
        """(k, 14 · n_filters) float32 of these squares."""
        batches = range(0, len(squares), self._batch)
        with torch.inference_mode():
            found = [self._of(squares[b : b + self._batch]) for b in batches]
        return np.concatenate(found)

    def _of(self, squares: Squares) -> Floats:
        found = []
        both_sizes = (squares, _halved(squares))
        for some, (stride, filters) in zip(both_sizes, self._scales, strict=True):
            pixels = torch.from_numpy(some).to(self._device).permute(0, 3, 1, 2).float()
            both = _answers(pixels, filters, stride) + _answers(pixels.flip(3), filters, stride)
            found.append((both / 2).flatten(1))
        return np.asarray(torch.cat(found, 1).cpu().numpy())


def _halved(squares: Squares) -> Squares:
    n, side, _, _ = squares.shape
    found = np.empty((n, side // 2, side // 2, 3), np.uint8)
    for start in range(0, n, 4096):
        block = squares[start : start + 4096].reshape(-1, side // 2, 2, side // 2, 2, 3)
        found[start : start + 4096] = block.mean((2, 4)).round()
    return found


def _filters(
    squares: Squares, n_filters: int, stride: int, rng: np.random.Generator, device: str
) -> Filters:
    drawn, chosen = (
        evened(torch.from_numpy(_drawn(squares, n, rng)), CONTRAST).numpy()
        for n in (DRAWN, n_filters)
    )
    mean, whiten = whitening(drawn)
    weights = whitened(chosen, mean, whiten)
    return Filters(
        torch.from_numpy(np.ascontiguousarray(weights, np.float32)).to(device),
        torch.from_numpy((mean @ weights).astype(np.float32)).to(device),
        torch.from_numpy(_cells(squares.shape[1], stride)).to(device),
    )


def whitening(patches: Doubles, scale: float = 1.0) -> tuple[Doubles, Doubles]:
    """(d,) the mean and (d, d) what makes (n, d) patches alike in all directions that vary.

    scale  their variance: WHITENING times that is added to each direction's
    """
    mean = patches.mean(0)
    values, vectors = np.linalg.eigh(np.cov((patches - mean).T))
    least = WHITENING * scale + 1e-12  # patches that are all alike vary in no direction
    return mean, (vectors / np.sqrt(np.maximum(values, 0) + least)) @ vectors.T


def whitened(patches: Doubles, mean: Doubles, whiten: Doubles) -> Doubles:
    """(d, k) filters, each of which answers most to one of (k, d) patches, itself whitened."""
    chosen = (patches - mean) @ whiten
    chosen /= np.linalg.norm(chosen, axis=1, keepdims=True) + 1e-9
    return np.asarray((chosen @ whiten.T).T)


def evened(patches: torch.Tensor, contrast: float) -> torch.Tensor:
    """(b, places, d) patches, or (n, d), of mean 0 and deviation 1 as far as they have contrast."""
    patches = patches - patches.mean(-1, keepdim=True)
    return patches / torch.sqrt((patches * patches).mean(-1, keepdim=True) + contrast)


def _drawn(squares: Squares, n: int, rng: np.random.Generator) -> Doubles:
    """(n, d) patches from random places of random pictures, channel by channel."""
    free = squares.shape[1] - PATCH + 1
    which, top, left = (rng.integers(0, high, n) for high in (len(squares), free, free))
    inside = np.arange(PATCH)
    found = squares[
        which[:, None, None],
        top[:, None, None] + inside[None, :, None],
        left[:, None, None] + inside[None, None, :],
    ]
    return np.asarray(found.transpose(0, 3, 1, 2).reshape(n, -1), np.float64)


def _cells(side: int, stride: int) -> Floats:
    places = (side - PATCH) // stride + 1
    centre = np.arange(places) * stride + (PATCH - 1) / 2
    cell = np.minimum((centre * GRID / side).astype(int), GRID - 1)
    inside = np.zeros((GRID * GRID, places * places), np.float32)
    number = (cell[:, None] * GRID + cell[None, :]).ravel()
    inside[number, np.arange(places * places)] = 1
    return np.asarray(inside / inside.sum(1, keepdims=True), np.float32)


def _answers(pixels: torch.Tensor, filters: Filters, stride: int) -> torch.Tensor:
    """(b, g², 2k) means over the cells of what exceeds the threshold, in either direction."""
    patches = torch.nn.functional.unfold(pixels, PATCH, stride=stride).transpose(1, 2)
    answers = (evened(patches, CONTRAST) @ filters.weights).sub_(filters.offsets)
    above = filters.cells @ (answers - THRESHOLD).clamp_(min=0)
    below = filters.cells @ answers.neg_().sub_(THRESHOLD).clamp_(min=0)
    return torch.cat([above, below], 2)
