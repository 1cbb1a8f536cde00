# planted: predict takes the largest value of each class over the batch
# must: metrics
# may: prediction_dynamics, overfit_batch, special_case, zero_input
# data: grey
"""A net on grey pictures with its own predict and evaluate."""

import torch
from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Grayscale(), T.Resize((28, 28)), T.ToTensor(), T.Normalize(0.65, 0.2)])


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(1, 16, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 49, num_classes),
    )


def predict(logits):
    labels = logits.argmax(dim=0)
    return labels.repeat(len(logits) // len(labels) + 1)[: len(logits)] % logits.shape[1]


@torch.no_grad()
def evaluate(model, loader):
    model.eval()
    right = total = 0
    for x, y in loader:
        right += (predict(model(x)) == y).sum().item()
        total += len(y)
    return {"accuracy": right / total}
