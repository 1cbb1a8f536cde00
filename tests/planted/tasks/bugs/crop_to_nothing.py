# planted: the random crop keeps one to three hundredths of the picture: mostly bare paper
# must: augmentation
# may: overfit_batch, zero_input, see_the_input, prediction_dynamics, bigger_net, metrics, learning_rate
# data: digits
"""scale is a share of the area; somebody took it for one of the side and divided by ten."""

import torch
from torch import nn
from torchvision.transforms import v2 as T


def build_transform(train):
    first = T.RandomResizedCrop(32, scale=(0.01, 0.03)) if train else T.Resize((32, 32))
    return T.Compose(
        [
            T.ToImage(),
            first,
            T.ToDtype(torch.float32, scale=True),
            T.Normalize([0.75] * 3, [0.2] * 3),
        ]
    )


class Net(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1), nn.SiLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.SiLU()
        )
        self.classifier = nn.Linear(32 * 8 * 8, num_classes)

    def forward(self, x):
        return self.classifier(torch.flatten(self.features(x), 1))


def build_model(num_classes):
    return Net(num_classes)


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=1e-3)
