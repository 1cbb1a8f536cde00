"""Is every planted bug caught by a right check, and no healthy pipeline accused?

Here each bug meets the checks of which at least one must fail, each healthy task the quick checks,
and one healthy task all of them; benchmarks/planted_bugs.py runs the whole matrix.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from recipe_core import recipe
from tests.planted import catalogue
from tests.planted.catalogue import PlantedTask
from tests.planted.examining import examined

SLOW = {
    "fixed_seed", "overfit_batch", "bigger_net", "zero_input", "learning_rate", "augmentation",
    "prediction_dynamics", "human_baseline", "dead_units", "parameters_update", "metrics",
}  # fmt: skip
"""Checks that train for long, or start processes."""
WHOLE = {"label_smoothing"}
"""Healthy tasks on which the slow checks run too (a minute each); on the others they run in the
benchmark."""


@pytest.fixture(scope="module")
def below(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("planted")


def test_the_suite_has_what_was_asked_for() -> None:
    assert len(catalogue.bugs()) >= 45
    assert len(catalogue.healthy()) >= 14
    known = {c.id for c in recipe.checks("skeleton")}
    for task in (*catalogue.bugs(), *catalogue.healthy()):
        assert set(task.must + task.may) <= known, task.name


@pytest.mark.parametrize("task", catalogue.bugs(), ids=lambda t: t.name)
def test_a_planted_bug_is_caught(task: PlantedTask, below: Path) -> None:
    said = []
    checks = {c.id: c for c in recipe.checks("skeleton")}
    for name in sorted(task.must, key=lambda n: n in SLOW):
        finding = examined(task, [checks[name]], below)[name]
        said.append(f"{name}: {finding.verdict}, {finding.summary}")
        if finding.verdict == "fail":
            assert finding.next_step
            return
    pytest.fail(f"{task.says}\n" + "\n".join(said))


@pytest.mark.parametrize("task", catalogue.healthy(), ids=lambda t: t.name)
def test_a_healthy_pipeline_is_not_accused(task: PlantedTask, below: Path) -> None:
    checks = [c for c in recipe.checks("skeleton") if c.id not in SLOW or task.name in WHOLE]
    found = examined(task, checks, below)
    accused = {k: f.summary for k, f in found.items() if f.verdict in ("warn", "fail", "error")}
    assert not accused, f"{task.says}: {accused}"
    assert not [f.summary for f in found.values() if "{" in f.summary]  # every figure is filled in
