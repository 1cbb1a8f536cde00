# planted: F.dropout without training=self.training drops in evaluation too
# must: train_eval_mode
# may: special_case, metrics, checkpoint_reload, gradient_dependency, prediction_dynamics, fixed_seed
# data: digits
"""LeNet with functional dropout."""

import torch.nn.functional as F
from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Resize((28, 28)), T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)])


class LeNet(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 10, kernel_size=5)
        self.conv2 = nn.Conv2d(10, 20, kernel_size=5)
        self.fc1 = nn.Linear(320, 64)
        self.fc2 = nn.Linear(64, num_classes)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.conv2(x), 2))
        x = x.flatten(1)
        x = F.dropout(F.relu(self.fc1(x)), 0.5)
        return self.fc2(x)


def build_model(num_classes):
    return LeNet(num_classes)
