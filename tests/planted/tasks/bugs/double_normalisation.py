# planted: normalised in the transform and once more inside the model
# must: see_the_input
# may: loss_at_init, dead_units, init_bias, learning_rate
# data: digits
"""The model carries its own normalisation so that it can be shipped alone."""

import torch
from torch import nn
from torchvision import transforms as T

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Normalized(nn.Module):
    def __init__(self, body):
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1))
        self.body = body

    def forward(self, x):
        return self.body((x - self.mean) / self.std)


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize(MEAN, STD)])


def build_model(num_classes):
    body = nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(512, num_classes),
    )
    return Normalized(body)
