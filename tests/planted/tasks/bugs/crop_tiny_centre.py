# planted: the ImageNet recipe Resize(256) + CenterCrop(224) was adapted by changing only the crop to 32, so just 1/64 of each picture is left
# must: see_the_input
# may: zero_input, bigger_net, augmentation, metrics, overfit_batch, prediction_dynamics, special_case
# data: digits
"""Digits at 32 px, batch-norm CNN; preprocessing follows the usual resize-and-crop recipe."""

import torch
from torch import nn
from torchvision import transforms


def build_transform(train):
    normalize = transforms.Normalize(mean=[0.75] * 3, std=[0.2] * 3)
    return transforms.Compose(
        [
            transforms.Resize(256),
            transforms.CenterCrop(32),
            transforms.ToTensor(),
            normalize,
        ]
    )


class ConvNet(nn.Module):
    def __init__(self, num_classes, c):
        super().__init__()
        layers, cin = [], 3
        for cout in (c, 2 * c, 2 * c):
            layers += [
                nn.Conv2d(cin, cout, 3, padding=1, bias=False),
                nn.BatchNorm2d(cout),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
            cin = cout
        self.layers = nn.Sequential(*layers)
        self.out = nn.Linear(cin * 16, num_classes)
        nn.init.normal_(self.out.weight, std=0.01)
        nn.init.zeros_(self.out.bias)

    def forward(self, x):
        return self.out(torch.flatten(self.layers(x), 1))


def build_model(num_classes, width=1.0):
    return ConvNet(num_classes, int(12 * width))
