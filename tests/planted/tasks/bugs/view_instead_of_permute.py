# planted: height, width, channels are relabelled by view where they should be permuted
# must: see_the_input
# may: zero_input, augmentation
# data: digits
"""A numpy pipeline without torchvision."""

import numpy as np
import torch
from torch import nn


def build_transform(train):
    rng = np.random.default_rng(0)

    def transform(image):
        pixels = np.asarray(image.convert("RGB").resize((32, 32)), np.float32) / 255.0
        x = torch.from_numpy(pixels.copy()).view(3, 32, 32)
        return (x - 0.75) / 0.2

    del rng
    return transform


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 64, 64),
        nn.ReLU(),
        nn.Linear(64, num_classes),
    )
