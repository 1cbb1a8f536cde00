# planted: the optimizer got the classifier's parameters only, nothing is declared frozen
# must: parameters_update
# may: overfit_batch, bigger_net
# data: digits
"""Left over from linear probing."""

import torch
from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)])


class Net(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, 2, 1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(4),
        )
        self.fc = nn.Linear(512, num_classes)

    def forward(self, x):
        return self.fc(self.backbone(x).flatten(1))


def build_model(num_classes):
    return Net(num_classes)


def build_optimizer(model):
    return torch.optim.Adam(model.fc.parameters(), lr=1e-3)
