# planted: the last layer is followed by a ReLU
# must: dead_units
# may: overfit_batch, loss_at_init, prediction_dynamics, bigger_net, parameters_update, zero_input, metrics, learning_rate, gradient_dependency
# data: digits
"""Blocks of layer and activation, the last one too."""

from torch import nn
from torchvision import transforms as T


def dense(i, o):
    return nn.Sequential(nn.Linear(i, o), nn.ReLU())


def conv(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)])


def build_model(num_classes):
    return nn.Sequential(
        conv(3, 16), conv(16, 32), nn.Flatten(), dense(32 * 64, 64), dense(64, num_classes)
    )
