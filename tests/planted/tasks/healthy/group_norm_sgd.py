# healthy: group norm, SGD with momentum, a step schedule per epoch
# data: grey
import torch
from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose(
        [T.Grayscale(3), T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.65] * 3, [0.2] * 3)]
    )


def build_model(num_classes):
    def unit(i, o):
        return [nn.Conv2d(i, o, 3, 2, 1, bias=False), nn.GroupNorm(4, o), nn.ReLU(inplace=True)]

    return nn.Sequential(
        *unit(3, 16),
        *unit(16, 32),
        *unit(32, 64),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(256, num_classes),
    )


def build_optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-4)


def build_scheduler(optimizer, steps_per_epoch, epochs):
    return torch.optim.lr_scheduler.MultiStepLR(optimizer, [epochs // 2, epochs * 3 // 4], 0.1)
