"""Which networks are there by name, and with which weights do they start?

    build(config, num_classes=10)       a fresh model

linear and small_cnn are our own; the ResNets are torchvision's with a width and a stem to choose;
every other name goes to torchvision's registry as it is.
"""

from __future__ import annotations

import contextlib
import inspect
import math
from collections.abc import Sequence
from typing import Any

import torch
import torchvision
from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from recipe_core.kernel.errors import BadSetting, UnknownName
from recipe_core.training.config import RunConfig

OWN = ("linear", "small_cnn")
RESNETS: dict[str, tuple[type[BasicBlock] | type[Bottleneck], list[int]]] = {
    "resnet18": (BasicBlock, [2, 2, 2, 2]),
    "resnet34": (BasicBlock, [3, 4, 6, 3]),
    "resnet50": (Bottleneck, [3, 4, 6, 3]),
    "resnet101": (Bottleneck, [3, 4, 23, 3]),
}
SMALL_PICTURE = 64
"""Pixels up to which a ResNet gets the small stem."""
SMALLER_PICTURE = 32
"""Pixels up to which the small stem keeps the picture's size, as CIFAR's ResNets do."""


def names() -> tuple[str, ...]:
    """Every model that `build` knows: ours first."""
    registry = torchvision.models.list_models(module=torchvision.models)
    return (*OWN, *RESNETS, *(n for n in registry if n not in RESNETS))


def build(config: RunConfig, num_classes: int, width: float = 1.0) -> nn.Module:
    """A fresh network with random weights from torch's own generator.

    It takes (B, 3, H, W) float32 and returns (B, num_classes) logits. `width` multiplies
    `config.width`. Raises UnknownName for a model that does not exist, BadSetting for a width,
    stem or dropout that it has no place for.
    """
    width = width * config.width
    if config.model == "linear":
        return _linear(config, num_classes, width)
    if config.model == "small_cnn":
        return SmallCNN(num_classes, config.image_size, width, config.dropout)
    if config.model in RESNETS:
        block, layers = RESNETS[config.model]
        return WideResNet(
            block,
            layers,
            num_classes,
            width=width,
            small=stem_stride(config),
            dropout=config.dropout,
        )
    return _from_registry(config, num_classes, width)


def _linear(config: RunConfig, num_classes: int, width: float) -> nn.Module:
    if width != 1:
        raise BadSetting("The linear model has no width; take small_cnn or a ResNet.")
    n = 3 * config.image_size**2
    return nn.Sequential(nn.Flatten(), nn.Dropout(config.dropout), nn.Linear(n, num_classes))


