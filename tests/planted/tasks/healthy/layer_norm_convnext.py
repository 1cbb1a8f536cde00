# healthy: depthwise convolutions, layer norm, GELU, layer scale
# data: digits
import torch
from torch import nn
from torchvision.transforms import v2


class Block(nn.Module):
    def __init__(self, dim, scale=0.1):
        super().__init__()
        self.dw = nn.Conv2d(dim, dim, 5, padding=2, groups=dim)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.up, self.down = nn.Linear(dim, 3 * dim), nn.Linear(3 * dim, dim)
        self.gamma = nn.Parameter(scale * torch.ones(dim))

    def forward(self, x):
        h = self.norm(self.dw(x).permute(0, 2, 3, 1))
        h = self.gamma * self.down(nn.functional.gelu(self.up(h)))
        return x + h.permute(0, 3, 1, 2)


class Net(nn.Module):
    def __init__(self, num_classes, dim=32):
        super().__init__()
        self.stem = nn.Conv2d(3, dim, 4, 4)
        self.blocks = nn.Sequential(Block(dim), Block(dim))
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, num_classes)

    def forward(self, x):
        return self.head(self.norm(self.blocks(self.stem(x)).mean((2, 3))))


def build_transform(train):
    return v2.Compose(
        [
            v2.ToImage(),
            v2.Resize((32, 32)),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize([0.75] * 3, [0.2] * 3),
        ]
    )


def build_model(num_classes):
    return Net(num_classes)


def build_optimizer(model):
    return torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.05)
