"""Does the ledger's check warn of what is not proven, and only of that?"""

from __future__ import annotations

from typing import Any

from recipe_core.kernel.check import judged
from recipe_core.kernel.nouns import Finding
from recipe_core.kernel.readings import Reading, Readings
from recipe_core.overfit.checks.proven_changes import CHECK, READING


def said(*groups: tuple[list[float], dict[str, Any]], **params: Any) -> Finding:
    entries = [
        {"id": f"{g}-{i}", "config": {"lr": 1.0, "model": "a", "seed": i, **changes}, "data": "d",
         "metrics": {"accuracy": v}, "created": f"2026-01-{g + 1:02d}T{i:02d}"}
        for g, (values, changes) in enumerate(groups)
        for i, v in enumerate(values)
    ]  # fmt: skip
    return judged(CHECK, Readings({READING: Reading({"entries": entries})}), params)


def test_proven_changes_pass() -> None:
    found = said(([0.80, 0.81, 0.80], {}), ([0.90, 0.91, 0.90], {"lr": 2.0}))
    assert (found.verdict, found.numbers["better"]) == ("pass", 1)
    assert found.tables[0].rows[0][:2] == ("lr 1.0 → 2.0", "better")


def test_a_change_run_once_warns() -> None:
    found = said(([0.8], {}), ([0.9], {"lr": 2.0}))
    assert found.verdict == "warn" and "3 seeds" in found.next_step


def test_changes_made_together_warn() -> None:
    found = said(([0.8] * 3, {}), ([0.9] * 3, {"lr": 2.0, "model": "b"}))
    assert found.verdict == "warn" and "one by one" in found.next_step


def test_one_setting_is_nothing_to_judge() -> None:
    assert said(([0.8, 0.9], {})).verdict == "skipped"
    assert said(([0.8], {}), ([0.9], {"lr": 2.0}), metric="loss").verdict == "skipped"