class SmallCNN(nn.Module):
    """Three 3x3 convolutions, each with batch norm and pooling, and a linear layer over 4x4 places.

    Made for 28 … 64 px: where the picture is larger than 32 px the first convolution halves it
    (again and again), so that the last one always sees about 8x8.
    """

    def __init__(self, num_classes: int, image_size: int, width: float, dropout: float) -> None:
        super().__init__()
        stride = 2 ** max(0, math.ceil(math.log2(image_size / SMALLER_PICTURE)))
        c = [max(1, round(n * width)) for n in (32, 64, 128)]
        self.features = nn.Sequential(
            *_convolution(3, c[0], stride), nn.MaxPool2d(2),
            *_convolution(c[0], c[1]), nn.MaxPool2d(2),
            *_convolution(c[1], c[2]), nn.MaxPool2d(2),
            nn.Flatten(),
        )  # fmt: skip
        side = math.ceil(image_size / stride) // 8
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(c[2] * side * side, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.fc(self.dropout(self.features(x)))
        return logits


def _convolution(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


def stem_stride(config: RunConfig) -> int:
    """The stride of a ResNet's small stem: 1 or 2; 0 where it has the standard stem."""
    if config.stem == "standard" or (config.stem == "auto" and config.image_size > SMALL_PICTURE):
        return 0
    return 1 if config.image_size <= SMALLER_PICTURE else 2


class WideResNet(ResNet):  # type: ignore[misc]  # torchvision carries no types
    """torchvision's ResNet (the same names in its state dict) with a width, stem and dropout.

    width    every stage's channels times this, the stem's too
    small    0: the standard stem (7x7 stride 2, then a max pool); else the stride of a 3x3 one
             without a pool, so that the last stage of a 32 or 64 px picture sees 4x4
    dropout  before the last layer
    """

    def __init__(
        self, block: type[BasicBlock] | type[Bottleneck], layers: list[int], num_classes: int, *,
        width: float, small: int, dropout: float,
    ) -> None:  # fmt: skip
        self._width = width
        super().__init__(block, layers)
        first = max(1, round(64 * width))
        self.conv1 = (
            nn.Conv2d(3, first, 3, small, padding=1, bias=False)
            if small
            else nn.Conv2d(3, first, 7, 2, padding=3, bias=False)
        )
        nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out", nonlinearity="relu")
        self.bn1 = nn.BatchNorm2d(first)
        if small:
            self.maxpool = nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(max(1, round(512 * width)) * block.expansion, num_classes)

    def _make_layer(
        self, block: Any, planes: int, blocks: int, stride: int = 1, dilate: bool = False
    ) -> nn.Sequential:
        if planes == 64:
            self.inplanes = max(1, round(64 * self._width))
        scaled = max(1, round(planes * self._width))
        made: nn.Sequential = super()._make_layer(block, scaled, blocks, stride, dilate)
        return made

    def _forward_impl(self, x: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        logits: torch.Tensor = self.fc(self.dropout(torch.flatten(self.avgpool(x), 1)))
        return logits


def _from_registry(config: RunConfig, num_classes: int, width: float) -> nn.Module:
    known = names()
    if config.model not in known:
        raise UnknownName("model", config.model, known)
    if width != 1:
        raise BadSetting(
            f"{config.model} has no width to change here; take small_cnn or one of "
            f"{', '.join(RESNETS)}."
        )
    more: dict[str, Any] = {}
    if config.dropout:
        more = {"dropout": config.dropout}
    builder = torchvision.models.get_model_builder(config.model)
    if "aux_logits" in inspect.signature(_class_of(builder)).parameters:
        more["aux_logits"] = False
    try:
        return builder(weights=None, num_classes=num_classes, **more)  # type: ignore[no-any-return]
    except TypeError as e:
        raise BadSetting(f"{config.model} takes no such setting ({e}); set dropout=0.") from None


def _class_of(builder: Any) -> Any:
    """What of GoogLeNet and Inception says whether there are auxiliary outputs."""
    module = inspect.getmodule(builder)
    for name in ("GoogLeNet", "Inception3"):
        if hasattr(module, name):
            return getattr(module, name)
    return builder


def head_of(model: nn.Module, num_classes: int) -> tuple[str, nn.Linear] | None:
    """Name and module of the last linear layer with `num_classes` outputs; None without one."""
    found = [
        (name, m) for name, m in model.named_modules()
        if isinstance(m, nn.Linear) and m.out_features == num_classes
    ]  # fmt: skip
    return found[-1] if found else None


def set_prior(model: nn.Module, shares: Sequence[float]) -> bool:
    """Sets the last layer's bias to the log of the class shares; whether there was one to set."""
    found = head_of(model, len(shares))
    if found is None or found[1].bias is None:
        return False
    tensor = torch.tensor([math.log(max(s, 1e-12)) for s in shares])
    with torch.no_grad():
        found[1].bias.copy_(tensor)
    return True


@contextlib.contextmanager
def evaluating(model: nn.Module) -> Any:
    """Evaluation mode without gradients; every module's own mode is put back afterwards."""
    modes = [(m, m.training) for m in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield model
    finally:
        for module, mode in modes:
            module.training = mode
