# planted: the log-likelihood is minimised
# must: loss_function
# may: loss_at_init, overfit_batch, init_bias, bigger_net, learning_rate, prediction_dynamics, zero_input, metrics, dead_units
# data: two
"""Cross-entropy written out."""

import torch
from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Resize((24, 24)), T.ToTensor(), T.Normalize([0.65] * 3, [0.2] * 3)])


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1),
        nn.Tanh(),
        nn.Conv2d(16, 16, 3, 2, 1),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(16 * 36, num_classes),
    )


def log_likelihood(logits, target):
    log_p = torch.log_softmax(logits, dim=1)
    return log_p[torch.arange(len(target), device=target.device), target].mean()


def build_loss():
    return log_likelihood
