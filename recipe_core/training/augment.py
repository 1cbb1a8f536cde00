"""How are pictures varied in training? In batches, on the device, by numbers drawn from the step.

    none     nothing: augmentation is off unless asked for
    mild     mirrored or not, shifted by up to 1/16
    medium   … and scaled by up to 1.15, brightness and contrast by up to 20 %
    strong   … scaled by up to 1.3, brightness, contrast and saturation by up to 40 %, and a square
             of a quarter of the side cut out

The numbers are drawn on the CPU by the generator given, so that they are the same on every device.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F


@dataclass(frozen=True)
class Strength:
    """What an augmentation may do at most.

    shift  of the side; scale: 1 / scale … scale; light: brightness, contrast; cut: of the side
    """

    flip: bool = False
    shift: float = 0.0
    scale: float = 1.0
    light: float = 0.0
    saturation: float = 0.0
    cut: float = 0.0


STRENGTHS = {
    "none": Strength(),
    "mild": Strength(flip=True, shift=1 / 16),
    "medium": Strength(flip=True, shift=1 / 16, scale=1.15, light=0.2),
    "strong": Strength(flip=True, shift=1 / 8, scale=1.3, light=0.4, saturation=0.4, cut=0.25),
}


def augmented(
    x: torch.Tensor, name: str, draws: torch.Generator, *, start: int = 0, whole: int = 0
) -> torch.Tensor:
    """(B, 3, H, W) float32 in 0 … 1, varied by the augmentation of this name; same shape and range.

    draws         a CPU generator; how many numbers it gives depends on B (or `whole`) only
    start, whole  of a share: its place in the batch and the batch's size; it is varied as it would
                  be in the batch
    """
    if name == "none":
        return x
    strength = STRENGTHS[name]
    u = torch.rand((10, whole or len(x)), generator=draws)[:, start : start + len(x)]
    x = _moved(x, strength, u[:4])
    if strength.light:
        x = _lit(x, strength, u[4:7].to(x.device))
    return _cut(x, strength, u[7:9].to(x.device)) if strength.cut else x


def _moved(x: torch.Tensor, s: Strength, u: torch.Tensor) -> torch.Tensor:
    """Mirrored, shifted and scaled; what comes in at the edge is reflected."""
    across = torch.where(u[0] < 0.5, -1.0, 1.0) if s.flip else torch.ones(len(x))
    scale = s.scale ** (2 * u[1] - 1)
    theta = torch.zeros(len(x), 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = across / scale, 1 / scale
    theta[:, :, 2] = 2 * s.shift * (2 * u[2:4].T - 1)
    grid = F.affine_grid(theta.to(x.device), list(x.shape), align_corners=False)
    outside = "border" if x.device.type == "mps" else "reflection"
    return F.grid_sample(x, grid, padding_mode=outside, align_corners=False)


def _lit(x: torch.Tensor, s: Strength, u: torch.Tensor) -> torch.Tensor:
    brightness, contrast, saturation = (2 * u - 1)[:, :, None, None, None]
    x = x * (1 + s.light * brightness)
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    x = mean + (x - mean) * (1 + s.light * contrast)
    if s.saturation:
        grey = x.mean(dim=1, keepdim=True)
        x = grey + (x - grey) * (1 + s.saturation * saturation)
    return x.clamp(0, 1)


def _cut(x: torch.Tensor, s: Strength, u: torch.Tensor) -> torch.Tensor:
    """A square of the picture's mean colour, its centre anywhere."""
    height, width = x.shape[-2:]
    rows = torch.arange(height, device=x.device) / height
    columns = torch.arange(width, device=x.device) / width
    down = (rows - u[0, :, None]).abs() < s.cut / 2
    across = (columns - u[1, :, None]).abs() < s.cut / 2
    inside = (down[:, :, None] & across[:, None, :])[:, None]
    return torch.where(inside, x.mean(dim=(2, 3), keepdim=True), x)


def mixed(
    x: torch.Tensor, y: torch.Tensor, alpha: float, draws: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Pictures mixed in pairs (Zhang et al. 2018): (B, 3, H, W), the partners' labels, the share.

    The loss is share * loss(labels) + (1 - share) * loss(partners' labels).
    """
    order = torch.randperm(len(x), generator=draws)
    seed = int(torch.randint(2**62, (1,), generator=draws))
    share = float(np.random.default_rng(seed).beta(alpha, alpha))
    partners = order.to(x.device)
    return share * x + (1 - share) * x[partners], y[partners], share
