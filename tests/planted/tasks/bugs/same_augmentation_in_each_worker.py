# planted: every worker seeds numpy with the same number, so all draw the same augmentations
# must: augmentation
# may:
# data: colours
"""worker_init_fn was meant to make runs reproducible."""

import random

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader


class Jitter:
    def __init__(self, train):
        self.train = train

    def __call__(self, image):
        x = np.asarray(image.resize((32, 32)), np.float32).transpose(2, 0, 1) / 255
        if self.train:
            x = np.roll(x, np.random.randint(-2, 3, size=2), axis=(1, 2))
            x = x * np.random.uniform(0.9, 1.1) + np.random.normal(0, 0.02, x.shape)
        return torch.from_numpy((x - 0.6) / 0.2).float()


def build_transform(train):
    return Jitter(train)


def seed_worker(worker_id):
    np.random.seed(42)
    random.seed(42)


def train_loader(dataset, batch_size, seed):
    return DataLoader(
        dataset,
        batch_size=batch_size,
        shuffle=True,
        num_workers=2,
        worker_init_fn=seed_worker,
        generator=torch.Generator().manual_seed(seed),
    )


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 64, num_classes),
    )
