"""Is what is said of a backbone what torchvision's own models are?"""

from __future__ import annotations

import pytest

from recipe_core.kernel.errors import UnknownName
from recipe_core.overfit.backbones import BACKBONES, Backbone, backbone


@pytest.mark.parametrize("b", BACKBONES, ids=lambda b: b.name)
def test_size_and_cost_are_torchvisions(b: Backbone) -> None:
    from torchvision.models import get_model_weights

    meta = get_model_weights(b.name).DEFAULT.meta
    assert meta["num_params"] == b.parameters
    assert meta["_ops"] == pytest.approx(b.gflops, abs=0.006)
    assert max(meta["min_size"]) <= b.least_px


def test_the_safe_one_comes_first_and_a_typo_is_helped() -> None:
    assert BACKBONES[0].name == "resnet50"
    with pytest.raises(UnknownName, match="resnet18"):
        backbone("resnet-18")
