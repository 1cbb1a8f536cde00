# planted: the checkpoint leaves the optimizer's momentum out
# must: checkpoint_reload
# may:
# data: two
"""Weights only."""

import torch
from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.65] * 3, [0.2] * 3)])


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 64, num_classes),
    )


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=1e-3)


def save_checkpoint(model, optimizer, path):
    torch.save(model.state_dict(), path)


def load_checkpoint(model, optimizer, path):
    model.load_state_dict(torch.load(path, weights_only=True))
