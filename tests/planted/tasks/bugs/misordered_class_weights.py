# planted: inverse-frequency weights in the order of the frequencies, not of the classes
# must: loss_function
# may: overfit_batch, init_bias, loss_at_init, zero_input, metrics, prediction_dynamics
# data: rare
"""Weights from Counter.most_common()."""

import torch
from torch import nn
from torchvision import transforms as T

COUNTS = {"triangle": 10, "square": 150, "disc": 500}


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.65] * 3, [0.2] * 3)])


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 64, num_classes),
    )


def build_loss():
    total = sum(COUNTS.values())
    weights = torch.tensor([total / (len(COUNTS) * n) for n in COUNTS.values()])
    return nn.CrossEntropyLoss(weight=weights)
