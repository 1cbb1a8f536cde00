# healthy: one channel
# data: grey
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
