# planted: a module-level numpy generator is copied into each worker at every epoch
# must: augmentation
# may: fixed_seed, checkpoint_reload
# data: two
"""The new numpy generator, as its documentation recommends, and two workers."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

rng = np.random.default_rng(2024)


def augment(x):
    if rng.random() < 0.5:
        x = x.flip(2)
    dy, dx = rng.integers(-3, 4, size=2)
    x = torch.roll(x, (int(dy), int(dx)), dims=(1, 2))
    return x + float(rng.normal(0, 0.1))


def build_transform(train):
    def to_tensor(image):
        x = torch.from_numpy(np.array(image.resize((28, 28)))).permute(2, 0, 1) / 255
        x = (x - 0.6) / 0.25
        return augment(x) if train else x

    return to_tensor


def train_loader(dataset, batch_size, seed):
    return DataLoader(
        dataset,
        batch_size,
        shuffle=True,
        num_workers=2,
        drop_last=True,
        generator=torch.Generator().manual_seed(seed),
    )


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 5, stride=2, padding=2),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, stride=2, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * 49, num_classes),
    )
