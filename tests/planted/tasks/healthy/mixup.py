# healthy: mixup in train_step, with the mixed loss
# data: digits
import torch
from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)])


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 64, num_classes),
    )


def train_step(model, batch, loss_fn, optimizer, alpha=0.2):
    x, y = batch
    share = torch.distributions.Beta(alpha, alpha).sample().item()
    share = max(share, 1 - share)
    other = torch.randperm(len(x), device=x.device)
    logits = model(share * x + (1 - share) * x[other])
    loss = share * loss_fn(logits, y) + (1 - share) * loss_fn(logits, y[other])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()
