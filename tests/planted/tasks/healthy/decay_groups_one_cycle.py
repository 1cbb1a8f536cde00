# healthy: no weight decay for biases and norms, one cycle advanced per step
# data: colours
import torch
from torch import nn
from torchvision import transforms as T

scheduler_interval = "step"


def build_transform(train):
    if train:
        return T.Compose(
            [
                T.RandomResizedCrop(32, scale=(0.7, 1.0)),
                T.ColorJitter(0.1, 0.1, 0.1),
                T.ToTensor(),
                T.Normalize([0.6] * 3, [0.2] * 3),
            ]
        )
    return T.Compose([T.Resize(32), T.ToTensor(), T.Normalize([0.6] * 3, [0.2] * 3)])


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.SiLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.SiLU(),
        nn.MaxPool2d(2),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(512, num_classes),
    )


def build_optimizer(model):
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=4e-4)


def build_scheduler(optimizer, steps_per_epoch, epochs):
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=4e-3, total_steps=steps_per_epoch * epochs + 1
    )
