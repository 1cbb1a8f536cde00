# planted: an MLP of three layers without an activation: one linear map
# must: dead_units
# may: overfit_batch, bigger_net
# data: digits
"""Deeper is better."""

import torch
from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Resize((20, 20)), T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)])


class Classifier(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.layer1 = nn.Linear(1200, 256)
        self.norm1 = nn.BatchNorm1d(256)
        self.layer2 = nn.Linear(256, 128)
        self.norm2 = nn.BatchNorm1d(128)
        self.layer3 = nn.Linear(128, num_classes)

    def forward(self, x):
        x = self.norm1(self.layer1(torch.flatten(x, 1)))
        x = self.norm2(self.layer2(x))
        return self.layer3(x)


def build_model(num_classes):
    return Classifier(num_classes)
