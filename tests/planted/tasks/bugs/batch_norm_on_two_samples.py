# planted: batches of two for a net with batch norm: its statistics are noise
# must: train_eval_mode
# may: metrics, learning_rate, prediction_dynamics, overfit_batch, zero_input, batch_order, bigger_net, gradient_dependency, loss_at_init, init_bias, checkpoint_reload
# data: two
"""Memory was short once."""

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.65] * 3, [0.2] * 3)])


def train_loader(dataset, batch_size, seed):
    g = torch.Generator().manual_seed(seed)
    return DataLoader(dataset, batch_size=2, shuffle=True, generator=g)


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, 32),
        nn.BatchNorm1d(32),
        nn.ReLU(),
        nn.Linear(32, num_classes),
    )
