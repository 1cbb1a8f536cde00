# planted: squared error between logits and one-hot labels
# must: loss_function
# may: loss_at_init, init_bias, overfit_batch
# data: digits
"""Regression habits."""

import torch.nn.functional as F
from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)])


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 64, num_classes),
    )


def build_loss():
    def loss(logits, target):
        return F.mse_loss(logits, F.one_hot(target, logits.shape[1]).float())

    return loss
