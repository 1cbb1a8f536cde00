# planted: only parameters are saved: batch norm starts again with mean 0 and variance 1
# must: checkpoint_reload
# may:
# data: colours
"""A checkpoint of named_parameters."""

import torch
from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.6] * 3, [0.2] * 3)])


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 64, num_classes),
    )


def save_checkpoint(model, optimizer, path):
    torch.save([{n: p.detach() for n, p in model.named_parameters()}, optimizer.state_dict()], path)


def load_checkpoint(model, optimizer, path):
    parameters, state = torch.load(path, weights_only=True)
    own = dict(model.named_parameters())
    with torch.no_grad():
        for name, value in parameters.items():
            own[name].copy_(value)
    optimizer.load_state_dict(state)
