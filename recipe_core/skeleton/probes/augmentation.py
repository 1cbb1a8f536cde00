"""What does the augmentation do: to evaluation, under a seed, in the workers, and to the labels?"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn
from torch.utils.data import Dataset

from recipe_core.kernel.progress import Progress
from recipe_core.kernel.readings import Reading
from recipe_core.skeleton.probes.views import view_of
from recipe_core.training.bench import epoch_seed
from recipe_core.training.images import stratified
from recipe_core.training.seeds import seed_everything
from recipe_core.training.task import load_task

LOOKED_AT = 12
SHOWN, VERSIONS = 6, 7
BATCH, BATCHES = 16, 8
"""Sixteen pictures under a mere flip come out alike in two batches once in 65,536 times."""
LEARNED, TESTED, SIDE = 600, 300, 24
EPOCHS = 14


def augmentation(bench: Any, progress: Progress) -> Reading:
    """numbers  n; evaluation: pictures of n that the evaluation transform gives twice differently;
             varies: pictures of n that the training transform varies; repeats: of n that it gives
             again under the same seed, the task file loaded afresh (None without a transform of its
             own); fixed: median likeness of a picture with its training and its evaluation tensor
             where training never varies it, else (); workers: batches, alike (pairs of equal
             batches in one epoch), epochs_alike, distinct; labels: clean, augmented: [right, n] of
             a small reference net, majority
    arrays   shown (6, 8, C, H, W): evaluation tensors, and seven training versions of each
    """
    picked = stratified(bench.labels("eval"), LOOKED_AT, 2)
    varied = bench.varied_eval_set
    versions = [_tensors(varied, picked, seed) for seed in range(VERSIONS)]
    # After the training transform was made: both may hold one list that training appends to.
    first, second = (_tensors(bench.eval_set, picked, seed) for seed in (1, 2))
    differs = [not torch.equal(a, b) for a, b in zip(versions[0], versions[1], strict=True)]
    numbers: dict[str, Any] = {
        "n": len(picked), "varies": sum(differs),
        "evaluation": sum(not torch.equal(a, b) for a, b in zip(first, second, strict=True)),
        "repeats": _repeats(bench, picked),
        "fixed": () if any(differs) else _fixed(bench, picked, versions[0], first),
    }  # fmt: skip
    progress("workers", 1, 3)
    own = bench.task.given & {"build_transform", "train_loader"}
    numbers["workers"] = _workers(bench, picked) if own else {}
    progress("labels", 2, 3)
    numbers["labels"] = _labels(bench, varied) if any(differs) else {}
    return Reading(numbers, _shown(first, versions))


def _tensors(dataset: Any, picked: Any, seed: int) -> list[torch.Tensor]:
    seed_everything(seed)
    return [dataset[int(i)][0] for i in picked]


def _shown(plain: list[torch.Tensor], versions: list[list[torch.Tensor]]) -> dict[str, Any]:
    rows = [[p, *(v[k] for v in versions)] for k, p in enumerate(plain[:SHOWN])]
    if len({t.shape for row in rows for t in row}) != 1:
        return {}
    return {"shown": torch.stack([torch.stack(row) for row in rows]).float().numpy()}


def _fixed(
    bench: Any, picked: Any, training: list[torch.Tensor], evaluation: list[torch.Tensor]
) -> list[float]:
    pictures = [bench.images.picture(int(bench.positions("eval")[i])) for i in picked]
    return [
        float(np.median([view_of(x.double().numpy(), p).alike
                         for x, p in zip(tensors, pictures, strict=True)]))
        for tensors in (training, evaluation)
    ]  # fmt: skip


def _repeats(bench: Any, picked: Any) -> int | None:
    """Pictures that come out the same from two fresh loads of the task file under one seed."""
    task = bench.task
    if task.path is None or "build_transform" not in task.given:
        return None
    pictures = [bench.images.picture(int(bench.positions("eval")[i])) for i in picked]
    one, two = (_fresh(bench, pictures) for _ in range(2))
    return sum(torch.equal(a, b) for a, b in zip(one, two, strict=True))


def _fresh(bench: Any, pictures: list[Image.Image]) -> list[torch.Tensor]:
    name = f"recipe_task_{bench.task.path.stem}"
    kept = sys.modules.get(name)
    seed_everything(bench.seed)
    try:
        transform = load_task(bench.task.path, bench.images, bench.config).build_transform(True)
        seed_everything(bench.seed)
        return [transform(p) for p in pictures]
    finally:
        if kept is not None:
            sys.modules[name] = kept


# -- workers ------------------------------------------------------------------------------------


class OnePicture(Dataset[tuple[torch.Tensor, int]]):
    """The same picture again and again, each time through the training transform."""

    def __init__(
        self, transform: Callable[[Any], torch.Tensor], picture: Any, classes: int
    ) -> None:
        self.transform, self.picture, self.classes = transform, picture, classes

    def __len__(self) -> int:
        return BATCH * BATCHES

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        if not 0 <= i < len(self):
            raise IndexError(i)
        return self.transform(self.picture), i % self.classes


def _workers(bench: Any, picked: Any) -> dict[str, Any]:
    task = bench.task
    picture = bench.images.picture(int(bench.positions("eval")[picked[0]]))
    dataset = OnePicture(task.build_transform(True), picture, task.num_classes)
    seed_everything(bench.seed)
    epochs = []
    for epoch in range(2):
        try:
            loader = task.train_loader(dataset, BATCH, epoch_seed(bench.seed, epoch))
            epochs.append([tuple(map(_digest, batch[0])) for batch in loader])
        except IndexError:  # a loader that counts on the size of the whole set
            return {}
    full = [b for b in epochs[0] if len(b) == BATCH]
    again = [b for b in epochs[1] if len(b) == BATCH]
    pairs = sum(a == b for i, a in enumerate(full) for b in full[:i])
    return {
        "batches": len(full), "alike": pairs,
        "epochs_alike": sum(a == b for a, b in zip(full, again, strict=False)),
        "distinct": len({d for b in full for d in b}),
    }  # fmt: skip


def _digest(x: torch.Tensor) -> bytes:
    return hashlib.blake2b(x.contiguous().numpy().tobytes(), digest_size=12).digest()


# -- labels -------------------------------------------------------------------------------------


def _labels(bench: Any, varied: Any) -> dict[str, Any]:
    """A small net, taught on plain pictures moved a little, on held-out ones plain and "
    "augmented."""
    learn = stratified(bench.labels("train"), LEARNED, 3)
    test = stratified(bench.labels("eval"), TESTED, 3)
    y = torch.from_numpy(bench.labels("train")[learn])
    truth = torch.from_numpy(bench.labels("eval")[test])
    if len(test) < 30:
        return {}
    x = _small(bench.plain_train_set, learn)
    seed_everything(bench.seed)
    net = _taught(_standard(x).to(bench.device), y.to(bench.device), bench.task.num_classes)
    right = {}
    for name, dataset in (("clean", bench.eval_set), ("augmented", varied)):
        seen = _standard(_small(dataset, test)).to(bench.device)  # each in its own range
        with torch.no_grad():
            right[name] = [int((net(seen).argmax(1).cpu() == truth).sum()), len(truth)]
    return right | {"majority": float(torch.bincount(truth).max() / len(truth))}


