"""What does a loader load from? Two data sets: pixels kept as bytes, or pictures for a transform.

PixelSet and PixelLoader are the product's own: whole batches are taken, varied and normalised on
the device. Order and augmentation are functions of the seed and the step, so a loader can start at
any step. PictureSet feeds a task's own transform through a torch DataLoader.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset

from recipe_core.training.augment import augmented, mixed
from recipe_core.training.images import Images
from recipe_core.training.pixels import Pixels
from recipe_core.training.seeds import generator, seed_worker

Batch = tuple[Any, ...]
Indices = npt.NDArray[np.int64]

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
FITS = 0.5
"""Share of a GPU's free memory that the pixels may take; above it they are streamed."""
AHEAD = 2
"""Batches that are read before their turn where pixels are streamed."""


@dataclass(frozen=True)
class Normalization:
    """(x / 255 - mean) / std of each channel, x in bytes."""

    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) or (3, H, W) float32 in 0 … 1, normalised."""
        mean, std = (_channels(v, x.device) for v in (self.mean, self.std))
        return (x - mean) / std


@lru_cache(maxsize=64)
def _channels(values: tuple[float, ...], device: torch.device) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32, device=device)[:, None, None]


def normalization_of(kind: str, pixels: Pixels, train: Indices) -> Normalization:
    """The normalization called data, imagenet or none; data: of the training pixels."""
    if kind == "none":
        return Normalization()
    if kind == "imagenet":
        return Normalization(*IMAGENET)
    mean, std = pixel_moments(pixels, train)
    (r, g, b), (s, t, u) = mean.tolist(), np.maximum(std, 1e-3).tolist()
    return Normalization((r, g, b), (s, t, u))


def pixel_moments(
    pixels: Pixels, wanted: Indices
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean and standard deviation of each channel in 0 … 1, over every pixel of these pictures."""
    counts = np.zeros((3, 256))
    for start in range(0, len(wanted), 256):
        block = pixels.take(wanted[start : start + 256])
        for c in range(3):
            counts[c] += np.bincount(block[:, c].ravel(), minlength=256)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    levels = np.arange(256) / 255
    mean = shares @ levels
    return mean, np.sqrt(np.maximum(shares @ levels**2 - mean**2, 0))


class PixelSet(Dataset[tuple[torch.Tensor, int]]):
    """Pictures as bytes: `[i]` is a normalised (3, H, W) float32 tensor on the CPU and its label.

    pixels        of the images of a run
    positions     (k,) which of them are in this set
    labels        (k,) int64
    augmentation  none where this is no training set; `[i]` draws from torch's own generator
    """

    def __init__(
        self, pixels: Pixels, positions: Indices, labels: Indices, normalization: Normalization,
        augmentation: str = "none",
    ) -> None:  # fmt: skip
        self.pixels, self.positions = pixels, np.asarray(positions)
        self.labels = torch.from_numpy(np.asarray(labels, dtype=np.int64))
        self.normalization, self.augmentation = normalization, augmentation

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        if not -len(self) <= i < len(self):
            raise IndexError(f"the set has {len(self)} samples, none with the number {i}")
        x = torch.from_numpy(self.pixels.take(self.positions[[i]])).float() / 255
        if self.augmentation != "none":
            draws = torch.Generator().manual_seed(int(torch.randint(2**62, (1,))))
            x = augmented(x, self.augmentation, draws)
        return self.normalization(x)[0], int(self.labels[i])

    def plain(self) -> PixelSet:
        """The same samples without augmentation."""
        return PixelSet(
            self.pixels, self.positions, self.labels.numpy(), self.normalization
        )  # fmt: skip


