"""Can one walk the whole recipe in a browser, from a folder of photos to the report?

On clothing's 3,781 photos where they are at hand, else on the sample digits. With RECIPE_SHOTS set
to a folder, each station leaves a screenshot there: docs/walk.md shows them.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from recipe_core import pipeline, recipe
from tests.browser.conftest import ROOT
from tests.browser.test_app import expect
from tests.serving import clean_environment, free_port, scan_ended, served

REAL = Path(os.environ.get("RECIPE_REAL_DATA", ROOT.parent / "shared" / "data")) / "clothing"
SOURCE = REAL if REAL.is_dir() else ROOT / "sample_data" / "digits"
PATIENCE_MS = 120_000


@pytest.fixture
def walked(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The app as `make app DATA=…` starts it: address and workspace."""
    place = tmp_path / "workspace"
    command = [sys.executable, "-m", "recipe_core.cli", "app", str(SOURCE), "-w", str(place),
               "--port", str(free_port())]  # fmt: skip
    environment = clean_environment(PYTHONPATH=str(ROOT))
    with scan_ended(place), served(command, tmp_path, environment) as address:
        yield address, place
    for run in pipeline.runs(place):
        if run.live:
            pipeline.stop(place, run.id, now=True)


@pytest.fixture
def shot(page: Any) -> Callable[[str], None]:
    """Takes a screenshot of the station where a folder for them is named."""
    folder = os.environ.get("RECIPE_SHOTS")

    def take(name: str) -> None:
        if folder:
            page.wait_for_timeout(1500)
            page.screenshot(path=str(Path(folder) / f"{name}.png"))

    return take


def fill(page: Any, label: str, value: str) -> None:
    """Types a number into the form's field of this name, and sees it in the command."""
    field = page.get_by_role("spinbutton", name=label, exact=True)
    field.fill(value)
    field.press("Enter")
    said = f"--set {label.lower().replace(' ', '_')}={value}"
    expect(page.locator("code").last).to_contain_text(re.compile(rf"{said}(\s|$)"))


def view(page: Any, name: str) -> None:
    """Chooses a part of the overfit page."""
    page.get_by_test_id("stButtonGroup").get_by_text(name, exact=True).click()


def small(page: Any) -> None:
    """A net that two busy cores train in seconds."""
    page.get_by_role("combobox", name="Model").click()
    page.get_by_role("option", name="small_cnn").click()
    fill(page, "Image size", "32")


def look_for_wrong_labels(page: Any, site: str, place: Path) -> None:
    """Starts the run, sees it under way, and stops it."""
    page.goto(f"{site}/label-noise")
    page.get_by_role("button", name="Look for wrong labels").click()
    expect(page.get_by_role("progressbar").first).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("button", name="Stop").click()  # minutes on real photos: a run like any other
    expect(page.get_by_role("button", name="Look for wrong labels")).to_be_visible(
        timeout=PATIENCE_MS
    )
    assert [r.status for r in pipeline.runs(place) if r.kind == "noise"] == ["stopped"]


@pytest.mark.slow
def test_from_a_folder_of_photos_to_the_report(
    walked: tuple[str, Path], page: Any, shot: Callable[[str], None]
) -> None:
    site, place = walked
    page.set_default_timeout(PATIENCE_MS)

    page.goto(site)  # 1: become one with the data
    expect(page.get_by_role("heading", name="Worst first")).to_be_visible(timeout=PATIENCE_MS)
    shot("1-overview")

    page.goto(f"{site}/browse")
    cell = page.locator("[role=gridcell][aria-label]").first
    cell.wait_for()
    shot("2-browse")
    page.get_by_role("grid", name="Samples").focus()
    page.keyboard.press("Home")
    page.keyboard.press("x")
    expect(page.get_by_text("1 left out").first).to_be_visible(timeout=PATIENCE_MS)
    assert recipe.decided(place)["excluded"].to_pylist() == [True]

    page.goto(f"{site}/skeleton")  # 2: a skeleton one can trust
    small(page)
    page.get_by_role("combobox", name="Checks").fill("Loss at init")
    page.get_by_role("option", name="Loss at init").click()
    page.keyboard.press("Escape")
    expect(page.locator("code").last).to_contain_text("--check loss_at_init")  # else all are made
    page.get_by_role("button", name="Check the pipeline").click()
    card = page.locator(".st-key-card-loss_at_init")
    expect(card).to_contain_text("The first loss is", timeout=PATIENCE_MS)
    shot("3-skeleton")

    page.goto(f"{site}/overfit")  # 3: overfit, small
    expect(page.get_by_text("Regularization is off")).to_be_visible(timeout=PATIENCE_MS)
    small(page)
    fill(page, "Limit", "48")
    fill(page, "Epochs", "3")
    page.get_by_role("button", name="Train").click()
    verdict = page.locator(".st-key-overfit-verdict")
    expect(verdict).to_contain_text("48 training samples", timeout=PATIENCE_MS)
    shot("4-overfit")
    view(page, "Predictions")
    expect(page.get_by_text("Largest losses")).to_be_visible(timeout=PATIENCE_MS)
    view(page, "Samples")
    expect(page.get_by_text("Hardest now")).to_be_visible(timeout=PATIENCE_MS)
    shot("5-samples")
    (run,) = [r for r in pipeline.runs(place) if r.kind == "overfit"]
    assert (run.status, run.result["train_samples"]) == ("done", 48)
    known = recipe.samples(place, "training_loss IS NOT NULL")
    assert known.num_rows == 48

    look_for_wrong_labels(page, site, place)  # back to the data

    page.goto(f"{site}/report")  # to hand on
    report = page.frame_locator("iframe")
    expect(report.get_by_text("Can this model fit its training set?").first).to_be_visible(
        timeout=PATIENCE_MS
    )
    expect(report.get_by_text("loss at init", exact=False).first).to_be_attached()
    shot("6-report")
