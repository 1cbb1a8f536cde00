# planted: the model ends in a softmax and the loss takes another
# must: loss_function
# may: overfit_batch, loss_at_init, init_bias, bigger_net, learning_rate, prediction_dynamics, zero_input
# data: digits
"""Probabilities out of the model."""

from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)])


class Net(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, 2, 1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(128, num_classes),
        )

    def forward(self, x):
        return self.net(x).softmax(dim=1)


def build_model(num_classes):
    return Net(num_classes)


def build_loss():
    return nn.CrossEntropyLoss()
