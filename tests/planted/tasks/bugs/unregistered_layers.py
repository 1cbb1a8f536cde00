# planted: the hidden layers stand in a plain list: no optimizer, device or checkpoint knows them
# must: parameters_update
# may: checkpoint_reload, overfit_batch, fixed_seed
# data: digits
"""An MLP of any depth."""

import torch
from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Resize((16, 16)), T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)])


class Deep(nn.Module):
    def __init__(self, num_classes, depth=3, hidden=64):
        super().__init__()
        self.first = nn.Linear(768, hidden)
        self.hidden = [nn.Linear(hidden, hidden) for _ in range(depth)]
        self.last = nn.Linear(hidden, num_classes)

    def forward(self, x):
        x = torch.relu(self.first(x.flatten(1)))
        for layer in self.hidden:
            x = torch.relu(layer(x))
        return self.last(x)


def build_model(num_classes):
    return Deep(num_classes)


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=1e-3)
