# planted: the augmentation is seeded by the clock: no run can be repeated
# must: augmentation, fixed_seed
# may: checkpoint_reload
# data: digits
"""Random erasing of our own."""

import random
import time

import torch
from torch import nn
from torchvision import transforms as T


class Erase:
    def __init__(self, size=6):
        self.size = size
        self.random = random.Random(time.time_ns())

    def __call__(self, x):
        top = self.random.randrange(x.shape[1] - self.size)
        left = self.random.randrange(x.shape[2] - self.size)
        x = x.clone()
        x[:, top : top + self.size, left : left + self.size] = 0.0
        return x


def build_transform(train):
    steps = [T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)]
    return T.Compose([*steps, Erase()]) if train else T.Compose(steps)


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2, padding=1),
        nn.LeakyReLU(0.1),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.LeakyReLU(0.1),
        nn.Flatten(),
        nn.Linear(32 * 64, num_classes),
    )


def build_optimizer(model):
    return torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
