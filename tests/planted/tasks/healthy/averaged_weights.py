# healthy: evaluation with an exponential moving average of the weights, the own ones put back after
# data: digits
import torch
from torch import nn
from torchvision import transforms as T

DECAY = 0.9


class Net(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, 2, 1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
        )
        self.head = nn.Linear(32 * 64, num_classes)
        for name, p in list(self.named_parameters()):
            self.register_buffer("ema_" + name.replace(".", "_"), p.detach().clone())

    def forward(self, x):
        return self.head(self.body(x).flatten(1))

    def averages(self):
        return [
            (p, self.get_buffer("ema_" + name.replace(".", "_")))
            for name, p in self.named_parameters()
        ]


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)])


def build_model(num_classes):
    return Net(num_classes)


def train_step(model, batch, loss_fn, optimizer):
    x, y = batch
    optimizer.zero_grad()
    loss = loss_fn(model(x), y)
    loss.backward()
    optimizer.step()
    if hasattr(model, "averages"):
        with torch.no_grad():
            for p, average in model.averages():
                average.lerp_(p, 1 - DECAY)
    return loss.detach()


@torch.no_grad()
def swap(model):
    if hasattr(model, "averages"):
        for p, average in model.averages():
            kept = p.clone()
            p.copy_(average)
            average.copy_(kept)


def evaluate(model, loader):
    swap(model)
    model.eval()
    try:
        with torch.no_grad():
            hits = torch.cat([model(x).argmax(1) == y for x, y in loader])
    finally:
        swap(model)
        model.train()
    return {"accuracy": hits.float().mean().item()}
