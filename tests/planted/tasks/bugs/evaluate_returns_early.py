# planted: the return stands inside the loop: only the first batch is evaluated
# must: metrics
# may:
# data: digits
"""Evaluation with a confusion matrix."""

import torch
from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)])


class Net(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.c1, self.b1 = nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16)
        self.c2, self.b2 = nn.Conv2d(16, 32, 3, 2, 1), nn.BatchNorm2d(32)
        self.out = nn.Linear(32, num_classes)
        self.num_classes = num_classes

    def forward(self, x):
        x = torch.relu(self.b1(self.c1(x)))
        x = torch.relu(self.b2(self.c2(x)))
        return self.out(x.mean((2, 3)))


def build_model(num_classes):
    return Net(num_classes)


def evaluate(model, loader):
    model.eval()
    confusion = torch.zeros(model.num_classes, model.num_classes)
    with torch.no_grad():
        for images, labels in loader:
            guesses = model(images).argmax(1)
            for t, p in zip(labels.tolist(), guesses.tolist()):
                confusion[t, p] += 1
            model.train()
            return {"accuracy": (confusion.diag().sum() / confusion.sum()).item()}
