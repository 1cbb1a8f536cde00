# planted: the loss sums over the batch: the step grows with the batch size
# must: loss_function
# may: loss_at_init, init_bias, learning_rate, overfit_batch, special_case
# data: digits
"""reduction="sum" from a script that divided by the batch size later."""

from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)])


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(512, num_classes),
    )


def build_loss():
    return nn.CrossEntropyLoss(reduction="sum")
