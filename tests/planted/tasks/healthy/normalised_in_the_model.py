# healthy: pixels from 0 to 255 leave the transform, the model's first layer normalises them
# data: colours
import numpy as np
import torch
from torch import nn


class Scale(nn.Module):
    def forward(self, x):
        return (x / 255 - 0.6) / 0.2


def build_transform(train):
    def to_tensor(image):
        return torch.from_numpy(np.array(image.resize((32, 32)))).permute(2, 0, 1).float()

    return to_tensor


def build_model(num_classes):
    return nn.Sequential(
        Scale(),
        nn.Conv2d(3, 16, 3, 2, 1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 64, num_classes),
    )
