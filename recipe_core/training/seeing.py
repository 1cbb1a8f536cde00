"""What does the network look at: its first filters, its feature maps, the pixels that matter?"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from recipe_core.training.bench import Bench


@dataclass(frozen=True)
class Seen:
    """What a model looks at on k samples.

    inputs         (k, h, w, 3) uint8, the tensors before the net, each stretched to its own range
    probabilities  (k, C) float32
    saliency       (k, h, w) float32 for the sample's own label
    filters        (m, h, w, 3) uint8, m = 0 where the net starts with no convolution on pixels
    maps           layer -> (k2, h, w) float32 of the first sample, early layers first
    """

    inputs: npt.NDArray[np.uint8]
    probabilities: npt.NDArray[np.float32]
    saliency: npt.NDArray[np.float32]
    filters: npt.NDArray[np.uint8]
    maps: dict[str, npt.NDArray[np.float32]]


def seen(
    bench: Bench, model: nn.Module, positions: npt.NDArray[np.int64], most_layers: int
) -> Seen:
    """What the model looks at on these images (positions in `bench.images`)."""
    x, y = bench.at(positions)
    filters = first_filters(model)
    return Seen(
        _as_pictures(x),
        bench.logits(model, x).softmax(1).cpu().numpy(),
        saliency(model, x, y),
        np.empty((0, 1, 1, 3), np.uint8) if filters is None else filters,
        _spread_out(feature_maps(model, x[0]), most_layers),
    )


def _as_pictures(x: torch.Tensor) -> npt.NDArray[np.uint8]:
    """(k, C, H, W) as (k, H, W, 3) uint8: one or three channels, else their mean as grey."""
    if x.shape[1] not in (1, 3):
        x = x.mean(dim=1, keepdim=True)
    pictures = x.float().cpu().numpy().transpose(0, 2, 3, 1)
    return _stretched(np.broadcast_to(pictures, (*pictures.shape[:3], 3)))


def _spread_out(
    maps: dict[str, npt.NDArray[np.float32]], most: int
) -> dict[str, npt.NDArray[np.float32]]:
    """At most `most` of the layers, from the first to the last."""
    names = list(maps)
    places = np.unique(np.linspace(0, len(names) - 1, min(most, len(names))).round().astype(int))
    return {names[i]: maps[names[i]] for i in places} if names else {}


def first_filters(model: nn.Module, most: int = 64) -> npt.NDArray[np.uint8] | None:
    """(k, h, w, 3) uint8, the filters of the first convolution that sees pixels, each stretched to
    0 … 255 by its own range; None where the first layer with weights is no convolution on one or
    three channels. Smooth blobs and edges are learned, noise is not."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            return None
        if isinstance(module, nn.Conv2d):
            if module.groups != 1 or module.in_channels not in (1, 3):
                return None
            weights = module.weight.detach().float().cpu().numpy()[:most]
            return _stretched(np.moveaxis(np.broadcast_to(
                weights, (len(weights), 3, *weights.shape[2:])
            ), 1, -1))  # fmt: skip
    return None


def _stretched(pictures: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    low = pictures.min(axis=(1, 2, 3), keepdims=True)
    span = pictures.max(axis=(1, 2, 3), keepdims=True) - low
    shares = np.divide(pictures - low, span, out=np.full_like(pictures, 0.5), where=span > 0)
    return np.asarray(np.round(shares * 255), np.uint8)


def feature_maps(
    model: nn.Module, x: torch.Tensor, most: int = 16
) -> dict[str, npt.NDArray[np.float32]]:
    """layer name -> (k, h, w) float32 of every convolution's output for one picture x (C, H, W)."""
    found: dict[str, npt.NDArray[np.float32]] = {}

    def keep(name: str) -> object:
        def hook(module: nn.Module, given: object, out: torch.Tensor) -> None:
            found.setdefault(name, out[0, :most].detach().float().cpu().numpy())

        return hook

    handles = [
        m.register_forward_hook(keep(name))  # type: ignore[arg-type]
        for name, m in model.named_modules()
        if isinstance(m, nn.Conv2d)
    ]
    try:
        with _evaluating(model), torch.no_grad():
            model(x[None])
    finally:
        for handle in handles:
            handle.remove()
    return found


def saliency(
    model: nn.Module, x: torch.Tensor, targets: torch.Tensor, *, repeats: int = 16,
    noise: float = 0.1, seed: int = 0,
) -> npt.NDArray[np.float32]:  # fmt: skip
    """(B, H, W) float32: how much each pixel moves the target's logit, the largest of its channels.

    Gradient of the logit (Simonyan et al. 2014, arXiv:1312.6034), averaged over `repeats` copies
    with Gaussian noise of `noise` times each picture's range (SmoothGrad, Smilkov et al. 2017,
    arXiv:1706.03825); repeats 1 and noise 0 is the plain gradient. x (B, C, H, W), targets (B,)
    int64; the model's weights and gradients are left as they were.
    """
    generator = torch.Generator(device="cpu").manual_seed(seed)
    scale = noise * (x.amax(dim=(1, 2, 3), keepdim=True) - x.amin(dim=(1, 2, 3), keepdim=True))
    total = torch.zeros_like(x)
    with _evaluating(model), torch.enable_grad():
        for _ in range(repeats):
            jitter = torch.randn(x.shape, generator=generator).to(x) * scale
            noisy = (x.detach() + jitter).requires_grad_()
            logits = model(noisy)
            chosen = logits.gather(1, targets[:, None]).sum()
            total += torch.autograd.grad(chosen, noisy)[0].abs()
    return (total / repeats).amax(dim=1).float().cpu().numpy()


@contextlib.contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    modes = {m: m.training for m in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
