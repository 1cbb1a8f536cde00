# planted: evaluate switches gradients off and never on again
# must: train_eval_mode
# may: parameters_update, overfit_batch, prediction_dynamics, learning_rate, bigger_net, checkpoint_reload, fixed_seed, zero_input
# data: colours
"""set_grad_enabled as a statement."""

import torch
from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.6] * 3, [0.2] * 3)])


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 24, 5, stride=2, padding=2),
        nn.ELU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(24 * 64, num_classes),
    )


def train_step(model, batch, loss_fn, optimizer):
    images, targets = batch
    loss = loss_fn(model(images), targets)
    if loss.requires_grad:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.detach()


def evaluate(model, loader):
    model.eval()
    torch.set_grad_enabled(False)
    hits = [(model(x).argmax(1) == y).float() for x, y in loader]
    model.train()
    return {"accuracy": torch.cat(hits).mean().item()}
