# planted: train_step descends on the negative loss
# must: loss_function
# may: loss_at_init, overfit_batch, bigger_net, learning_rate, prediction_dynamics, zero_input, metrics, dead_units, batch_order
# data: colours
"""The step was taken from a policy-gradient script, which maximises."""

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
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(512, num_classes),
    )


def train_step(model, batch, loss_fn, optimizer):
    observation, action = batch
    objective = -loss_fn(model(observation), action)
    optimizer.zero_grad()
    objective.backward()
    optimizer.step()
    return objective.detach()
