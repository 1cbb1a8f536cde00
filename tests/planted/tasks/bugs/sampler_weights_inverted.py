# planted: the balancing sampler weights each picture by its class count instead of one over it, so the rare class is hardly ever drawn
# must: batch_order
# may: see_the_input, prediction_dynamics, init_bias, special_case, zero_input, loss_function, bigger_net
# data: rare
"""Imbalanced shapes, balanced with a weighted sampler; small group-norm CNN."""

import torch
from torch import nn
from torch.utils.data import DataLoader, WeightedRandomSampler
from torchvision import transforms as T


def per_image(t):
    return (t - t.mean()) / t.std().clamp_min(1e-3)


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Lambda(per_image)])


class Net(nn.Module):
    def __init__(self, num_classes, w):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, w, 3, stride=2, padding=1),
            nn.GroupNorm(4, w),
            nn.ReLU(),
            nn.Conv2d(w, 2 * w, 3, stride=2, padding=1),
            nn.GroupNorm(4, 2 * w),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
        )
        self.head = nn.Linear(2 * w * 16, num_classes)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def forward(self, x):
        return self.head(self.body(x))


def build_model(num_classes, width=1.0):
    return Net(num_classes, int(16 * width))


def train_loader(dataset, batch_size, seed):
    labels = torch.tensor([int(dataset[i][1]) for i in range(len(dataset))])
    class_weight = torch.bincount(labels).double()
    class_weight = class_weight / class_weight.sum()
    g = torch.Generator().manual_seed(seed)
    sampler = WeightedRandomSampler(
        class_weight[labels], num_samples=len(labels), replacement=True, generator=g
    )
    return DataLoader(dataset, batch_size=batch_size, sampler=sampler)
