# healthy: one linear layer is meant: the baseline
# data: grey
import torch
from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Grayscale(), T.Resize((16, 16)), T.ToTensor(), T.Normalize(0.65, 0.2)])


def build_model(num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(256, num_classes))


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=1e-2)
