"""A pipeline as one finds it in many projects: torchvision's ResNet-18, its transforms, SGD.

recipe sanity -w WORKSPACE --task docs/tasks/torchvision_resnet.py
"""

import torch
from torch import nn
from torchvision import models
from torchvision.transforms import v2

SIZE = 32


def build_model(num_classes):
    net = models.resnet18(num_classes=num_classes)
    # pictures of 32 px: torchvision's first layers would leave 8 x 8 of them
    net.conv1 = nn.Conv2d(3, 64, 3, stride=2, padding=1, bias=False)
    net.maxpool = nn.Identity()
    return net


def build_transform(train):
    return v2.Compose([
        v2.Resize((SIZE, SIZE)), v2.ToImage(), v2.ToDtype(torch.float32, scale=True),
        v2.Normalize([0.75] * 3, [0.2] * 3),
    ])  # fmt: skip


def build_loss():
    return nn.CrossEntropyLoss()


def build_optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-4)


def build_scheduler(optimizer, steps_per_epoch, epochs):
    return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs * steps_per_epoch)


scheduler_interval = "step"
