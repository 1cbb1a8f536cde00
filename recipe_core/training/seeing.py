"""What does the network look at: its first filters, its feature maps, the pixels that matter?"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import nn


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
