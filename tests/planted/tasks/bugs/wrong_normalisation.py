# planted: the pretrained weights expect ImageNet's mean and deviation, the transform uses 0.5 and 0.5
# must: see_the_input
# may:
# data: digits
"""Fine-tuning: what the weights expect is written down, what they get is not looked at."""

from torch import nn
from torchvision import transforms as T

pretrained_normalization = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


def build_transform(train):
    normalize = T.Normalize(mean=[0.5, 0.5, 0.5], std=[0.5, 0.5, 0.5])
    if train:
        return T.Compose([T.RandomResizedCrop(32, scale=(0.8, 1.0)), T.ToTensor(), normalize])
    return T.Compose([T.Resize(36), T.CenterCrop(32), T.ToTensor(), normalize])


class Residual(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.f = nn.Sequential(
            nn.Conv2d(c, c, 3, padding=1, bias=False),
            nn.BatchNorm2d(c),
            nn.ReLU(inplace=True),
            nn.Conv2d(c, c, 3, padding=1, bias=False),
            nn.BatchNorm2d(c),
        )
        self.act = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.act(x + self.f(x))


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 24, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(24),
        nn.ReLU(inplace=True),
        Residual(24),
        nn.MaxPool2d(2),
        Residual(24),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(24, num_classes),
    )
