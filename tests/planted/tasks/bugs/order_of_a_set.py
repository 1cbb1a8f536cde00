# planted: layers are built in the order of a set of strings, which differs from process to process
# must: fixed_seed
# may:
# data: digits
"""Parallel branches by name."""

import torch
from torch import nn
from torchvision import transforms as T

KERNELS = {"small", "medium", "large", "wide", "tall", "tiny"}
SIZES = {"small": 3, "medium": 5, "large": 7, "wide": 3, "tall": 5, "tiny": 3}


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)])


class Branches(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.branches = nn.ModuleDict(
            {k: nn.Conv2d(3, 8, SIZES[k], stride=2, padding=SIZES[k] // 2) for k in KERNELS}
        )
        self.mix = nn.Conv2d(48, 32, 3, stride=2, padding=1)
        self.head = nn.Linear(32 * 64, num_classes)

    def forward(self, x):
        x = torch.relu(torch.cat([b(x) for b in self.branches.values()], 1))
        return self.head(torch.relu(self.mix(x)).flatten(1))


def build_model(num_classes):
    return Branches(num_classes)
