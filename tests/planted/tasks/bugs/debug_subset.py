# planted: a loader left on the first hundred samples, which are of one class or two
# must: batch_order
# may: loss_at_init, init_bias, zero_input, prediction_dynamics, metrics, bigger_net, learning_rate, overfit_batch
# data: two
"""Quick to try, quick to forget."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Subset
from torchvision import transforms as T

FAST = True


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.65] * 3, [0.2] * 3)])


def train_loader(dataset, batch_size, seed):
    if FAST:
        dataset = Subset(dataset, range(100))
    g = torch.Generator().manual_seed(seed)
    return DataLoader(dataset, batch_size=batch_size, shuffle=True, generator=g)


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.ReLU(),
        nn.AdaptiveMaxPool2d(2),
        nn.Flatten(),
        nn.Linear(128, num_classes),
    )
