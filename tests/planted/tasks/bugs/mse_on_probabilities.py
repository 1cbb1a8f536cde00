# planted: squared error between softmax and one-hot labels: flat where the net is surely wrong
# must: loss_function
# may: loss_at_init, init_bias, overfit_batch, learning_rate, bigger_net
# data: grey
"""The model gives logits, the loss makes probabilities and compares."""

import torch
from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Grayscale(), T.Resize((28, 28)), T.ToTensor(), T.Normalize(0.65, 0.2)])


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, 2, 1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 49, num_classes),
    )


class Loss(nn.Module):
    def __init__(self):
        super().__init__()
        self.mse = nn.MSELoss()

    def forward(self, logits, target):
        probabilities = torch.softmax(logits, 1)
        truth = torch.zeros_like(probabilities).scatter_(1, target[:, None], 1.0)
        return self.mse(probabilities, truth)


def build_loss():
    return Loss()
