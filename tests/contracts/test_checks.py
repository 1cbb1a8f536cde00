"""Does every check catch its planted fault, pass its healthy twin, and keep the house's rules?

One battery over every check that discovery finds. A data check without
`tests/planted/plant_<id>.py` fails here; tests/contracts/test_skeleton_checks.py asks the same of
the checks of a training pipeline.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

from recipe_core import recipe
from recipe_core.kernel.check import Check
from recipe_core.kernel.nouns import VERDICTS, Finding
from recipe_core.kernel.plain import plain
from tests.planted.plant import Plant

CHECKS = recipe.checks("data")


def _plants(check: Check) -> tuple[Plant, ...]:
    module = importlib.import_module(f"tests.planted.plant_{check.id}")
    plants: tuple[Plant, ...] = module.PLANTS
    return plants


PLANTED = [(check, plant) for check in CHECKS for plant in _plants(check)]


def _scanned(check: Check, folder: Path, plant: Plant) -> tuple[Finding, list[str]]:
    workspace = folder.with_suffix(".recipe")
    overrides = {check.id: dict(plant.settings)}
    report = recipe.scan(
        folder, workspace, engine="here", check_ids=[check.id], overrides=overrides
    )
    finding = report.findings[0]
    paths = recipe.evidence(workspace).texts("path")
    return finding, [paths[row] for row in finding.subjects.rows]


@pytest.mark.parametrize(("check", "plant"), PLANTED, ids=[f"{c.id}-{p.name}" for c, p in PLANTED])
def test_the_planted_fault_is_caught_and_its_twin_passes(
    check: Check, plant: Plant, tmp_path: Path
) -> None:
    (tmp_path / "fault").mkdir()
    (tmp_path / "healthy").mkdir()
    plant.fault(tmp_path / "fault")
    plant.healthy(tmp_path / "healthy")

    healthy, _ = _scanned(check, tmp_path / "healthy", plant)
    assert healthy.verdict == "pass", healthy.summary

    fault, named = _scanned(check, tmp_path / "fault", plant)
    assert fault.verdict in plant.verdicts, fault.summary
    if plant.subjects is not None:
        assert set(named) == plant.subjects, fault.summary
    _is_well_formed(fault, len(named))


def _is_well_formed(finding: Finding, n: int) -> None:
    assert finding.verdict in VERDICTS
    assert finding.summary.endswith((".", "!", "?")) and "\n" not in finding.summary
    assert finding.next_step, "a bad verdict must say what to do next"
    assert len(finding.subjects.scores) == len(finding.subjects.details) == n
    assert not n or (finding.subjects.scores.min() >= 0 and finding.subjects.scores.max() <= 1)
    assert finding.subjects.groups is None or len(finding.subjects.groups) == n
    json.dumps(plain(dict(finding.numbers)), allow_nan=False)
    for chart in finding.charts:
        width = len(chart.x) - (chart.kind == "histogram")
        assert all(len(values) == width for values in chart.series.values()), chart.title


@pytest.mark.parametrize("check", recipe.checks(), ids=lambda c: c.id)
def test_every_check_explains_itself(check: Check) -> None:
    assert check.stage in recipe.STAGES
    assert len(check.why) > 60, (
        "the card shows why: say the recipe's point and what a bad answer is"
    )
    for s in check.settings:
        assert s.why, f"{s.name} has no reason"
        if isinstance(s.default, int | float) and not isinstance(s.default, bool):
            assert s.low is not None and s.high is not None, f"{s.name} has no range"
            assert s.low <= s.default <= s.high


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.id)
def test_every_check_survives_one_sample_and_a_folder_without_labels(
    check: Check, tmp_path: Path
) -> None:
    from PIL import Image

    (tmp_path / "one").mkdir()
    Image.effect_noise((40, 30), 60).convert("RGB").save(tmp_path / "one" / "a.png")
    report = recipe.scan(
        tmp_path / "one", tmp_path / "one.recipe", engine="here", check_ids=[check.id]
    )
    assert report.findings[0].verdict in ("pass", "skipped"), report.findings[0].summary


def test_the_ids_are_those_that_scripts_rely_on() -> None:
    contract = {
        "corruption", "exact_duplicates", "near_duplicates", "split_leak", "conflicting_labels",
        "class_balance", "image_variation", "image_quality", "format_forensics", "annotations",
        "split_drift", "shortcut", "label_noise", "local_or_global", "spatial_detail",
    }  # fmt: skip
    assert {c.id for c in CHECKS} <= contract
