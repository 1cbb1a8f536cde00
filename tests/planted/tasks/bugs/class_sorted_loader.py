# planted: the training set comes class by class, as the folders lie
# must: batch_order
# may: prediction_dynamics, loss_at_init, init_bias, learning_rate, bigger_net, zero_input, metrics
# data: digits
"""shuffle was switched off while debugging and stayed off."""

from torch import nn
from torch.utils.data import DataLoader, Subset
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Resize((28, 28)), T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)])


def train_loader(dataset, batch_size, seed):
    labels = [dataset[i][1] for i in range(len(dataset))]
    by_class = sorted(range(len(dataset)), key=labels.__getitem__)
    return DataLoader(Subset(dataset, by_class), batch_size=batch_size, shuffle=False)


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 12, 3, padding=1),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(12, 24, 3, padding=1),
        nn.BatchNorm2d(24),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(24 * 49, num_classes),
    )
