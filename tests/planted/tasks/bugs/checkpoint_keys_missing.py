# planted: keys are saved with a prefix and loaded with strict=False: nothing is loaded
# must: checkpoint_reload
# may:
# data: digits
"""Saved for DataParallel, loaded without."""

import torch
from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)])


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(512, num_classes),
    )


def save_checkpoint(model, optimizer, path):
    weights = {f"module.{k}": v for k, v in model.state_dict().items()}
    torch.save({"model": weights, "optimizer": optimizer.state_dict()}, path)


def load_checkpoint(model, optimizer, path):
    saved = torch.load(path, weights_only=True)
    model.load_state_dict(saved["model"], strict=False)
    optimizer.load_state_dict(saved["optimizer"])
