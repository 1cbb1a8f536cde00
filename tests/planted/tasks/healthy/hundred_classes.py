# healthy: a hundred classes with six pictures each
# data: hundred
import torch
from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.6] * 3, [0.22] * 3)])


class Net(nn.Module):
    def __init__(self, num_classes, width=1.0):
        super().__init__()
        a, b = int(32 * width), int(64 * width)
        self.conv = nn.Sequential(
            nn.Conv2d(3, a, 3, 2, 1, bias=False),
            nn.BatchNorm2d(a),
            nn.ReLU(),
            nn.Conv2d(a, b, 3, 2, 1, bias=False),
            nn.BatchNorm2d(b),
            nn.ReLU(),
        )
        self.fc = nn.Linear(b * 16, num_classes)

    def forward(self, x):
        return self.fc(nn.functional.adaptive_avg_pool2d(self.conv(x), 4).flatten(1))


def build_model(num_classes, width=1.0):
    return Net(num_classes, width)


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=2e-3)
