"""A pipeline with a Dataset, a transform, a loader and a training step of its own.

`dataset` is what Recipe hands over: dataset[i] is (tensor, label), the transform applied. Wrap it,
mix it, load it as you do in your own code.

recipe sanity -w WORKSPACE --task docs/tasks/own_dataset.py
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


def build_transform(train):
    """A function of a PIL picture; here without torchvision."""

    def transform(picture):
        pixels = np.asarray(picture.convert("L").resize((28, 28)), dtype=np.float32) / 255
        return torch.from_numpy((pixels - 0.75) / 0.2)[None]  # (1, 28, 28)

    return transform


class Shifted(Dataset):
    """Every picture a pixel or two off its place, another one each time, drawn from torch."""

    def __init__(self, samples, most=2):
        self.samples, self.most = samples, most

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, i):
        x, y = self.samples[i]
        dy, dx = torch.randint(-self.most, self.most + 1, (2,)).tolist()
        return torch.roll(x, (dy, dx), dims=(1, 2)), y


def train_loader(dataset, batch_size, seed):
    order = torch.Generator().manual_seed(seed)
    return DataLoader(Shifted(dataset), batch_size, shuffle=True, generator=order)


def eval_loader(dataset, batch_size):
    return DataLoader(dataset, batch_size)


def build_model(num_classes, width=1.0):
    n = round(32 * width)
    return nn.Sequential(
        nn.Conv2d(1, n, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(n, 2 * n, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(2 * n * 49, num_classes),
    )  # fmt: skip


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=1e-3)


def train_step(model, batch, loss_fn, optimizer):
    x, y = batch
    optimizer.zero_grad()
    loss = loss_fn(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.detach()


@torch.no_grad()
def evaluate(model, loader):
    model.eval()
    hits = n = 0
    for x, y in loader:
        hits += int((model(x).argmax(1) == y).sum())
        n += len(y)
    model.train()
    return {"accuracy": hits / n}