class PictureSet(Dataset[tuple[torch.Tensor, int]]):
    """Pictures as Pillow images: `[i]` is the transform's tensor and the label."""

    def __init__(
        self, images: Images, positions: Indices, labels: Indices,
        transform: Callable[[Any], torch.Tensor],
    ) -> None:  # fmt: skip
        self.images, self.positions, self.transform = images, np.asarray(positions), transform
        self.labels = torch.from_numpy(np.asarray(labels, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        if not -len(self) <= i < len(self):
            raise IndexError(f"the set has {len(self)} samples, none with the number {i}")
        return self.transform(self.images.picture(int(self.positions[i]))), int(self.labels[i])


def batches_of(n: int, batch_size: int, order: Indices) -> list[Indices]:
    """The order cut into batches; a last one of a single sample joins the one before it.

    Batch norm cannot be trained on one sample.
    """
    starts = range(0, n, batch_size)
    found = [order[s : s + batch_size] for s in starts]
    if len(found) > 1 and len(found[-1]) == 1:
        found[-2:] = [np.concatenate(found[-2:])]
    return found


def share_of(n: int, rank: int, size: int) -> slice:
    """Which of a batch's n samples process `rank` of `size` takes: each two or more, or none.

    Batch norm cannot be trained on one sample.
    """
    takers = max(1, min(size, n // 2))
    if rank >= takers:
        return slice(n, n)
    return slice(n * rank // takers, n * (rank + 1) // takers)


class DevicePixels:
    """A set's bytes on a device where they fit, else streamed from the file batch by batch."""

    def __init__(self, dataset: PixelSet, device: torch.device) -> None:
        self.dataset, self.device = dataset, device
        self.labels = dataset.labels.to(device)
        self.held: torch.Tensor | None = None
        if self._fits():
            self.held = torch.from_numpy(dataset.pixels.take(dataset.positions)).to(device)

    def _fits(self) -> bool:
        need = len(self.dataset) * int(np.prod(self.dataset.pixels.array.shape[1:]))
        if self.device.type == "cuda":
            return need < FITS * torch.cuda.mem_get_info(self.device)[0]
        import psutil

        return need < FITS * int(psutil.virtual_memory().available)

    def labels_of(self, indices: Indices) -> torch.Tensor:
        """(B,) int64 on the device."""
        return self.labels[torch.from_numpy(indices).to(self.device, non_blocking=True)]

    def take(self, indices: Indices) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, 3, H, W) uint8 and (B,) int64 on the device."""
        return self._placed(None if self.held is not None else self._read(indices), indices)

    def stream(self, batches: Iterable[Indices]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """`take` of each, in this order. What has to come from the file is read ahead.

        By a thread, which is enough: reading and copying leave the interpreter to the others.
        """
        if self.held is not None:
            yield from map(self.take, batches)
            return
        waiting: deque[tuple[Future[torch.Tensor], Indices]] = deque()
        with ThreadPoolExecutor(1, "pixels") as reader:
            for indices in batches:
                waiting.append((reader.submit(self._read, indices), indices))
                if len(waiting) > AHEAD:
                    block, first = waiting.popleft()
                    yield self._placed(block.result(), first)
            for block, first in waiting:
                yield self._placed(block.result(), first)

    def _read(self, indices: Indices) -> torch.Tensor:
        block = torch.from_numpy(self.dataset.pixels.take(self.dataset.positions[indices]))
        return block.pin_memory() if self.device.type == "cuda" else block

    def _placed(
        self, block: torch.Tensor | None, indices: Indices
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """A batch on the device: of the block that was read for it, or of what is held there."""
        where = torch.from_numpy(indices).to(self.device, non_blocking=True)
        if block is not None:
            return block.to(self.device, non_blocking=True), self.labels[where]
        assert self.held is not None
        return self.held[where], self.labels[where]


@dataclass
class PixelLoader:
    """Batches of a PixelSet on the device; a fresh iteration gives the same batches again.

    shuffle  whether the samples come in an order drawn from the seed
    mixup    alpha; where positive, batches are (x, y, partners' y, share)
    """

    source: DevicePixels
    batch_size: int
    seed: int = 0
    shuffle: bool = False
    mixup: float = 0.0
    indices: Indices = field(default_factory=lambda: np.empty(0, np.int64))
    """Of the batch that was given last; empty where a process has no share of it."""
    rank: int = 0
    size: int = 1
    """Of `size` processes this one: it gets its share of each batch."""
    whole: tuple[torch.Tensor, ...] = ()
    """Labels of the whole batch whose share was given last, and of the partners."""

    def __post_init__(self) -> None:
        n = len(self.source.dataset)
        order = np.arange(n)
        if self.shuffle:
            order = torch.randperm(n, generator=generator(self.seed)).numpy()
        self._batches = batches_of(n, self.batch_size, order)

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[Batch]:
        return self.starting_at(0)

    def starting_at(self, step: int) -> Iterator[Batch]:
        """The batches from this one on."""
        left = self._batches[step:]
        wanted = (every if self.mixup else every[self._part(len(every))] for every in left)
        for k, (x, y) in enumerate(self.source.stream(wanted), step):
            every = self._batches[k]
            self.indices = every[share_of(len(every), self.rank, self.size)]
            yield self._batch(k, x, y, self._part(len(every)))

    def _part(self, n: int) -> slice:
        """What is loaded of a batch of n: without a share a process keeps step with two samples."""
        mine = share_of(n, self.rank, self.size)
        return mine if mine.stop > mine.start else slice(0, 2)

    def _batch(self, k: int, x: torch.Tensor, y: torch.Tensor, part: slice) -> Batch:
        x = self._varied(x.float() / 255, k, 0 if self.mixup else part.start)
        if self.size > 1:
            self.whole = (self.source.labels_of(self._batches[k]),)
        if not self.mixup:
            return x, y
        x, other, share = mixed(x, y, self.mixup, generator(self.seed, "mixup", k))
        self.whole = (y, other)
        return x[part], y[part], other[part], share

    def _varied(self, x: torch.Tensor, k: int, start: int) -> torch.Tensor:
        dataset = self.source.dataset
        if dataset.augmentation != "none":
            draws, n = generator(self.seed, "augment", k), len(self._batches[k])
            x = augmented(x, dataset.augmentation, draws, start=start, whole=n)
        return dataset.normalization(x)


def picture_loader(
    dataset: Dataset[Any], batch_size: int, workers: int, seed: int | None = None
) -> DataLoader[Any]:
    """A torch DataLoader: shuffled where there is a seed, each worker with a seed of its own."""
    n = len(dataset)  # type: ignore[arg-type]
    order = None if seed is None else torch.randperm(n, generator=generator(seed)).numpy()
    batches = batches_of(n, batch_size, np.arange(n) if order is None else order)
    return DataLoader(
        dataset, batch_sampler=[b.tolist() for b in batches], num_workers=workers,
        worker_init_fn=seed_worker, generator=generator(seed or 0, "workers"),
    )  # fmt: skip


class OnDevice:
    """A loader whose batches come on a device, in the memory layout of the model."""

    def __init__(self, loader: Iterable[Any], move: Callable[[Any], Any]) -> None:
        self.loader, self._move = loader, move

    def __iter__(self) -> Iterator[Any]:
        return map(self._move, self.loader)

    def __len__(self) -> int:
        return len(self.loader)  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)


def moved(batch: Any, device: torch.device, channels_last: bool) -> Any:
    """The batch with every tensor in it on the device; pictures channels last where wanted."""
    if isinstance(batch, torch.Tensor):
        if channels_last and batch.ndim == 4:
            return batch.to(device, non_blocking=True, memory_format=torch.channels_last)
        return batch.to(device, non_blocking=True)
    if isinstance(batch, dict):
        return {k: moved(v, device, channels_last) for k, v in batch.items()}
    if isinstance(batch, tuple | list):
        parts: Sequence[Any] = [moved(v, device, channels_last) for v in batch]
        return tuple(parts) if isinstance(batch, tuple) else parts
    return batch
