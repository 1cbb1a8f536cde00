# planted: the training transform appends its random warps to the list that the evaluation transform holds too, so evaluation pictures are augmented (and twice after a second call)
# must: augmentation
# may: metrics, fixed_seed, see_the_input, human_baseline, checkpoint_reload, prediction_dynamics, zero_input, overfit_batch, batch_order
# data: digits
"""Digits with random warps in training."""

import torch
from torch import nn
from torchvision import transforms as T

WHITE = (1.0 - 0.75) / 0.2
COMMON = [T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)]
WARPS = [
    T.RandomAffine(degrees=12, translate=(0.12, 0.12), scale=(0.85, 1.15), fill=WHITE),
    T.RandomPerspective(0.25, p=0.5, fill=WHITE),
]


def build_transform(train):
    steps = COMMON
    if train:
        steps += WARPS
    return T.Compose(steps)


class Net(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, 3, stride=2, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(32)
        self.conv3 = nn.Conv2d(32, 48, 3, stride=2, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(48)
        self.head = nn.Linear(48 * 16, num_classes)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        x = torch.relu(self.bn2(self.conv2(x)))
        x = torch.relu(self.bn3(self.conv3(x)))
        return self.head(x.flatten(1))


def build_model(num_classes):
    return Net(num_classes)
