"""Does the judge of an overfit run name what holds it back?

The readings here are written by hand, one a reason; tests/overfit/test_run.py trains for real.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from recipe_core.kernel.check import judged
from recipe_core.kernel.nouns import Finding
from recipe_core.kernel.readings import Reading, Readings
from recipe_core.overfit.checks.training_fit import CHECK, READING

FITS: dict[str, Any] = {
    "n_train": 1000, "n_classes": 4, "largest_class_share": 0.3, "train_accuracy": 1.0,
    "train_loss": 0.01, "floor": 0.0, "ended": "done", "regularizers": [], "lr": 3e-4,
    "losses": [1.4 * 0.5**i for i in range(12)],
}  # fmt: skip
STUCK = [1.4, 1.1, 1.0, 0.95, 0.94, 0.93, 0.93, 0.93, 0.93, 0.93, 0.93, 0.93]


def said(n_wrong: int = 0, contradicted: int = 0, **changes: Any) -> Finding:
    numbers = {**FITS, "train_accuracy": 1 - n_wrong / FITS["n_train"], **changes}
    arrays = {
        "rows": np.arange(n_wrong) + 7,
        "losses_of": np.linspace(1, 9, n_wrong),
        "contradicted": np.arange(n_wrong) < contradicted,
    }
    return judged(CHECK, Readings({READING: Reading(numbers, arrays)}))


def test_a_model_that_fits_passes() -> None:
    assert said().verdict == "pass"
    assert said(n_wrong=3).verdict == "pass"


@pytest.mark.parametrize(
    ("reason", "n_wrong", "changes"),
    [
        ("diverged", 700, {"train_loss": math.nan, "losses": STUCK}),
        ("regularized", 200, {"train_loss": 0.9, "losses": STUCK, "regularizers": ["dropout"]}),
        ("nothing learned", 705, {"train_loss": 1.38, "losses": [1.39] * 12}),
        ("labels", 30, {"train_loss": 0.2, "losses": STUCK}),
        ("capacity", 300, {"train_loss": 0.93, "losses": STUCK}),
    ],
)
def test_what_holds_it_back_is_named(reason: str, n_wrong: int, changes: dict[str, Any]) -> None:
    found = said(n_wrong, **changes)
    assert (found.verdict, found.numbers["reason"]) == ("fail", reason)
    assert found.next_step
    assert len(found.subjects) == n_wrong


def test_a_loss_that_still_falls_needs_time_not_a_new_model() -> None:
    found = said(300, train_loss=0.6, losses=[1.4 * 0.93**i for i in range(12)])
    assert (found.verdict, found.numbers["reason"]) == ("warn", "still falling")


def test_three_epochs_say_nothing_about_the_model() -> None:
    found = said(700, train_loss=1.35, losses=[1.4, 1.39, 1.38])
    assert (found.verdict, found.numbers["reason"]) == ("warn", "too short")


def test_all_right_but_far_above_the_floor_is_no_fit() -> None:
    assert said(train_loss=0.5, losses=STUCK).verdict == "fail"
    assert said(train_loss=0.5, losses=[0.9, 0.5]).verdict == "warn"
    assert said(train_loss=0.5, floor=0.48, losses=[1.0, 0.6, 0.5]).verdict == "pass"


def test_the_worst_sample_comes_first_and_a_contradiction_is_said() -> None:
    found = said(30, contradicted=30, train_loss=0.2, losses=STUCK)
    assert found.subjects.rows[0] == 36
    assert found.subjects.scores[0] < found.subjects.scores[-1]
    assert "copy" in found.subjects.details[0]
    assert "30 of them" in found.next_step


def test_without_a_run_it_is_skipped() -> None:
    assert judged(CHECK, Readings()).verdict == "skipped"
