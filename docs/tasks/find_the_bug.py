"""A pipeline with one bug. It trains, its loss falls, nothing is raised. Which check finds it?

recipe sanity -w WORKSPACE --task docs/tasks/find_the_bug.py
"""

import torch
from torch import nn
from torchvision.transforms import v2


class Net(nn.Module):
    def __init__(self, num_classes, channels=(16, 32, 32)):
        super().__init__()
        self.blocks = []
        before = 3
        for c in channels:
            self.blocks.append(
                nn.Sequential(nn.Conv2d(before, c, 3, stride=2, padding=1), nn.ReLU())
            )
            before = c
        self.head = nn.Linear(before * 16, num_classes)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head(x.flatten(1))


def build_model(num_classes):
    return Net(num_classes)


def build_transform(train):
    return v2.Compose([
        v2.Resize((32, 32)), v2.ToImage(), v2.ToDtype(torch.float32, scale=True),
        v2.Normalize([0.75] * 3, [0.2] * 3),
    ])  # fmt: skip


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=1e-3)
