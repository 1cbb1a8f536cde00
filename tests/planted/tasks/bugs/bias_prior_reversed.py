# planted: the last bias is set from the class shares, in the reverse order
# must: init_bias, loss_at_init
# may: loss_function, zero_input
# data: rare
"""Start from the prior."""

import torch
from torch import nn
from torchvision import transforms as T

SHARES = [10 / 660, 150 / 660, 500 / 660]


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.65] * 3, [0.2] * 3)])


def build_model(num_classes):
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(128, num_classes),
    )
    with torch.no_grad():
        model[-1].bias.copy_(torch.tensor(SHARES).log())
    return model
