# planted: the normalised tensor is clamped to 0..1, which wipes out all ink darker than the mean
# must: see_the_input
# may: human_baseline, zero_input, bigger_net, augmentation, metrics, overfit_batch, dead_units
# data: digits
"""Digits; noise augmentation with values kept in range, MLP with batch norm."""

import torch
from torch import nn
from torchvision import transforms as T


def keep_in_range(x):
    return x.clamp(0.0, 1.0)


class AddNoise:
    def __init__(self, sigma):
        self.sigma = sigma

    def __call__(self, x):
        return x + self.sigma * torch.randn_like(x)


def build_transform(train):
    steps = [T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)]
    if train:
        steps.append(AddNoise(0.02))
    steps.append(T.Lambda(keep_in_range))
    return T.Compose(steps)


def build_model(num_classes, width=1.0):
    h = int(128 * width)
    net = nn.Sequential(
        nn.Flatten(),
        nn.Linear(3 * 32 * 32, h, bias=False),
        nn.BatchNorm1d(h),
        nn.ReLU(),
        nn.Linear(h, h, bias=False),
        nn.BatchNorm1d(h),
        nn.ReLU(),
        nn.Linear(h, num_classes),
    )
    nn.init.normal_(net[-1].weight, std=0.01)
    nn.init.zeros_(net[-1].bias)
    return net
