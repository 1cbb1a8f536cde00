"""Is the first run the recipe's, and do repeats differ in nothing but the seed?"""

from __future__ import annotations

import pytest

from recipe_core.overfit.planning import Facts, first_config, regularizers, repeats
from recipe_core.training.config import RunConfig


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize(("n", "side"), [(40, 28), (3000, 400), (1_000_000, 2000)])
def test_the_first_run_regularizes_nothing_and_is_long_enough(
    device: str, n: int, side: int
) -> None:
    config = first_config(Facts(n, 10, side, device)).config
    assert regularizers(config) == ()
    assert (config.optimizer, config.lr, config.schedule) == ("adam", 3e-4, "constant")
    assert config.model == ("resnet50" if device == "cuda" else "resnet18")
    assert config.image_size <= side and config.image_size % 8 == 0
    assert 20 <= config.epochs <= 200
    assert config.per_sample


def test_what_holds_a_model_back_is_listed() -> None:
    config = RunConfig(dropout=0.5, augmentation="mild", patience=3)
    assert regularizers(config) == ("dropout 0.5", "augmentation mild", "patience 3")


def test_repeats_have_fresh_seeds_and_nothing_else() -> None:
    config = RunConfig(seed=1, lr=1e-3)
    found = repeats(config, 3, taken=[0, 1, 3])
    assert [c.seed for c in found] == [2, 4, 5]
    assert all(set(c.differences(config)) == {"seed"} for c in found)
