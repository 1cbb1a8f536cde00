# healthy: one-vs-rest binary cross entropy on one-hot targets with prior-initialised output biases
# data: colours

"""Each logit is an independent yes/no question; the biases start at the log odds of one class in C."""

import math

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.transforms import v2


def build_model(num_classes: int, width: float = 1.0) -> nn.Module:
    c1, c2, c3 = (int(c * width) for c in (16, 32, 48))
    head = nn.Linear(c3, num_classes)
    nn.init.normal_(head.weight, std=0.02)
    nn.init.constant_(head.bias, -math.log(max(1, num_classes - 1)))
    return nn.Sequential(
        nn.Conv2d(3, c1, 3, 2, 1, bias=False),
        nn.BatchNorm2d(c1),
        nn.ReLU(),
        nn.Conv2d(c1, c2, 3, 2, 1, bias=False),
        nn.BatchNorm2d(c2),
        nn.ReLU(),
        nn.Conv2d(c2, c3, 3, 1, 1, bias=False),
        nn.BatchNorm2d(c3),
        nn.ReLU(),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        head,
    )


def build_transform(train: bool):
    steps = [v2.Resize((32, 32))]
    if train:
        steps += [
            v2.RandomCrop(32, padding=2, padding_mode="edge"),
            v2.ColorJitter(brightness=0.15, contrast=0.1),
        ]
    steps += [
        v2.ToImage(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize([0.65] * 3, [0.2] * 3),
        v2.ToPureTensor(),
    ]
    return v2.Compose(steps)


def build_loss():
    def loss(logits, target):
        one_hot = F.one_hot(target, logits.shape[1]).to(logits.dtype)
        return F.binary_cross_entropy_with_logits(logits, one_hot)

    return loss


def build_optimizer(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(model.parameters(), lr=2e-3)


def predict(logits):
    return torch.sigmoid(logits).argmax(dim=1)
