"""Do the example tasks of the documentation do what it says of them?"""

from __future__ import annotations

from pathlib import Path

import pytest

from recipe_core import recipe
from recipe_core.kernel.check import judged
from recipe_core.kernel.readings import Readings
from recipe_core.skeleton.battery import with_ids
from recipe_core.skeleton.bench_process import about
from recipe_core.skeleton.order import probes_of
from recipe_core.skeleton.probing import probed
from recipe_core.training.bench import open_bench
from recipe_core.training.config import RunConfig

ROOT = Path(__file__).resolve().parents[2]
TASKS = ROOT / "docs" / "tasks"
LOOKED_AT = ["loss_at_init", "init_bias", "batch_order", "parameters_update", "checkpoint_reload"]


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = tmp_path_factory.mktemp("digits") / "w"
    recipe.scan(ROOT / "sample_data" / "digits", workspace, engine="here", check_ids=["corruption"])
    return workspace


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("torchvision_resnet", set()),
        ("own_dataset", set()),
        # layers that nobody owns are in no checkpoint either
        ("find_the_bug", {"parameters_update", "checkpoint_reload"}),
    ],
)
def test_an_example_is_healthy_or_has_the_one_bug(name: str, bad: set[str], digits: Path) -> None:
    config = RunConfig(task=str(TASKS / f"{name}.py"), device="cpu", batch_size=32, limit=480)
    bench = open_bench(digits, config)
    checks = with_ids(LOOKED_AT)
    readings = Readings({p.name: probed(p, bench) for p in probes_of(checks)}, about(bench))
    found = {c.id: judged(c, readings) for c in checks}
    said = {k: f.summary for k, f in found.items() if f.verdict != "pass"}
    assert set(said) == bad, said


def test_every_example_is_explained() -> None:
    text = (ROOT / "docs" / "sanity.md").read_text(encoding="utf-8")
    assert {p.name for p in TASKS.glob("*.py")} == {
        w for w in ("torchvision_resnet.py", "own_dataset.py", "find_the_bug.py") if w in text
    }
