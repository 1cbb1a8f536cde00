"""In which order do the training batches come, and does every sample come once?"""

from __future__ import annotations

import hashlib
import time
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from recipe_core.kernel.progress import Progress
from recipe_core.kernel.readings import Reading

FAST_S = 30.0


class Numbered(Dataset[tuple[torch.Tensor, int]]):
    """The training set with each picture filled with its own number: what a loader gives of it
    says which sample it is, without a file being opened.
    """

    def __init__(self, labels: Any, shape: tuple[int, ...]) -> None:
        self.labels, self.shape = np.asarray(labels), shape
        self.targets = self.labels.tolist()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        if not -len(self) <= i < len(self):
            raise IndexError(i)
        return torch.full(self.shape, float(i % len(self))), int(self.labels[i])


def order(bench: Any, progress: Progress) -> Reading:
    """Three epochs of the training loader: two with seeds as the loop gives them, one repeated.

    numbers  how: "numbered", or "hashed" where the loader does not give the numbered pictures
             back; n (samples of the set), batches, same_again (the same seed gives the same order)
    arrays   first, second, again: the samples of an epoch in order (numbers of the set, or of
             equal pictures); labels: of every sample that came in `first`; all_labels: of the set;
             sizes: of the batches
    """
    from recipe_core.training.bench import epoch_seed

    labels = np.asarray(bench.labels("train"))
    shape = tuple(bench.train_set[0][0].shape)
    seeds = [bench.seed, epoch_seed(bench.seed, 1), bench.seed]
    found = []
    how = "numbered"
    try:
        for i, seed in enumerate(seeds):
            progress("order of the batches", i, 3)
            found.append(_numbered_epoch(bench, labels, shape, seed, progress))
    except _NotNumbered:
        how, found = "hashed", []
        table: dict[bytes, int] = {}
        for i, seed in enumerate(seeds):
            progress("order of the batches", i, 3)
            found.append(_hashed_epoch(bench, seed, table, progress))
    (first, given, sizes), (second, _, _), (again, _, _) = found
    return Reading(
        {"how": how, "n": len(labels), "batches": len(sizes),
         "same_again": bool(np.array_equal(first, again)),
         "batch_size": bench.config.batch_size},
        {"first": first, "second": second, "again": again, "labels": given,
         "all_labels": labels.astype(np.int64), "sizes": sizes},
    )  # fmt: skip


class _NotNumbered(Exception):
    """The loader changes the pictures, or does not load from the set that it is given."""


def _numbered_epoch(
    bench: Any, labels: Any, shape: tuple[int, ...], seed: int, progress: Progress
) -> tuple[Any, Any, Any]:
    dataset = Numbered(labels, shape)
    loader = bench.task.train_loader(dataset, bench.config.batch_size, seed)
    numbers, given, sizes = [], [], []
    try:
        for k, (x, y, *_) in enumerate(loader):
            flat = x.reshape(len(x), -1).double()
            if bool((flat != flat[:, :1]).any()):
                raise _NotNumbered
            numbers.append(flat[:, 0].cpu().numpy())
            given.append(np.asarray(y.cpu()))
            sizes.append(len(y))
            if k % 50 == 0:
                progress("order of the batches", 0, 0)
    except _NotNumbered:
        raise
    except Exception as e:  # a loader that needs more of the set than the contract gives it
        raise _NotNumbered from e
    if not numbers:
        raise ValueError("the training loader gives no batch at all")
    whole = np.concatenate(numbers)
    if not np.array_equal(whole, whole.round()) or whole.min() < 0 or whole.max() >= len(labels):
        raise _NotNumbered
    return whole.astype(np.int64), np.concatenate(given), np.array(sizes)


def _hashed_epoch(
    bench: Any, seed: int, table: dict[bytes, int], progress: Progress
) -> tuple[Any, Any, Any]:
    """As much of an epoch as FAST_S seconds allow; equal pictures get equal numbers."""
    start = time.perf_counter()
    numbers, given, sizes = [], [], []
    for x, y, *_ in bench.train_batches(seed):
        numbers += [
            table.setdefault(
                hashlib.blake2b(picture.tobytes(), digest_size=12).digest(), len(table)
            )
            for picture in x.cpu().contiguous().numpy()
        ]
        given.append(y.cpu().numpy())
        sizes.append(len(y))
        progress("order of the batches", len(numbers), 0)
        if time.perf_counter() - start > FAST_S:
            break
    return np.array(numbers, np.int64), np.concatenate(given), np.array(sizes)
