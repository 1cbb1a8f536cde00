# healthy: the whole net is fine-tuned from a file, the body at a tenth of the head's rate
# data: colours
from pathlib import Path

import torch
from torch import nn
from torchvision import transforms as T

pretrained_normalization = {"mean": [0.6, 0.6, 0.6], "std": [0.2, 0.2, 0.2]}


def build_transform(train):
    flip = [T.RandomHorizontalFlip()] if train else []
    return T.Compose(
        [
            T.Resize((32, 32)),
            *flip,
            T.ToTensor(),
            T.Normalize(**pretrained_normalization),
        ]
    )


def build_model(num_classes):
    body = nn.Sequential(
        nn.Conv2d(3, 12, 3, 1, 1, bias=False),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(12, 24, 3, 1, 1, bias=False),
        nn.BatchNorm2d(24),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(24, 32, 3, 1, 1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
    )
    body.load_state_dict(torch.load(Path(__file__).parent / "body.pt", weights_only=True))
    head = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(512, num_classes))
    return nn.Sequential(body, head)


def build_optimizer(model):
    return torch.optim.AdamW(
        [
            {"params": model[0].parameters(), "lr": 2e-4},
            {"params": model[1].parameters(), "lr": 2e-3},
        ]
    )
