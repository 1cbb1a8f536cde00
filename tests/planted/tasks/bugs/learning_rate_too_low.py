# planted: a learning rate a hundred times too low
# must: learning_rate
# may: overfit_batch, bigger_net, prediction_dynamics, zero_input, metrics
# data: colours
"""Adam's rate given to SGD."""

import torch
from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.6] * 3, [0.2] * 3)])


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(512, num_classes),
    )


def build_optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=3e-5)
