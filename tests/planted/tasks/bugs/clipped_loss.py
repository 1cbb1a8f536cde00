# planted: the loss of a sample is capped at 2: what is surely wrong teaches nothing
# must: loss_function
# may: loss_at_init, overfit_batch, bigger_net, learning_rate, prediction_dynamics, zero_input, init_bias, parameters_update
# data: digits
"""Robust against outliers, supposedly."""

import torch.nn.functional as F
from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)])


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
    return lambda logits, y: F.cross_entropy(logits, y, reduction="none").clamp(max=2.0).mean()
