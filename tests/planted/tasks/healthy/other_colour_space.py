# healthy: weight-standardised convolutions on YCbCr input with gradient centralisation and polynomial decay
# data: hundred

"""The picture enters as YCbCr in 0..1; a BatchNorm without affine parameters centres it inside the net."""

import torch
import torch.nn.functional as F
from torch import nn
from torchvision import transforms as T

scheduler_interval = "step"


class ToYCbCr:
    def __call__(self, picture):
        return picture.convert("YCbCr")


def build_transform(train):
    steps = [T.Resize((32, 32))]
    if train:
        steps.append(T.RandomCrop(32, padding=2, padding_mode="edge"))
    return T.Compose([*steps, ToYCbCr(), T.ToTensor()])


class WSConv(nn.Conv2d):
    """Convolution whose kernels have zero mean and fan-in scaled variance, times a learned gain."""

    def __init__(self, a, b, stride):
        super().__init__(a, b, 3, stride=stride, padding=1)
        self.gain = nn.Parameter(torch.ones(b, 1, 1, 1))

    def forward(self, x):
        w = self.weight
        w = w - w.mean(dim=(1, 2, 3), keepdim=True)
        w = w / (w.pow(2).sum(dim=(1, 2, 3), keepdim=True) + 1e-6).sqrt()
        return F.conv2d(x, 1.5 * self.gain * w, self.bias, self.stride, self.padding)


class Net(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.centre = nn.BatchNorm2d(3, affine=False)
        # the first layer is plain: a flat colour must pass, a zero-mean kernel would remove it
        self.stem = nn.Conv2d(3, 24, 3, stride=2, padding=1)
        self.conv1, self.conv2 = WSConv(24, 48, 2), WSConv(48, 64, 2)
        self.head = nn.Linear(64 * 16 + 24, num_classes)

    def forward(self, x):
        low = F.gelu(self.stem(self.centre(x)))
        high = F.gelu(self.conv2(F.gelu(self.conv1(low))))
        return self.head(torch.cat([high.flatten(1), low.mean(dim=(2, 3))], dim=1))


def build_model(num_classes):
    return Net(num_classes)


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=2e-3)


def build_scheduler(optimizer, steps_per_epoch, epochs):
    total = max(1, steps_per_epoch * epochs)
    return torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: max(0.02, (1 - min(1.0, s / total)) ** 0.9)
    )


def train_step(model, batch, loss_fn, optimizer):
    model.train()
    device = next(model.parameters()).device
    x, y = batch[0].to(device), batch[1].to(device)
    optimizer.zero_grad(set_to_none=True)
    loss = loss_fn(model(x), y)
    loss.backward()
    for module in model.modules():  # gradient centralisation of the kernels
        if isinstance(module, WSConv):
            g = module.weight.grad
            g.sub_(g.mean(dim=(1, 2, 3), keepdim=True))
    optimizer.step()
    return loss.detach()
