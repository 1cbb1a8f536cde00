# planted: digits are rotated by any angle and mirrored: a six becomes a nine, a two a five
# must: augmentation
# may: overfit_batch, zero_input
# data: digits
"""Copied from a satellite-image project, where up and down mean nothing."""

from torch import nn
from torchvision import transforms as T


def build_transform(train):
    normalize = T.Normalize((0.75, 0.75, 0.75), (0.2, 0.2, 0.2))
    if train:
        return T.Compose(
            [
                T.Resize((32, 32)),
                T.RandomHorizontalFlip(),
                T.RandomVerticalFlip(),
                T.RandomRotation(180, fill=210),
                T.ToTensor(),
                normalize,
            ]
        )
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), normalize])


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(256, num_classes),
    )
