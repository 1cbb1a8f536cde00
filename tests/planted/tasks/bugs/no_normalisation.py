# planted: pixels go in as 0 to 255
# must: see_the_input
# may: loss_at_init, zero_input, dead_units, learning_rate, overfit_batch, prediction_dynamics, bigger_net, init_bias
# data: digits
"""A plain network, pictures through numpy."""

import numpy as np
import torch
from torch import nn


def build_transform(train):
    def to_tensor(image):
        pixels = np.asarray(image.resize((28, 28)), dtype=np.float32)
        return torch.from_numpy(pixels).permute(2, 0, 1)

    return to_tensor


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, num_classes),
    )


def build_optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
