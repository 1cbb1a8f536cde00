# healthy: focal loss on classes 1 : 50
# data: rare
import torch
from torch import nn
from torchvision import transforms as T


class FocalLoss(nn.Module):
    def __init__(self, gamma=2.0):
        super().__init__()
        self.gamma = gamma

    def forward(self, logits, target):
        log_p = torch.log_softmax(logits, 1).gather(1, target[:, None])[:, 0]
        return -((1 - log_p.exp()) ** self.gamma * log_p).mean()


def build_loss():
    return FocalLoss()


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.65] * 3, [0.2] * 3)])


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.AdaptiveMaxPool2d(2),
        nn.Flatten(),
        nn.Linear(128, num_classes),
    )


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=2e-3)
