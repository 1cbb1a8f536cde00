# planted: red and blue are exchanged at evaluation only, as OpenCV would deliver them
# must: see_the_input
# may: metrics, zero_input
# data: colours
"""Training reads with PIL; the evaluation code was moved over from an OpenCV script."""

import numpy as np
import torch
from torch import nn
from torchvision import transforms as T


def to_bgr(image):
    return np.ascontiguousarray(np.asarray(image)[:, :, ::-1])


def build_transform(train):
    tail = [T.ToTensor(), T.Normalize([0.6, 0.6, 0.6], [0.22, 0.22, 0.22])]
    if train:
        return T.Compose([T.Resize((32, 32)), *tail])
    return T.Compose([T.Resize((32, 32)), to_bgr, *tail])


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.GELU(),
        nn.AvgPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.GELU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 64, num_classes),
    )


def build_optimizer(model):
    return torch.optim.AdamW(model.parameters(), lr=1e-3)
