"""What does the product do where a task file says nothing? Every function of the contract.

The description of the pipeline is the RunConfig; each function here has the signature that the
contract gives it, so that a task's own may stand in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import Dataset

from recipe_core.images.rgb import fitted
from recipe_core.kernel.errors import Misuse
from recipe_core.training.augment import augmented
from recipe_core.training.config import RunConfig
from recipe_core.training.devices import Place
from recipe_core.training.evaluate import predictions
from recipe_core.training.images import Images
from recipe_core.training.models import RESNETS, set_prior
from recipe_core.training.optim import optimizer_for, scheduler_for
from recipe_core.training.sets import (
    IMAGENET,
    DevicePixels,
    Normalization,
    PixelLoader,
    PixelSet,
    normalization_of,
    picture_loader,
)
from recipe_core.training.weights import started


class Product:
    """The product's own pipeline for these images under this configuration.

    say  is told sentences that the user should read
    """

    def __init__(
        self, images: Images, config: RunConfig, place: Place, say: Callable[[str], None]
    ) -> None:
        self.images, self.config, self.place, self.say = images, config, place, say
        self._held: dict[int, DevicePixels] = {}

    @property
    def scheduler_interval(self) -> str:
        return "epoch" if self.config.schedule == "plateau" else "step"

    @property
    def takes_width(self) -> bool:
        return self.config.model == "small_cnn" or self.config.model in RESNETS

    @property
    def frozen(self) -> list[str]:
        return []

    @property
    def pretrained_normalization(self) -> dict[str, list[float]] | None:
        """torchvision's weights expect ImageNet's; of a file nobody knows."""
        named = self.config.weights and not Path(self.config.weights).expanduser().is_file()
        return {"mean": [*IMAGENET[0]], "std": [*IMAGENET[1]]} if named else None

    @cached_property
    def normalization(self) -> Normalization:
        if self.images.pixels is None:
            raise RuntimeError("the product's pipeline needs images opened with their pixels")
        return normalization_of(self.config.normalization, self.images.pixels, self.images.train)

    def build_model(self, num_classes: int, width: float = 1.0) -> nn.Module:
        model, notes = started(self.config, num_classes, width)
        for note in notes:
            self.say(note)
        if self.config.init_bias == "prior":
            shares = self.images.counts() / max(1, len(self.images.train))
            if not set_prior(model, shares.tolist()):
                raise Misuse(
                    f"{self.config.model} has no bias in its last layer to set to the class shares;"
                    " take --set init_bias=none."
                )
        return model

    def build_transform(self, train: bool) -> Callable[[Image.Image], torch.Tensor]:
        name = self.config.augmentation if train else "none"
        return Transform(self.config.image_size, self.normalization, name)

    def build_loss(self) -> nn.Module:
        weight = None
        if self.config.class_weights == "balanced":
            counts = np.maximum(self.images.counts(), 1)
            shares = counts.sum() / (len(counts) * counts)
            weight = torch.tensor(shares, dtype=torch.float32)
        return nn.CrossEntropyLoss(weight=weight, label_smoothing=self.config.label_smoothing)

    def build_optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        return optimizer_for(model, self.config)

    def build_scheduler(
        self, optimizer: torch.optim.Optimizer, steps_per_epoch: int, epochs: int
    ) -> Any:
        return scheduler_for(optimizer, self.config, steps_per_epoch, epochs)

    def train_loader(self, dataset: Dataset[Any], batch_size: int, seed: int) -> Any:
        if isinstance(dataset, PixelSet):
            return PixelLoader(self._on_device(dataset), batch_size, seed, True, self.config.mixup)
        return picture_loader(dataset, batch_size, self.config.workers, seed)

    def eval_loader(self, dataset: Dataset[Any], batch_size: int) -> Any:
        if isinstance(dataset, PixelSet):
            return PixelLoader(self._on_device(dataset), batch_size)
        return picture_loader(dataset, batch_size, self.config.workers)

    def _on_device(self, dataset: PixelSet) -> DevicePixels:
        if id(dataset) not in self._held:
            self._held[id(dataset)] = DevicePixels(dataset, self.place.device)
        return self._held[id(dataset)]

    def train_step(
        self, model: nn.Module, batch: Any, loss_fn: Callable[..., torch.Tensor],
        optimizer: torch.optim.Optimizer,
    ) -> torch.Tensor:  # fmt: skip
        x, y, *mix = batch
        optimizer.zero_grad(set_to_none=True)
        with self.place.autocast():
            logits = model(x)
            loss = loss_fn(logits, y)
            if mix:
                other, share = mix
                loss = share * loss + (1 - share) * loss_fn(logits, other)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return loss.detach()

    def predict(self, logits: torch.Tensor) -> torch.Tensor:
        return logits.argmax(dim=1)

    def save_checkpoint(self, model: nn.Module, optimizer: Any, path: Path | str) -> None:
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)

    def load_checkpoint(self, model: nn.Module, optimizer: Any, path: Path | str) -> None:
        found = torch.load(path, map_location="cpu", weights_only=True)
        model.load_state_dict(found["model"])
        optimizer.load_state_dict(found["optimizer"])

    def label_map(self, split: str) -> dict[str, int]:
        return {name: k for k, name in enumerate(self.images.class_names)}


class Transform:
    """RGB picture -> (3, size, size) float32: fitted, varied by torch's generator, normalised."""

    def __init__(self, size: int, normalization: Normalization, augmentation: str) -> None:
        self.size, self.normalization, self.augmentation = size, normalization, augmentation

    def __call__(self, picture: Image.Image) -> torch.Tensor:
        small = np.asarray(fitted(picture, self.size), np.float32) / 255
        x = torch.from_numpy(small).permute(2, 0, 1)[None].contiguous()
        if self.augmentation != "none":
            draws = torch.Generator().manual_seed(int(torch.randint(2**62, (1,))))
            x = augmented(x, self.augmentation, draws)
        return self.normalization(x)[0]


def evaluator(
    predict: Callable[..., torch.Tensor], loss_fn: Callable[[], Callable[..., torch.Tensor]],
    place: Place,
) -> Callable[[nn.Module, Any], dict[str, float]]:  # fmt: skip
    """The product's `evaluate`: loss, accuracy, balanced_accuracy over the whole loader."""

    def evaluate(model: nn.Module, loader: Any) -> dict[str, float]:
        return predictions(model, loader, loss_fn(), predict, place.autocast).metrics()

    return evaluate
