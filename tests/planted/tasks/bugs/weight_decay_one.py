# planted: weight decay 1 pulls every weight to zero
# must: overfit_batch, learning_rate, parameters_update
# may: bigger_net, prediction_dynamics, zero_input, dead_units, metrics
# data: digits
"""decay=1 looked like 'keep all of it'."""

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
        nn.Linear(32 * 64, num_classes),
    )


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1.0)
