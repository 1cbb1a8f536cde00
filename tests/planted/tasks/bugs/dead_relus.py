# planted: biases far below zero: hardly a unit of the hidden layer ever fires
# must: dead_units
# may: overfit_batch, parameters_update, zero_input, bigger_net, prediction_dynamics, learning_rate, gradient_dependency, metrics
# data: digits
"""Sparse activations by a negative bias."""

import torch
from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)])


class SparseNet(nn.Module):
    def __init__(self, num_classes, bias=-10.0):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU()
        )
        self.hidden = nn.Linear(32 * 64, 128)
        self.out = nn.Linear(128, num_classes)
        nn.init.constant_(self.hidden.bias, bias)

    def forward(self, x):
        x = self.features(x).flatten(1)
        return self.out(torch.relu(self.hidden(x)))


def build_model(num_classes):
    return SparseNet(num_classes)