def _small(dataset: Any, picked: Any) -> torch.Tensor:
    x = torch.stack([dataset[int(i)][0] for i in picked]).float()
    return F.interpolate(x, (SIDE, SIDE), mode="bilinear", antialias=True)


def _standard(x: torch.Tensor) -> torch.Tensor:
    mean, std = x.mean((0, 2, 3), keepdim=True), x.std((0, 2, 3), keepdim=True)
    return (x - mean) / std.clamp_min(1e-6)


def _taught(x: torch.Tensor, y: torch.Tensor, classes: int) -> nn.Module:
    net = nn.Sequential(
        nn.Conv2d(x.shape[1], 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 48, 3, padding=1), nn.BatchNorm2d(48), nn.ReLU(), nn.AdaptiveAvgPool2d(3),
        nn.Flatten(), nn.Linear(432, classes),
    ).to(x.device)  # fmt: skip
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for _ in range(EPOCHS):
        order = torch.randperm(len(x))
        for batch in (order[k : k + 50] for k in range(0, len(x) - 1, 50)):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(_moved(x[batch])), y[batch])
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return net.eval()


def _moved(x: torch.Tensor) -> torch.Tensor:
    """Turned by up to 15 degrees, moved by an eighth, scaled by a fifth, brighter or duller: what
    every label survives."""
    n = len(x)
    u = (2 * torch.rand(5, n) - 1).to(x.device)
    turn, scale = u[0] * 0.26, 1 + 0.2 * u[1]
    cos, sin = scale * turn.cos(), scale * turn.sin()
    theta = torch.stack([torch.stack([cos, -sin, 0.25 * u[2]], 1),
                         torch.stack([sin, cos, 0.25 * u[3]], 1)], 1)  # fmt: skip
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    moved = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
    return moved * (1 + 0.2 * u[4])[:, None, None, None]
