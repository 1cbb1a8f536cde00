# healthy: a residual net, SGD with momentum, cosine schedule with warm-up advanced per step
# data: digits
"""The usual recipe for small pictures."""

import math

import torch
from torch import nn
from torchvision import transforms as T

scheduler_interval = "step"


class Block(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(i, o, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(o)
        self.conv2 = nn.Conv2d(o, o, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(o)
        nn.init.zeros_(self.bn2.weight)
        self.skip = nn.Identity() if i == o and stride == 1 else nn.Conv2d(i, o, 1, stride)

    def forward(self, x):
        h = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(h)) + self.skip(x))


def build_transform(train):
    crop = [T.Pad(2, padding_mode="edge"), T.RandomCrop(32)] if train else []
    return T.Compose(
        [
            T.Resize((32, 32)),
            *crop,
            T.ToTensor(),
            T.Normalize([0.75] * 3, [0.2] * 3),
        ]
    )


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 1, 1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        Block(16, 16, 2),
        Block(16, 32, 2),
        Block(32, 32, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, num_classes),
    )


def build_optimizer(model):
    return torch.optim.SGD(
        model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4, nesterov=True
    )


def build_scheduler(optimizer, steps_per_epoch, epochs):
    warmup, total = steps_per_epoch // 2, steps_per_epoch * epochs

    def factor(step):
        if step < warmup:
            return (step + 1) / (warmup + 1)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, total - warmup))))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
