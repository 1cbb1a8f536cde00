"""Is a change credited only where it is alone and beyond seed noise?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from recipe_core.overfit import ledger
from recipe_core.overfit.ledger import Entry

BASE = {"model": "resnet18", "lr": 3e-4, "seed": 0, "repeat": 0, "note": "", "base": ""}


def runs(values: list[float], start: int = 0, data: str = "d", **changes: Any) -> list[Entry]:
    return [
        Entry(f"r{start + i}", {**BASE, **changes, "seed": i}, data, {"accuracy": v},
              f"2026-01-01T00:{start + i:02d}")
        for i, v in enumerate(values)
    ]  # fmt: skip


def only(entries: list[Entry]) -> ledger.Change:
    (found,) = ledger.changes(entries, "accuracy", larger_is_better=True)
    return found


def test_the_interval_is_welchs() -> None:
    a, b = [0.80, 0.82, 0.81, 0.79], [0.86, 0.85, 0.88]
    low, high = ledger.welch(ledger.spread(a), ledger.spread(b))
    oracle = stats.ttest_ind(b, a, equal_var=False).confidence_interval(0.95)
    assert (low, high) == pytest.approx((oracle.low, oracle.high))


def test_a_spread_is_students() -> None:
    values = [0.8, 0.9, 0.7, 0.75]
    s = ledger.spread([*values, math.nan])
    oracle = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert (s.n, s.mean) == (4, pytest.approx(np.mean(values)))
    assert (s.low, s.high) == pytest.approx(oracle)


def test_a_change_beyond_noise_is_credited_and_its_direction_follows_the_metric() -> None:
    entries = runs([0.80, 0.81, 0.80]) + runs([0.90, 0.91, 0.90], 10, lr=1e-3)
    assert only(entries).credit == "better"
    (down,) = ledger.changes(entries, "accuracy", larger_is_better=False)
    assert down.credit == "worse"
    assert only(entries).fields == {"lr": (3e-4, 1e-3)}


def test_a_change_within_noise_gets_none() -> None:
    entries = runs([0.80, 0.86, 0.83]) + runs([0.84, 0.81, 0.87], 10, lr=1e-3)
    assert only(entries).credit == "within noise"


def test_a_rounding_is_no_effect() -> None:
    found = only(runs([0.3, 0.3]) + runs([0.1 + 0.2] * 2, 10, lr=1e-3))
    assert (found.credit, found.effect) == ("within noise", 0.0)


def test_one_seed_proves_nothing() -> None:
    assert only(runs([0.1]) + runs([0.99], 10, lr=1e-3)).credit == "repeat it"
    assert only(runs([0.1, 0.1]) + runs([0.99], 10, lr=1e-3)).credit == "repeat it"


def test_two_changes_at_once_get_no_credit_however_large() -> None:
    found = only(runs([0.1, 0.1, 0.1]) + runs([0.9, 0.9, 0.9], 10, lr=1e-3, model="resnet50"))
    assert found.credit == "several changes"
    assert set(found.fields) == {"lr", "model"}


def test_another_data_set_is_a_change() -> None:
    found = only(runs([0.1, 0.1]) + runs([0.9, 0.9], 10, data="cleaned"))
    assert set(found.fields) == {"data"}
    assert found.credit == "better"


def test_the_base_is_the_one_named_else_the_nearest() -> None:
    first, second = runs([0.8], lr=1e-3), runs([0.8], 10, model="resnet50")
    third = runs([0.8], 20, model="resnet50", dropout=0.5)
    nearest = ledger.changes(first + second + third, "accuracy", larger_is_better=True)
    assert [c.base for c in nearest] == [("r0",), ("r10",)]
    named = runs([0.8], 20, model="resnet50", dropout=0.5, base="r0")
    found = ledger.changes(first + second + named, "accuracy", larger_is_better=True)
    assert found[1].base == ("r0",)


def test_runs_without_the_metric_are_left_out() -> None:
    broken = Entry("x", BASE, "d", {}, "2026")
    assert ledger.changes([broken, *runs([0.5])], "accuracy", larger_is_better=True) == []


def test_false_credit_is_as_rare_as_promised() -> None:
    """Settings that are equal: at most the interval's 5 % (n = 400, 3 seeds each) get credit."""
    rng = np.random.default_rng(0)
    credited = 0
    for _ in range(400):
        a, b = rng.normal(0.8, 0.01, (2, 3))
        found = only(runs(list(a)) + runs(list(b), 10, lr=1e-3))
        credited += found.credit in ("better", "worse")
    assert credited <= stats.binom.ppf(0.999, 400, 0.05)


def test_without_a_named_base_the_nearest_earlier_setting_is_it() -> None:
    """Counted field by field; of several the latest. Fields may be missing or lists."""
    draw = np.random.default_rng(3)
    entries = []
    for i in range(40):
        some: dict[str, Any] = {f"f{k}": int(draw.integers(3)) for k in range(5)}
        some["decay"] = [int(draw.integers(2))]
        if draw.random() < 0.3:
            del some["f0"]
        entries += runs([0.5], 100 + i, **some)
    firsts = [group[0] for group in ledger.settings(entries).values()]
    for i, found in enumerate(ledger.changes(entries, "accuracy", larger_is_better=True), 1):
        gaps = [len(ledger.fields_that_differ(e, firsts[i])) for e in firsts[:i]]
        nearest = max(j for j, gap in enumerate(gaps) if gap == min(gaps))
        assert found.base[0] == firsts[nearest].id and found.runs[0] == firsts[i].id
        assert len(found.fields) == min(gaps)
