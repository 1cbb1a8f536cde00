# planted: the batch is viewed from (B, C, H, W) to (B, H, W, C) and back the wrong way in train_step
# must: see_the_input
# may: zero_input, metrics, prediction_dynamics, loss_function, overfit_batch, bigger_net, learning_rate
# data: colours
"""train_step standardises per picture in channels-last order before the forward pass."""

from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.6] * 3, [0.2] * 3)])


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 24, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(24, 24, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(24 * 64, num_classes),
    )


def channels_last(x):
    b, c, h, w = x.shape
    return x.permute(0, 2, 3, 1).reshape(b, h, w, c)


def train_step(model, batch, loss_fn, optimizer):
    x, y = batch
    b, c, h, w = x.shape
    x = channels_last(x).contiguous()
    x = (x - x.mean(dim=(1, 2), keepdim=True)).view(b, c, h, w)
    optimizer.zero_grad()
    loss = loss_fn(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.detach()
