# planted: a misspelt attribute: the body that is declared frozen goes on training
# must: parameters_update
# may:
# data: digits
"""require_grad is not requires_grad."""

import torch
from torch import nn
from torchvision import transforms as T

frozen = ["body"]


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)])


class Net(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 32, 5, 2, 2), nn.ReLU(), nn.Conv2d(32, 64, 3, 2, 1), nn.ReLU()
        )
        self.head = nn.Linear(64 * 16, num_classes)
        for p in self.body.parameters():
            p.require_grad = False

    def forward(self, x):
        x = torch.nn.functional.adaptive_avg_pool2d(self.body(x), 4)
        return self.head(x.flatten(1))


def build_model(num_classes):
    return Net(num_classes)


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=1e-3)
