# planted: integer division by 255 leaves black almost everywhere
# must: see_the_input, zero_input
# may: loss_at_init, overfit_batch, bigger_net, prediction_dynamics, learning_rate, init_bias, dead_units, gradient_dependency, augmentation
# data: digits
"""uint8 arithmetic on the way to the tensor."""

import numpy as np
import torch
from torch import nn


def build_transform(train):
    def load(image):
        pixels = np.asarray(image.resize((32, 32)))
        scaled = pixels // 255
        return torch.from_numpy(scaled.transpose(2, 0, 1)).float()

    return load


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(32 * 64, num_classes),
    )
