# planted: features are detached before the head: the convolutions never learn
# must: parameters_update
# may: overfit_batch, gradient_dependency, bigger_net
# data: digits
"""Features are kept for plotting, and detached for that."""

from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)])


class Net(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU()
        )
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(32 * 64, 64), nn.ReLU(), nn.Linear(64, num_classes)
        )

    def forward(self, x):
        self.last_features = self.features(x).detach()
        return self.head(self.last_features)


def build_model(num_classes):
    return Net(num_classes)
