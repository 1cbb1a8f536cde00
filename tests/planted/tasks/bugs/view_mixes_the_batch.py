# planted: features are regrouped with a view that runs across samples
# must: gradient_dependency, special_case
# may: overfit_batch, zero_input, metrics, train_eval_mode, bigger_net, prediction_dynamics, learning_rate, see_the_input
# data: digits
"""A net that pools strips of the feature map."""

from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)])


class Strips(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.ReLU(),
        )
        self.head = nn.Linear(32 * 8, num_classes)

    def forward(self, x):
        x = self.body(x)
        b, c, h, w = x.shape
        x = x.permute(2, 0, 1, 3).reshape(b, h, c, w)
        return self.head(x.mean(1).flatten(1))


def build_model(num_classes):
    return Strips(num_classes)
