# healthy: the model gives log-probabilities and NLLLoss takes them
# data: grey
import torch.nn.functional as F
from torch import nn
from torchvision import transforms as T


class Net(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, 1)
        self.conv2 = nn.Conv2d(16, 32, 3, 1)
        self.dropout = nn.Dropout(0.25)
        self.fc1 = nn.Linear(32 * 144, 64)
        self.fc2 = nn.Linear(64, num_classes)

    def forward(self, x):
        x = F.relu(self.conv2(F.relu(self.conv1(x))))
        x = self.dropout(F.max_pool2d(x, 2)).flatten(1)
        return F.log_softmax(self.fc2(F.relu(self.fc1(x))), dim=1)


def build_transform(train):
    return T.Compose([T.Grayscale(), T.Resize((28, 28)), T.ToTensor(), T.Normalize(0.65, 0.2)])


def build_model(num_classes):
    return Net(num_classes)


def build_loss():
    return nn.NLLLoss()
