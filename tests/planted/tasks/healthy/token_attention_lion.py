# healthy: a tiny vision transformer with a class token and learned positions, trained by a hand-written Lion with warm-up
# data: digits

"""Pre-norm transformer on the 36 places of a small convolutional stem over a 24 px picture; Lion (sign of an interpolated momentum, decoupled decay)."""

import math

import torch
import torch.nn.functional as F
from torch import nn
from torchvision import transforms as T

scheduler_interval = "step"


def build_transform(train):
    steps = [T.Resize((24, 24))]
    if train:
        steps.append(T.RandomCrop(24, padding=1, padding_mode="edge"))
    steps += [T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)]
    return T.Compose(steps)


class Block(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        # no bias on the keys: the softmax would cancel it
        self.q, self.k, self.v = (
            nn.Linear(dim, dim),
            nn.Linear(dim, dim, bias=False),
            nn.Linear(dim, dim),
        )
        self.out = nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(self, x):
        b, n, d = x.shape
        h = self.norm1(x)
        q, k, v = (
            f(h).view(b, n, self.heads, d // self.heads).transpose(1, 2)
            for f in (self.q, self.k, self.v)
        )
        a = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, d)
        x = x + self.out(a)
        return x + self.mlp(self.norm2(x))


class TinyViT(nn.Module):
    def __init__(self, num_classes, dim=48, depth=2, heads=4):
        super().__init__()
        self.patch = nn.Sequential(
            nn.Conv2d(3, 24, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Conv2d(24, dim, 3, stride=2, padding=1),
        )
        self.token = nn.Parameter(torch.randn(1, 1, dim) * 0.02)
        self.position = nn.Parameter(torch.randn(1, 37, dim) * 0.02)
        self.blocks = nn.Sequential(*[Block(dim, heads) for _ in range(depth)])
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, num_classes)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], dim=1) + self.position
        return self.head(self.norm(self.blocks(x)[:, 0]))


def build_model(num_classes):
    return TinyViT(num_classes)


class Lion(torch.optim.Optimizer):
    def __init__(self, params, lr=3e-4, betas=(0.9, 0.99), weight_decay=0.0):
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            b1, b2 = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(p)
                m = state["momentum"]
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_((m * b1 + p.grad * (1 - b1)).sign_(), alpha=-group["lr"])
                m.mul_(b2).add_(p.grad, alpha=1 - b2)
        return loss


def build_optimizer(model):
    decay = [p for p in model.parameters() if p.ndim in {2, 4}]
    plain = [p for p in model.parameters() if p.ndim not in (2, 4)]
    return Lion([{"params": decay, "weight_decay": 0.1}, {"params": plain}], lr=1e-3)


def build_scheduler(optimizer, steps_per_epoch, epochs):
    total = max(1, steps_per_epoch * epochs)
    warm = max(1, min(20, total // 10))

    def factor(step):
        if step < warm:
            return (step + 1) / warm
        share = min(1.0, (step - warm) / max(1, total - warm))
        return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * share))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
