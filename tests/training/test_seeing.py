"""Do the pictures of a network show what is there? Held against nets whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from recipe_core.training.seeing import feature_maps, first_filters, saliency


def test_a_linear_nets_saliency_is_its_weights() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 4 * 5, 7))
    x, targets = torch.randn(2, 3, 4, 5), torch.tensor([1, 6])
    weights = net[1].weight.detach().view(7, 3, 4, 5).abs().amax(1)[targets]
    assert saliency(net, x, targets) == pytest.approx(weights.numpy(), rel=1e-5)


def test_saliency_finds_the_only_pixel_that_counts() -> None:
    class Corner(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            v = x[:, :, 2, 3].sum(1) ** 2
            return torch.stack([v, -v], 1)

    found = saliency(Corner(), torch.ones(1, 3, 6, 6), torch.tensor([0]))[0]
    assert np.argwhere(found > 0).tolist() == [[2, 3]]


def test_looking_changes_nothing() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.LazyLinear(2))
    x = torch.randn(2, 3, 8, 8)
    net(x)
    net.train()
    net[1].eval()  # a frozen BatchNorm stays frozen
    before = {k: v.clone() for k, v in net.state_dict().items()}
    saliency(net, x, torch.tensor([0, 1]))
    feature_maps(net, x[0])
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())
    assert [m.training for m in net.modules()] == [True, True, False, True, True]
    assert all(p.grad is None for p in net.parameters())


def test_filters_are_stretched_one_by_one_and_grey_ones_shown() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 2, bias=False), nn.ReLU())
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[[[0.0, 1.0], [2.0, 4.0]]], [[[5.0, 5.0], [5.0, 5.0]]]]))
    filters = first_filters(net)
    assert filters is not None and filters.shape == (2, 2, 2, 3)
    assert filters[0, :, :, 0].tolist() == [[0, 64], [128, 255]]
    assert np.unique(filters[1]).tolist() == [128]


def test_a_net_that_starts_with_something_else_has_no_filters_to_show() -> None:
    assert first_filters(nn.Sequential(nn.Flatten(), nn.Linear(4, 2))) is None


def test_feature_maps_are_the_convolutions_own_output() -> None:
    net = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.Conv2d(5, 2, 3))
    x = torch.randn(3, 9, 9)
    found = feature_maps(net, x, most=4)
    assert list(found) == ["0", "2"]
    assert found["0"] == pytest.approx(net[0](x[None])[0, :4].detach().numpy())
