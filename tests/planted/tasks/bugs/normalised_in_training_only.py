# planted: the evaluation transform lacks the normalisation that training has
# must: see_the_input
# may: metrics, zero_input, loss_at_init, init_bias, prediction_dynamics, dead_units
# data: digits
"""Two transforms written at different times."""

from torch import nn
from torchvision import transforms

train_transform = transforms.Compose(
    [
        transforms.Resize((32, 32)),
        transforms.RandomAffine(8, translate=(0.05, 0.05), fill=220),
        transforms.ToTensor(),
        transforms.Normalize([0.75, 0.75, 0.75], [0.2, 0.2, 0.2]),
    ]
)
test_transform = transforms.Compose([transforms.Resize((32, 32)), transforms.ToTensor()])


def build_transform(train):
    return train_transform if train else test_transform


def build_model(num_classes):
    layers = []
    channels = 3
    for out in (16, 32, 48):
        layers += [nn.Conv2d(channels, out, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        channels = out
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(48 * 16, num_classes))
