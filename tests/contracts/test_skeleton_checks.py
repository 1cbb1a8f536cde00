"""Has every check of a training pipeline a planted bug that it must catch, and healthy tasks?

tests/planted/tasks/ holds the tasks; the matrix that runs them is tests/planted/test_tasks.py.
"""

from __future__ import annotations

import pytest

from recipe_core import recipe
from recipe_core.kernel.check import Check, judged
from recipe_core.kernel.errors import Misuse
from recipe_core.kernel.readings import Readings

CHECKS = recipe.checks("skeleton")


CONTRACT = {
    "fixed_seed", "metrics", "loss_function", "loss_at_init", "init_bias", "human_baseline",
    "zero_input", "overfit_batch", "bigger_net", "see_the_input", "prediction_dynamics",
    "gradient_dependency", "special_case", "parameters_update", "gradient_reset",
    "train_eval_mode", "dead_units", "checkpoint_reload", "learning_rate", "augmentation",
    "batch_order",
}  # fmt: skip


def test_the_ids_are_those_that_scripts_rely_on() -> None:
    assert {c.id for c in CHECKS} <= CONTRACT


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.id)
def test_a_check_without_readings_is_skipped_not_broken(check: Check) -> None:
    finding = judged(check, Readings())
    assert finding.verdict == "skipped", finding.summary


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.id)
def test_explanations_name_checks_that_there_are_and_come_before(check: Check) -> None:
    known = {c.id: c for c in CHECKS}
    assert set(check.explained_by) <= CONTRACT
    seen: set[str] = set()
    waiting = list(check.explained_by)
    while waiting:
        name = waiting.pop()
        assert name != check.id, "explanations go round in a circle"
        if name not in seen:
            seen.add(name)
            waiting += known[name].explained_by if name in known else ()


def test_a_scan_judges_the_data_only() -> None:
    assert {c.stage for c in recipe.chosen(None)} == {"data"}
    for check in CHECKS:
        with pytest.raises(Misuse, match="recipe sanity"):
            recipe.chosen([check.id])
