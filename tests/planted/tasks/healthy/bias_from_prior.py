# healthy: classes 1 : 50, the last bias holds the log of the class shares
# data: rare
import torch
from torch import nn
from torchvision import transforms as T

SHARES = torch.tensor([500.0, 150.0, 10.0]) / 660


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.65] * 3, [0.2] * 3)])


def build_model(num_classes):
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(128, num_classes),
    )
    head = model[-1]
    with torch.no_grad():
        head.weight.zero_()
        head.bias.copy_(SHARES.log())
    return model


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=1e-3)
