# healthy: small rotations, shifts and erasing, two workers, seeded
# data: digits
import random

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms as T


def seed_worker(worker_id):
    seed = torch.initial_seed() % 2**32
    np.random.seed(seed)
    random.seed(seed)


def train_loader(dataset, batch_size, seed):
    return DataLoader(
        dataset,
        batch_size,
        shuffle=True,
        num_workers=2,
        worker_init_fn=seed_worker,
        generator=torch.Generator().manual_seed(seed),
        drop_last=True,
    )


def build_transform(train):
    tail = [T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)]
    if not train:
        return T.Compose([T.Resize((32, 32)), *tail])
    return T.Compose(
        [
            T.Resize((32, 32)),
            T.RandomAffine(10, translate=(0.06, 0.06), scale=(0.9, 1.1), fill=210),
            *tail,
            T.RandomErasing(p=0.25, scale=(0.02, 0.06)),
        ]
    )


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(512, num_classes),
    )


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=2e-3)
