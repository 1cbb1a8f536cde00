"""What do the tests of training train on? The sample digits, scanned once."""

from __future__ import annotations

from pathlib import Path

import pytest

from recipe_core import recipe
from recipe_core.training.bench import Bench, open_bench
from recipe_core.training.config import RunConfig

DIGITS = Path(__file__).resolve().parents[2] / "sample_data" / "digits"
SMALL = RunConfig(
    model="small_cnn", width=0.25, image_size=16, batch_size=8, limit=44, epochs=2, device="cpu",
    eval_split="test",
)  # fmt: skip
"""A run of seconds: 6 steps an epoch."""


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace of the sample digits."""
    workspace = tmp_path_factory.mktemp("digits") / "w"
    recipe.scan(DIGITS, workspace, check_ids=["corruption"], engine="here")
    return workspace


@pytest.fixture(scope="session")
def small(digits: Path) -> Bench:
    """The bench of SMALL."""
    return open_bench(digits, SMALL)
