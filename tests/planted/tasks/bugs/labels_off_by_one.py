# planted: the training labels are taken for 1-based and lowered by one; class 0 wraps to the last
# must: see_the_input
# may: metrics, prediction_dynamics, loss_at_init, init_bias, zero_input
# data: colours
"""Labels came from a MATLAB file once, where classes count from one."""

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision.transforms import v2


def build_transform(train):
    steps = [v2.ToImage(), v2.Resize((32, 32), antialias=True)]
    if train:
        steps.append(v2.RandomCrop(32, padding=2, padding_mode="edge"))
    steps += [v2.ToDtype(torch.float32, scale=True), v2.Normalize((0.6, 0.6, 0.6), (0.2, 0.2, 0.2))]
    return v2.Compose(steps)


class Net(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.classes = n
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.fc1 = nn.Linear(32 * 8 * 8, 64)
        self.fc2 = nn.Linear(64, n)

    def forward(self, x):
        x = torch.max_pool2d(torch.relu(self.conv1(x)), 2)
        x = torch.max_pool2d(torch.relu(self.conv2(x)), 2)
        return self.fc2(torch.relu(self.fc1(x.flatten(1))))


def build_model(num_classes):
    return Net(num_classes)


def train_loader(dataset, batch_size, seed):
    n = len({dataset[i][1] for i in range(len(dataset))})

    def collate(samples):
        images = torch.stack([s[0] for s in samples])
        labels = torch.tensor([s[1] for s in samples])
        return images, (labels - 1) % n

    g = torch.Generator().manual_seed(seed)
    return DataLoader(dataset, batch_size, shuffle=True, generator=g, collate_fn=collate)
