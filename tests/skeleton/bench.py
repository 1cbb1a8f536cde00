"""On which bench do the skeleton's tests stand? One small data set, one small net, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from recipe_core import recipe
from recipe_core.kernel.check import Check, judged
from recipe_core.kernel.nouns import Finding
from recipe_core.kernel.readings import Readings
from recipe_core.skeleton.bench_process import about
from recipe_core.skeleton.probing import probed
from recipe_core.training.bench import Bench, open_bench
from recipe_core.training.config import RunConfig
from tests.planted.task_data import folder_of

PLAIN = """
from torch import nn
from torchvision.transforms import v2
import torch

def build_transform(train):
    return v2.Compose([v2.Resize((16, 16)), v2.ToImage(), v2.ToDtype(torch.float32, scale=True),
                       v2.Normalize([0.65] * 3, [0.2] * 3)])

def build_model(num_classes, width=1.0):
    n = round(8 * width)
    return nn.Sequential(nn.Conv2d(3, n, 3, 2, 1), nn.ReLU(), nn.Flatten(),
                         nn.Linear(64 * n, num_classes))

def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=2e-3)
"""


@pytest.fixture(scope="package")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scanned workspace of two classes of drawings."""
    below = tmp_path_factory.mktemp("data")
    workspace = below / "w"
    recipe.scan(folder_of("two", below), workspace, engine="here", check_ids=["corruption"])
    return workspace


def found_by(check: Check, bench: Bench) -> Finding:
    """What one check says of a pipeline, its probes run in this process."""
    readings = {p.name: probed(p, bench) for p in check.probes}
    return judged(check, Readings(readings, about(bench)))


def bench_of(workspace: Path, folder: Path, text: str = PLAIN) -> Bench:
    """The bench of a task file with this text."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "task.py"
    path.write_text(text, encoding="utf-8")
    return open_bench(workspace, RunConfig(task=str(path), device="cpu", batch_size=32))
