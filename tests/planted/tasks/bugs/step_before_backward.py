# planted: zero_grad, step, backward: every gradient is thrown away before it is used
# must: parameters_update
# may: overfit_batch, bigger_net, zero_input, prediction_dynamics, learning_rate, gradient_reset, metrics, dead_units
# data: colours
"""Two lines in the wrong order."""

from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.6] * 3, [0.2] * 3)])


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 64, num_classes),
    )


def train_step(model, batch, loss_fn, optimizer):
    x, y = batch
    loss = loss_fn(model(x), y)
    optimizer.zero_grad()
    optimizer.step()
    loss.backward()
    return loss.detach()
