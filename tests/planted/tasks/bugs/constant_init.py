# planted: every weight starts at the same number: all units of a layer stay copies of one another
# must: dead_units, overfit_batch
# may: loss_at_init, bigger_net, zero_input, prediction_dynamics, learning_rate, parameters_update, gradient_dependency
# data: grey
"""Small positive weights, so that no ReLU dies."""

import torch
from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Grayscale(1), T.Resize((20, 20)), T.ToTensor(), T.Normalize(0.65, 0.2)])


class MLP(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.fc1 = nn.Linear(400, 100)
        self.fc2 = nn.Linear(100, 50)
        self.fc3 = nn.Linear(50, num_classes)
        for p in self.parameters():
            nn.init.constant_(p, 0.01)

    def forward(self, x):
        x = torch.relu(self.fc1(x.flatten(1)))
        x = torch.relu(self.fc2(x))
        return self.fc3(x)


def build_model(num_classes):
    return MLP(num_classes)


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=1e-3)
