# planted: blue comes first in training and evaluation, while the declared weights expect red first
# must: see_the_input
# may:
# data: colours
"""Pictures through an OpenCV-like array, normalised with ImageNet's figures."""

import numpy as np
import torch
from torch import nn

pretrained_normalization = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


class Preprocess:
    def __init__(self, size=32):
        self.size = size
        self.mean = torch.tensor(pretrained_normalization["mean"]).view(3, 1, 1)
        self.std = torch.tensor(pretrained_normalization["std"]).view(3, 1, 1)

    def __call__(self, image):
        bgr = np.array(image.resize((self.size, self.size)))[..., ::-1].copy()
        x = torch.from_numpy(bgr).permute(2, 0, 1).float().div(255)
        return (x - self.mean) / self.std


def build_transform(train):
    return Preprocess()


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 24, 3, stride=2, padding=1),
        nn.BatchNorm2d(24),
        nn.ReLU(),
        nn.Conv2d(24, 48, 3, stride=2, padding=1),
        nn.BatchNorm2d(48),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(192, num_classes),
    )
