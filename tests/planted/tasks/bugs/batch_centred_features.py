# planted: features are centred with the mean of the batch, in evaluation too
# must: gradient_dependency, special_case
# may: train_eval_mode, metrics, zero_input
# data: grey
"""Whitening by hand."""

import torch
from torch import nn
from torchvision import transforms as T


class Centred(nn.Module):
    def forward(self, h):
        return (h - h.mean(0, keepdim=True)) / (h.std() + 1e-5)


def build_transform(train):
    return T.Compose([T.Grayscale(), T.Resize((24, 24)), T.ToTensor()])


def build_model(num_classes):
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(576, 128),
        Centred(),
        nn.ReLU(),
        nn.Linear(128, 64),
        nn.ReLU(),
        nn.Linear(64, num_classes),
    )


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=1e-3)
