# planted: a learning rate a hundred times too high
# must: learning_rate
# may: overfit_batch, prediction_dynamics, dead_units, bigger_net, zero_input, metrics
# data: digits
"""SGD's rate given to Adam."""

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
    return torch.optim.Adam(model.parameters(), lr=0.1)
