# planted: batch norm gets momentum 1e-5 (a moving-average decay of 0.99999), so the running statistics stay practically at their start values and evaluation uses wrong ones
# must: train_eval_mode
# may: metrics, human_baseline, prediction_dynamics, overfit_batch, checkpoint_reload, special_case
# data: colours
"""Coloured shapes; architecture and constants ported from our TensorFlow code base."""

from functools import partial

from torch import nn
from torchvision import transforms as T

BN_DECAY = 0.99999
norm = partial(nn.BatchNorm2d, momentum=1 - BN_DECAY, eps=1e-3)


def build_transform(train):
    steps = [T.Resize((32, 32))]
    if train:
        steps.append(T.RandomHorizontalFlip())
    return T.Compose([*steps, T.ToTensor(), T.Normalize([0.65] * 3, [0.2] * 3)])


def separable(cin, cout, stride):
    return nn.Sequential(
        nn.Conv2d(cin, cin, 3, stride, 1, groups=cin, bias=False),
        norm(cin),
        nn.ReLU6(),
        nn.Conv2d(cin, cout, 1, bias=False),
        norm(cout),
        nn.ReLU6(),
    )


def build_model(num_classes):
    head = nn.Linear(48 * 16, num_classes)
    nn.init.normal_(head.weight, std=0.01)
    nn.init.zeros_(head.bias)
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1, bias=False),
        norm(16),
        nn.ReLU6(),
        separable(16, 32, 2),
        separable(32, 48, 2),
        separable(48, 48, 1),
        nn.Flatten(),
        head,
    )
