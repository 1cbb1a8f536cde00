# planted: every weight starts at zero
# must: parameters_update, overfit_batch, dead_units
# may: zero_input, bigger_net, prediction_dynamics, learning_rate, gradient_dependency, metrics
# data: digits
"""Own initialisation."""

from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)])


def init(module):
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.zeros_(module.weight)
        nn.init.zeros_(module.bias)


def build_model(num_classes):
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 64, num_classes),
    )
    return net.apply(init)
