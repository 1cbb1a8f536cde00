# planted: ignore_index=0, from a segmentation script, leaves class 0 out of the loss
# must: loss_function
# may: overfit_batch, zero_input, metrics, prediction_dynamics, loss_at_init, init_bias, special_case
# data: colours
"""Background is class 0 there; here it is a class like the others."""

from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.6] * 3, [0.2] * 3)])


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 64, num_classes),
    )


def build_loss():
    return nn.CrossEntropyLoss(ignore_index=0)
