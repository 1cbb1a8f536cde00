# planted: float16 with a loss scaled down and no GradScaler: gradients underflow to zero
# must: parameters_update, overfit_batch
# may: bigger_net, prediction_dynamics, zero_input, learning_rate, metrics, gradient_reset, dead_units, loss_function, loss_at_init
# data: digits
"""Half the memory."""

import torch
from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)])


class HalfNet(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 2, 1)
        self.conv2 = nn.Conv2d(16, 32, 3, 2, 1)
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.fc = nn.Linear(512, num_classes)
        self.half()

    def forward(self, x):
        x = torch.relu(self.conv1(x.half()))
        x = torch.relu(self.conv2(x))
        return self.fc(self.pool(x).flatten(1)).float()


def build_model(num_classes):
    return HalfNet(num_classes)


def build_optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)


def train_step(model, batch, loss_fn, optimizer):
    x, y = batch
    optimizer.zero_grad()
    loss = loss_fn(model(x), y)
    (loss / 65536).backward()
    optimizer.step()
    return loss.detach()
