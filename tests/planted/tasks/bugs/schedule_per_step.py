# planted: a step schedule meant per epoch is advanced every step: the rate is gone within an epoch
# must: learning_rate
# may: bigger_net, prediction_dynamics, zero_input, overfit_batch
# data: digits
"""StepLR as in ImageNet training, and a scheduler_interval left from one_cycle."""

import torch
from torch import nn
from torchvision import transforms as T

scheduler_interval = "step"


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


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=1e-3)


def build_scheduler(optimizer, steps_per_epoch, epochs):
    return torch.optim.lr_scheduler.StepLR(optimizer, step_size=3, gamma=0.1)
