# healthy: torchvision's ResNet-18 with a small stem
# data: colours
import torch
from torch import nn
from torchvision import models, transforms


def build_transform(train):
    return transforms.Compose(
        [
            transforms.Resize(32),
            transforms.CenterCrop(32),
            transforms.ToTensor(),
            transforms.Normalize((0.6, 0.6, 0.6), (0.2, 0.2, 0.2)),
        ]
    )


def build_model(num_classes):
    model = models.resnet18(weights=None, num_classes=num_classes)
    model.conv1 = nn.Conv2d(3, 64, 3, stride=2, padding=1, bias=False)
    return model


def build_optimizer(model):
    return torch.optim.AdamW(model.parameters(), lr=5e-4)
