# healthy: cosine head with the CosFace margin inside the loss, so the first loss lies above ln(classes)
# data: digits

"""The net returns 16 x cosine to the class direction, without bias; the loss takes 16 x 0.2 from the true class before cross entropy."""

import torch
import torch.nn.functional as F
from torch import nn
from torchvision import transforms as T

SCALE, MARGIN = 16.0, 0.2


def build_transform(train):
    steps = [T.Resize((32, 32))]
    if train:
        steps.append(T.RandomCrop(32, padding=2, padding_mode="edge"))
    return T.Compose([*steps, T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)])


class CosineHead(nn.Module):
    def __init__(self, features, num_classes):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(num_classes, features))

    def forward(self, x):
        return SCALE * F.linear(F.normalize(x, dim=1), F.normalize(self.weight, dim=1))


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Conv2d(32, 48, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(48),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(48 * 16, 64),
        CosineHead(64, num_classes),
    )


class CosFace(nn.Module):
    def forward(self, logits, target):
        shift = SCALE * MARGIN * F.one_hot(target, logits.shape[1]).to(logits.dtype)
        return F.cross_entropy(logits - shift, target)


def build_loss():
    return CosFace()
