# planted: the labels of the training set are permuted, the pictures are not
# must: see_the_input
# may: zero_input, overfit_batch, bigger_net, prediction_dynamics, learning_rate, metrics, batch_order
# data: digits
"""A small CNN with its own training set that keeps samples and targets in two lists."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms as T


class InMemory(Dataset):
    def __init__(self, base, seed):
        self.images = [base[i][0] for i in range(len(base))]
        self.targets = np.array([base[i][1] for i in range(len(base))])
        rng = np.random.default_rng(seed)
        rng.shuffle(self.targets)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return self.images[i], int(self.targets[i])


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.5] * 3, [0.25] * 3)])


def build_model(num_classes):
    def block(i, o):
        return nn.Sequential(
            nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU(), nn.MaxPool2d(2)
        )

    return nn.Sequential(
        block(3, 16),
        block(16, 32),
        block(32, 32),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, num_classes),
    )


def train_loader(dataset, batch_size, seed):
    generator = torch.Generator().manual_seed(seed)
    return DataLoader(InMemory(dataset, seed), batch_size, shuffle=True, generator=generator)
