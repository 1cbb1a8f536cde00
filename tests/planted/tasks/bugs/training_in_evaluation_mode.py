# planted: train_step evaluates the batch first and forgets to switch back: dropout and batch norm sleep
# must: train_eval_mode
# may: learning_rate, loss_at_init, metrics, checkpoint_reload
# data: two
"""A train step that tracks the running accuracy."""

import torch
from torch import nn
from torchvision import transforms as T

history = []


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.65] * 3, [0.2] * 3)])


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(32 * 64, num_classes),
    )


def batch_accuracy(model, x, y):
    model.eval()
    with torch.no_grad():
        return (model(x).argmax(1) == y).float().mean()


def train_step(model, batch, loss_fn, optimizer):
    x, y = batch
    history.append(batch_accuracy(model, x, y))
    optimizer.zero_grad(set_to_none=True)
    loss = loss_fn(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.detach()
