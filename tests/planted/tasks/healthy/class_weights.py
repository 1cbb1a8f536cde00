# healthy: classes 1 : 50, cross-entropy weighted by the inverse frequency, in the right order
# data: rare
import torch
from torch import nn
from torchvision import transforms as T

COUNTS = {"disc": 500, "square": 150, "triangle": 10}


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.65] * 3, [0.2] * 3)])


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 64, num_classes),
    )


def build_loss():
    total = sum(COUNTS.values())
    weight = torch.tensor([total / (3 * COUNTS[name]) for name in sorted(COUNTS)])
    return nn.CrossEntropyLoss(weight=weight)
