# planted: loading a checkpoint seeds anew: every resumed part repeats the same dropout masks
# must: checkpoint_reload
# may: fixed_seed
# data: digits
"""A resume that wants to be reproducible."""

import random

import numpy as np
import torch
from torch import nn
from torchvision import transforms as T


def seed_all(seed=0):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)])


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(32 * 64, num_classes),
    )


def save_checkpoint(model, optimizer, path):
    torch.save({"m": model.state_dict(), "o": optimizer.state_dict()}, path)


def load_checkpoint(model, optimizer, path):
    seed_all()
    saved = torch.load(path, weights_only=True)
    model.load_state_dict(saved["m"])
    optimizer.load_state_dict(saved["o"])
