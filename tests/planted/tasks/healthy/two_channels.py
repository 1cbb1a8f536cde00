# healthy: grey picture standardised by itself plus an edge map as second channel, read by a persistent worker
# data: grey

"""Two input channels: the grey values and their Sobel magnitude, each to zero mean and unit deviation per picture."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms as T

SOBEL = torch.tensor(
    [
        [[[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]],
        [[[-1.0, -2.0, -1.0], [0.0, 0.0, 0.0], [1.0, 2.0, 1.0]]],
    ]
)


class GreyAndEdges:
    def __call__(self, x):
        padded = F.pad(x.unsqueeze(0), (1, 1, 1, 1), mode="replicate")
        edges = F.conv2d(padded, SOBEL).pow(2).sum(dim=1).add(1e-12).sqrt()
        both = torch.cat([x, edges])
        mean = both.mean(dim=(1, 2), keepdim=True)
        std = both.std(dim=(1, 2), keepdim=True).clamp_min(0.02)
        return (both - mean) / std


def build_transform(train):
    steps = [T.Grayscale(), T.Resize((32, 32))]
    if train:
        steps.append(T.RandomCrop(32, padding=2, padding_mode="edge"))
    return T.Compose([*steps, T.ToTensor(), GreyAndEdges()])


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(2, 16, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ELU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.ELU(),
        nn.Conv2d(32, 64, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(64),
        nn.ELU(),
        nn.AdaptiveMaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * 4, num_classes),
    )


def build_optimizer(model):
    return torch.optim.RAdam(model.parameters(), lr=2e-3)


def train_loader(dataset, batch_size, seed):
    # the worker's own random state comes from this generator too
    generator = torch.Generator().manual_seed(seed)
    return DataLoader(
        dataset,
        batch_size=batch_size,
        shuffle=True,
        generator=generator,
        num_workers=1,
        persistent_workers=True,
    )
