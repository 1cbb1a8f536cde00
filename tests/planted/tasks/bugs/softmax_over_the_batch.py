# planted: the attention weights are normalised over the batch instead of the places
# must: gradient_dependency, special_case
# may: overfit_batch, zero_input, metrics, bigger_net, train_eval_mode
# data: colours
"""Attention pooling over the feature map."""

import torch
from torch import nn
from torchvision import transforms as T


class AttentionPool(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.score = nn.Conv2d(channels, 1, 1)

    def forward(self, x):
        weights = torch.softmax(self.score(x).flatten(1), dim=0)
        return (x.flatten(2) * weights[:, None]).sum(2)


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.6] * 3, [0.2] * 3)])


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        AttentionPool(32),
        nn.Linear(32, num_classes),
    )
