# planted: the warm-up length is counted in steps while the scheduler moves once per epoch, so the warm-up never ends and the learning rate stays near zero
# must: learning_rate
# may: prediction_dynamics, overfit_batch, human_baseline, parameters_update, metrics, zero_input, bigger_net
# data: digits
"""Digits with linear warm-up over the first epochs, then a constant rate."""

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from torchvision import transforms as T

WARMUP_EPOCHS = 3


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)])


def build_model(num_classes):
    head = nn.Linear(256, num_classes)
    nn.init.normal_(head.weight, std=0.01)
    nn.init.zeros_(head.bias)
    return nn.Sequential(
        nn.Conv2d(3, 16, 4, stride=4),
        nn.GroupNorm(2, 16),
        nn.GELU(),
        nn.Conv2d(16, 64, 3, stride=2, padding=1),
        nn.GroupNorm(4, 64),
        nn.GELU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        head,
    )


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=2e-3)


def build_scheduler(optimizer, steps_per_epoch, epochs):
    warmup = WARMUP_EPOCHS * steps_per_epoch
    return LambdaLR(optimizer, lambda i: min(1.0, (i + 1) / warmup))
