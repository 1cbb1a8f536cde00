# planted: the class indices of the evaluation split come from another order of the class names
# must: see_the_input
# may: metrics, zero_input, prediction_dynamics, loss_at_init, init_bias
# data: colours
"""The class list of each split is read from a file in the order in which someone typed it."""

import torch
import torch.nn.functional as F
from torch import nn
from torchvision import transforms

CLASSES = {
    "train": ["blue_bar", "blue_disc", "blue_star", "red_bar", "red_disc", "red_star"],
    "validation": ["blue_bar", "red_bar", "blue_disc", "red_disc", "blue_star", "red_star"],
}


def label_map(split):
    return {name: index for index, name in enumerate(CLASSES.get(split, CLASSES["train"]))}


def build_transform(train):
    return transforms.Compose(
        [
            transforms.Resize(32),
            transforms.CenterCrop(32),
            transforms.ToTensor(),
            transforms.Normalize((0.6,) * 3, (0.2,) * 3),
        ]
    )


class Plain(nn.Module):
    def __init__(self, num_classes, width=24):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 5, stride=2, padding=2)
        self.norm = nn.GroupNorm(4, width)
        self.mix = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.head = nn.Linear(2 * width, num_classes)

    def forward(self, x):
        x = F.relu(self.norm(self.stem(x)))
        x = F.relu(self.mix(x))
        return self.head(x.amax((2, 3)))


def build_model(num_classes):
    return Plain(num_classes)


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=2e-3)
