# healthy: float16 autocast with a gradient scaler
# data: two
import torch
from torch import nn
from torchvision import transforms as T

scaler = None


def build_transform(train):
    return T.Compose([T.Resize((28, 28)), T.ToTensor(), T.Normalize([0.65] * 3, [0.2] * 3)])


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 49, num_classes),
    )


def build_optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)


def train_step(model, batch, loss_fn, optimizer):
    global scaler
    x, y = batch
    if scaler is None:
        scaler = torch.amp.GradScaler(x.device.type, init_scale=1024.0)
    optimizer.zero_grad()
    with torch.autocast(x.device.type, dtype=torch.float16):
        logits = model(x)
    loss = loss_fn(logits.float(), y)
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    return loss.detach()
