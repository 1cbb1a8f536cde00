# planted: the evaluation loader iterates the training set it remembered
# must: metrics
# may: see_the_input
# data: colours
"""Loaders share a cache of data sets, keyed a little too simply."""

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms as T

_cache = {}


def cached(dataset):
    return _cache.setdefault(type(dataset).__name__, dataset)


def train_loader(dataset, batch_size, seed):
    _cache.clear()
    g = torch.Generator().manual_seed(seed)
    return DataLoader(cached(dataset), batch_size, shuffle=True, generator=g)


def eval_loader(dataset, batch_size):
    return DataLoader(cached(dataset), batch_size, shuffle=False)


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.6] * 3, [0.2] * 3)])


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(4),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 16, num_classes),
    )
