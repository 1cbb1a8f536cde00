# planted: the regularising noise comes from the operating system and follows no seed
# must: fixed_seed
# may: checkpoint_reload
# data: colours
"""Noise on the features, from a generator of its own."""

import numpy as np
import torch
from torch import nn
from torchvision import transforms as T


class Noise(nn.Module):
    def __init__(self, std=0.05):
        super().__init__()
        self.std = std
        self.rng = np.random.default_rng()

    def forward(self, x):
        if not self.training:
            return x
        return x + torch.from_numpy(self.rng.normal(0, self.std, tuple(x.shape))).to(x)


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.6] * 3, [0.2] * 3)])


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1),
        nn.ReLU(),
        Noise(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 64, num_classes),
    )
