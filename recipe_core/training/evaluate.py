"""How good is a model on a whole set? Its predictions once; all else follows from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn

from recipe_core.training.models import evaluating

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Predictions:
    """What a model says about n samples, in the order of the loader.

    logits   (n, classes) float32
    labels   (n,) int64 what was predicted
    targets  (n,) int64
    loss     the loss function over the whole set: the batches' values weighted by their sizes
             (of a cross entropy with class weights all at once: its mean is over the weights)
    """

    logits: Floats
    labels: Indices
    targets: Indices
    loss: float

    def losses(self) -> Floats:
        """(n,) float32 cross entropy of each sample."""
        logits, y = torch.from_numpy(self.logits), torch.from_numpy(self.targets)
        return np.asarray(F.cross_entropy(logits, y, reduction="none").numpy())

    def metrics(self) -> dict[str, float]:
        """loss, accuracy, balanced_accuracy (the mean recall of the classes that occur)."""
        hits = self.labels == self.targets
        recalls = [hits[self.targets == k].mean() for k in np.unique(self.targets)]
        return {
            "loss": self.loss,
            "accuracy": float(hits.mean()),
            "balanced_accuracy": float(np.mean(recalls)),
        }


def predictions(
    model: nn.Module,
    batches: Iterable[Any],
    loss_fn: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    predict: Callable[[torch.Tensor], torch.Tensor],
    autocast: Callable[[], Any],
) -> Predictions:
    """One pass in evaluation mode without gradients; the model's modes are put back."""
    logits, labels, targets, losses = [], [], [], []
    with evaluating(model):
        for x, y, *_ in batches:
            with autocast():
                out = model(x)
                losses.append(loss_fn(out, y).detach().float().reshape(-1).mean() * len(y))
            logits.append(out.float())
            labels.append(predict(out))
            targets.append(y)
    y = torch.cat(targets)
    if isinstance(loss_fn, nn.CrossEntropyLoss) and loss_fn.weight is not None:
        losses = [loss_fn(torch.cat(logits), y).detach().reshape(-1).mean() * len(y)]
    return Predictions(
        torch.cat(logits).cpu().numpy(), torch.cat(labels).cpu().numpy().astype(np.int64),
        y.cpu().numpy().astype(np.int64), float(torch.stack(losses).sum()) / len(y),
    )  # fmt: skip
