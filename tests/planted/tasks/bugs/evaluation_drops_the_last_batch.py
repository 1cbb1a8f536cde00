# planted: drop_last is set on the evaluation loader
# must: metrics
# may: see_the_input
# data: digits
"""One helper makes both loaders."""

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms as T


def make_loader(dataset, batch_size, shuffle, generator=None):
    return DataLoader(
        dataset, batch_size=batch_size, shuffle=shuffle, generator=generator, drop_last=True
    )


def train_loader(dataset, batch_size, seed):
    return make_loader(dataset, batch_size, True, torch.Generator().manual_seed(seed))


def eval_loader(dataset, batch_size):
    return make_loader(dataset, batch_size, False)


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)])


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.Hardswish(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.Hardswish(),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(512, num_classes),
    )
