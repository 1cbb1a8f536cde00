# healthy: gradients of two batches are accumulated on purpose, then clipped, then reset
# data: digits
import torch
from torch import nn
from torchvision import transforms as T

EVERY = 2
calls = {}


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)])


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 64, num_classes),
    )


def build_optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)


def train_step(model, batch, loss_fn, optimizer):
    x, y = batch
    n = calls[id(optimizer)] = calls.get(id(optimizer), 0) + 1
    loss = loss_fn(model(x), y)
    (loss / EVERY).backward()
    if n % EVERY == 0:
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return loss.detach()
