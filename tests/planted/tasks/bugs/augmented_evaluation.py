# planted: the evaluation pictures go through the random training transform
# must: augmentation
# may: metrics, fixed_seed, see_the_input, special_case
# data: colours
"""One transform for all."""

from torch import nn
from torchvision import transforms as T

TRANSFORM = T.Compose(
    [
        T.RandomResizedCrop(32, scale=(0.6, 1.0), ratio=(0.9, 1.1)),
        T.RandomHorizontalFlip(),
        T.ColorJitter(0.2, 0.2),
        T.ToTensor(),
        T.Normalize([0.6, 0.6, 0.6], [0.2, 0.2, 0.2]),
    ]
)


def build_transform(train):
    return TRANSFORM


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 20, 3, padding=1),
        nn.GroupNorm(4, 20),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(20, 40, 3, padding=1),
        nn.GroupNorm(4, 40),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(40 * 64, num_classes),
    )
