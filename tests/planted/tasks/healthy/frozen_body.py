# healthy: a body loaded from a file, frozen, its batch norm kept in evaluation mode; only the head learns
# data: digits
"""Linear probe on features trained on drawn shapes (body.pt, made by tests/planted/make_body.py)."""

from pathlib import Path

import torch
from torch import nn
from torchvision import transforms as T

frozen = ["body."]
pretrained_normalization = {"mean": [0.6, 0.6, 0.6], "std": [0.2, 0.2, 0.2]}
WEIGHTS = Path(__file__).with_name("body.pt")


class Probe(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 12, 3, 1, 1, bias=False),
            nn.BatchNorm2d(12),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(12, 24, 3, 1, 1, bias=False),
            nn.BatchNorm2d(24),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(24, 32, 3, 1, 1, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(),
        )
        self.body.load_state_dict(torch.load(WEIGHTS, weights_only=True))
        self.body.requires_grad_(False)
        self.head = nn.Linear(32 * 16, num_classes)

    def train(self, mode=True):
        super().train(mode)
        self.body.eval()
        return self

    def forward(self, x):
        with torch.no_grad():
            x = nn.functional.adaptive_avg_pool2d(self.body(x), 4)
        return self.head(x.flatten(1))


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize(**pretrained_normalization)])


def build_model(num_classes):
    return Probe(num_classes)


def build_optimizer(model):
    return torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=3e-3)
