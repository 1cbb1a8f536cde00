# planted: Adam's epsilon is 1: every step is a thousand times too small
# must: learning_rate, overfit_batch
# may: bigger_net, prediction_dynamics, zero_input, metrics, parameters_update
# data: digits
"""Positional arguments: lr, betas, eps."""

import torch
from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)])


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 64, 64),
        nn.ReLU(),
        nn.Linear(64, num_classes),
    )


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), 3e-4, (0.9, 0.999), 1.0)
