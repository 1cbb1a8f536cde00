# planted: accuracy is the mean of the batches' accuracies, a short last batch counts like a full one
# must: metrics
# may:
# data: digits
"""A running mean over batches."""

import torch
from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)])


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 64, num_classes),
    )


@torch.no_grad()
def evaluate(model, loader):
    model.eval()
    accuracies, losses = [], []
    for x, y in loader:
        logits = model(x)
        losses.append(nn.functional.cross_entropy(logits, y).item())
        accuracies.append((logits.argmax(1) == y).float().mean().item())
    model.train()
    n = len(accuracies)
    return {"accuracy": sum(accuracies) / n, "loss": sum(losses) / n}
