# healthy: one convolution reused four times (tied on purpose), trunk by SGD and head by Adam inside one optimizer class
# data: two

"""Recurrent convolutional net: the same 3x3 kernel at every stage, its own GroupNorm per stage. Two optimizers behind one interface."""

import torch
import torch.nn.functional as F
from torch import nn
from torchvision import transforms as T


class Standardise:
    """Zero mean and unit deviation per picture."""

    def __call__(self, x):
        return (x - x.mean()) / x.std().clamp_min(0.05)


def build_transform(train):
    steps = [T.Resize((32, 32))]
    if train:  # a cross and a ring stay what they are when mirrored
        steps += [T.RandomHorizontalFlip(), T.RandomVerticalFlip()]
    return T.Compose([*steps, T.ToTensor(), Standardise()])


class Recurrent(nn.Module):
    def __init__(self, num_classes, channels=24, stages=4):
        super().__init__()
        self.stem = nn.Conv2d(3, channels, 3, stride=2, padding=1)
        self.shared = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norms = nn.ModuleList(nn.GroupNorm(4, channels) for _ in range(stages))
        self.last_norm = nn.LayerNorm(channels * 4)
        self.head = nn.Linear(channels * 4, num_classes)

    def forward(self, x):
        x = F.relu(self.stem(x))
        for i, norm in enumerate(self.norms):
            x = x + F.relu(norm(self.shared(x)))
            if i < 3:
                x = F.max_pool2d(x, 2)
        return self.head(self.last_norm(x.flatten(1)))


def build_model(num_classes):
    return Recurrent(num_classes)


class Pair(torch.optim.Optimizer):
    """Several optimizers that act as one; groups and state are those of the parts."""

    def __init__(self, *parts):
        self.parts = list(parts)
        super().__init__([p for part in parts for g in part.param_groups for p in g["params"]], {})
        self._join()

    def _join(self):
        self.param_groups = [g for part in self.parts for g in part.param_groups]

    @property
    def state(self):
        return {p: s for part in self.parts for p, s in part.state.items()}

    @state.setter
    def state(self, value):
        pass  # held by the parts

    def __getstate__(self):
        return {**super().__getstate__(), "parts": self.parts}

    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self.parts:
            part.step()
        return loss

    def state_dict(self):
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict):
        for part, saved in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(saved)
        self._join()


def build_optimizer(model):
    head = list(model.head.parameters())
    ids = {id(p) for p in head}
    trunk = [p for p in model.parameters() if id(p) not in ids]
    return Pair(
        torch.optim.SGD(trunk, lr=0.02, momentum=0.9, nesterov=True),
        torch.optim.Adam(head, lr=2e-3),
    )
