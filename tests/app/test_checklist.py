"""Does every item of the recipe say what its evidence says?"""

from __future__ import annotations

import pytest

from app.checklist import LOOKS, RECIPE, Item, item_state, next_steps, outdated, with_unlisted
from recipe_core import recipe
from recipe_core.kernel.nouns import VERDICTS, Finding, Verdict
from recipe_core.kernel.report import Report

ITEM = Item("Copies", ("exact", "near"))


def found(**verdicts: Verdict) -> dict[str, Finding]:
    return {check: Finding(v, "seen", "do this", check=check) for check, v in verdicts.items()}


@pytest.mark.parametrize(
    ("verdicts", "state"),
    [({}, "not yet"), ({"other": "fail"}, "not yet"), ({"exact": "pass"}, "done"),
     ({"exact": "pass", "near": "warn"}, "look"), ({"exact": "warn", "near": "fail"}, "failing"),
     ({"exact": "error"}, "failing"), ({"exact": "skipped"}, "unjudged"),
     ({"exact": "skipped", "near": "pass"}, "done")],
)  # fmt: skip
def test_state(verdicts: dict[str, Verdict], state: str) -> None:
    assert item_state(ITEM, found(**verdicts), outdated=False) == state


def test_old_findings_are_stale_but_missing_ones_are_still_missing() -> None:
    assert item_state(ITEM, found(exact="fail"), outdated=True) == "stale"
    assert item_state(ITEM, {}, outdated=True) == "not yet"


def test_outdated_names_what_was_updated() -> None:
    report = Report({}, (), {"pillow": "12.0", "gone": "1"}, "2026-01-01T00:00:00+00:00")
    assert outdated(report, {"pillow": "13.0", "new": "1"}) == ["pillow 12.0 → 13.0"]
    assert outdated(report, {"pillow": "12.0"}) == []


def test_every_check_there_is_has_its_place() -> None:
    for check in recipe.checks():
        stage = next(s for s in RECIPE if s.id == check.stage)
        named = {c for item in stage.items for c in item.checks}
        assert check.id in named, f"{check.id} is no item of {stage.title}"


def test_a_check_without_a_place_gets_its_own_item() -> None:
    stage = with_unlisted(RECIPE[0], [("brand_new", "Brand new"), ("corruption", "Corruption")])
    assert [i.title for i in stage.items[len(RECIPE[0].items) :]] == ["Brand new"]


def test_no_check_is_named_twice() -> None:
    named = [c for stage in RECIPE for item in stage.items for c in item.checks]
    assert len(named) == len(set(named))


def test_next_steps_are_failures_then_warnings_and_only_what_asks_for_something() -> None:
    quiet = Finding("warn", "seen", "", check="quiet")
    every = [*found(a="warn", b="pass", c="fail", d="error", e="skipped").values(), quiet]
    assert [f.check for f in next_steps(every)] == ["c", "a", "d"]


def test_every_state_wears_a_verdict() -> None:
    assert all(verdict in VERDICTS for verdict, _ in LOOKS.values())
