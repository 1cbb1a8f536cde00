# healthy: sharpness-aware minimisation, two forward and backward passes per step, on a GroupNorm net
# data: digits

"""Sharpness-aware minimisation (SAM) over SGD. GroupNorm keeps no running statistics, so the second pass is free of side effects."""

import torch
from torch import nn
from torchvision import transforms as T

RHO = 0.05


def build_transform(train):
    steps = [T.Resize((32, 32))]
    if train:
        steps.append(T.RandomCrop(32, padding=2, padding_mode="edge"))
    steps += [T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)]
    return T.Compose(steps)


def block(a, b):
    return nn.Sequential(
        nn.Conv2d(a, b, 3, stride=2, padding=1, bias=False), nn.GroupNorm(4, b), nn.ReLU()
    )


def build_model(num_classes, width=1.0):
    c = max(1, round(4 * width)) * 4
    return nn.Sequential(
        block(3, c),
        block(c, 2 * c),
        block(2 * c, 4 * c),
        nn.Flatten(),
        nn.Linear(4 * c * 16, num_classes),
    )


def build_optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-4)


def train_step(model, batch, loss_fn, optimizer):
    model.train()
    device = next(model.parameters()).device
    x, y = batch[0].to(device), batch[1].to(device)

    optimizer.zero_grad(set_to_none=True)
    loss = loss_fn(model(x), y)
    loss.backward()

    # climb to the worst point of the neighbourhood
    saved = []
    with torch.no_grad():
        params = [p for p in model.parameters() if p.grad is not None]
        norm = torch.stack([p.grad.norm() for p in params]).norm()
        scale = RHO / (norm + 1e-12)
        for p in params:
            saved.append((p, p.detach().clone()))
            p.add_(p.grad * scale)

    # the gradient there, applied at the old place
    optimizer.zero_grad(set_to_none=True)
    loss_fn(model(x), y).backward()
    with torch.no_grad():
        for p, old in saved:
            p.copy_(old)
    optimizer.step()
    return loss.detach()
