# planted: the optimizer holds the parameters of a model that was thrown away
# must: parameters_update
# may: overfit_batch, bigger_net, zero_input, prediction_dynamics, learning_rate, gradient_reset, metrics, checkpoint_reload, dead_units, gradient_dependency
# data: two
"""The model is rebuilt for the number of classes after the optimizer was made."""

import copy

import torch
from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.65] * 3, [0.2] * 3)])


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
    model = copy.deepcopy(model).to(memory_format=torch.channels_last)
    return torch.optim.AdamW(model.parameters(), lr=1e-3)
