# planted: the loss applies softmax and then cross_entropy, which applies it again
# must: loss_function
# may: overfit_batch, loss_at_init, init_bias, bigger_net, learning_rate, prediction_dynamics, zero_input
# data: colours
"""A loss with a temperature."""

import torch.nn.functional as F
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


class TemperedLoss(nn.Module):
    def __init__(self, temperature=1.0):
        super().__init__()
        self.temperature = temperature

    def forward(self, logits, target):
        probabilities = F.softmax(logits / self.temperature, dim=-1)
        return F.cross_entropy(probabilities, target)


def build_loss():
    return TemperedLoss()
