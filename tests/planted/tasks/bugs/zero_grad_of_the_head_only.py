# planted: zero_grad is called on the classifier only, the body's gradients pile up
# must: gradient_reset
# may: overfit_batch, learning_rate, prediction_dynamics, bigger_net, zero_input
# data: colours
"""From a script in which only the head was trained."""

import torch
from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.6] * 3, [0.2] * 3)])


class Net(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU()
        )
        self.classifier = nn.Linear(32, num_classes)

    def forward(self, x):
        return self.classifier(self.body(x).mean((2, 3)))


def build_model(num_classes):
    return Net(num_classes)


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=1e-3)


def train_step(model, batch, loss_fn, optimizer):
    x, y = batch
    model_head = getattr(model, "classifier", model)
    model_head.zero_grad()
    loss = loss_fn(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.detach()
