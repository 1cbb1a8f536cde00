# planted: the augmenter makes a new generator with the same seed on every call, so all pictures in all epochs get the identical rotation and shift
# must: augmentation
# may: see_the_input, human_baseline, metrics, train_eval_mode
# data: digits
"""Digits with reproducible rotation and shift, small CNN with group norm."""

import numpy as np
import torch
from torch import nn
from torchvision.transforms import functional as TF

SEED = 7


class Wobble:
    """Random rotation and shift, reproducible from SEED."""

    def __init__(self, degrees=25.0, shift=4):
        self.degrees, self.shift = degrees, shift

    def __call__(self, img):
        rng = np.random.default_rng(SEED)
        angle = float(rng.uniform(-self.degrees, self.degrees))
        dx, dy = (int(v) for v in rng.integers(-self.shift, self.shift + 1, size=2))
        return TF.affine(
            img, angle=angle, translate=[dx, dy], scale=1.0, shear=[0.0], fill=[200, 200, 200]
        )


def build_transform(train):
    wobble = Wobble()

    def apply(img):
        img = TF.resize(img, [32, 32])
        if train:
            img = wobble(img)
        return TF.normalize(TF.to_tensor(img), [0.75] * 3, [0.2] * 3)

    return apply


class Net(nn.Module):
    def __init__(self, num_classes, c):
        super().__init__()
        self.a = nn.Conv2d(3, c, 3, stride=2, padding=1)
        self.na = nn.GroupNorm(4, c)
        self.b = nn.Conv2d(c, 2 * c, 3, stride=2, padding=1)
        self.nb = nn.GroupNorm(4, 2 * c)
        self.fc = nn.Linear(2 * c * 64, num_classes)
        nn.init.normal_(self.fc.weight, std=0.01)
        nn.init.zeros_(self.fc.bias)

    def forward(self, x):
        x = torch.relu(self.na(self.a(x)))
        x = torch.relu(self.nb(self.b(x)))
        return self.fc(x.flatten(1))


def build_model(num_classes, width=1.0):
    return Net(num_classes, int(16 * width))
