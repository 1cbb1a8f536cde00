"""Is the floor of a loss function what the formula says?"""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from recipe_core.training.floors import as_output, floor_of, output_kind

Y = torch.tensor([0, 1, 2, 3, 1, 2])
C = 4


def focal(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    logp = torch.log_softmax(z, 1).gather(1, y[:, None])[:, 0]
    return (-((1 - logp.exp()) ** 2) * logp).mean()


def smoothed_floor(s: float) -> float:
    right, wrong = 1 - s + s / C, s / C
    return -(right * math.log(right) + (C - 1) * wrong * math.log(wrong))


@pytest.mark.parametrize(
    ("loss", "lowest", "uniform"),
    [
        (nn.CrossEntropyLoss(), 0.0, math.log(C)),
        (nn.CrossEntropyLoss(label_smoothing=0.1), smoothed_floor(0.1), math.log(C)),
        (nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2, 3, 4])), 0.0, math.log(C)),
        (focal, 0.0, (1 - 1 / C) ** 2 * math.log(C)),
        (nn.MultiMarginLoss(), 0.0, (C - 1) / C),
        (lambda z, y: nn.functional.mse_loss(z, nn.functional.one_hot(y, C).float()), 0.0, 0.25),
    ],
    ids=["cross entropy", "smoothing", "weights", "focal", "margin", "squares"],
)  # fmt: skip
def test_the_floor_and_the_uniform_loss(loss: object, lowest: float, uniform: float) -> None:
    found = floor_of(loss, Y, C, "logits")
    assert found == pytest.approx((lowest, uniform), abs=2e-3)


def test_a_loss_without_a_floor_says_so() -> None:
    lowest, _ = floor_of(lambda z, y: -z.gather(1, y[:, None]).mean(), Y, C, "logits")
    assert lowest == -math.inf


@pytest.mark.parametrize("kind", ["logits", "probabilities", "log_probabilities"])
def test_what_a_model_puts_out_is_recognised(kind: str) -> None:
    assert output_kind(as_output(torch.randn(5, C), kind)) == kind
