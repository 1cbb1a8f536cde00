"""Can one name pictures by keys, check a pipeline, and watch and stop a run, in a real browser?"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app import opened
from recipe_core import pipeline
from recipe_core.skeleton import labelling
from tests.app.making import HOSTILE_CLASS
from tests.browser.conftest import app_on
from tests.browser.test_app import expect
from tests.runs.waiting import ended, under_way

PATIENCE_MS = 120_000


@pytest.fixture(scope="module")
def place(scanned: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the scanned workspace in which runs may be started; none outlives the module."""
    copy = tmp_path_factory.mktemp("training") / "w"
    shutil.copytree(scanned, copy)
    yield copy
    for run in pipeline.runs(copy):
        if run.live:
            pipeline.stop(copy, run.id, now=True)


@pytest.fixture(scope="module")
def training_site(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app on that workspace."""
    with app_on(place, tmp_path_factory.mktemp("training-site")) as address:
        yield address


# -- human baseline -----------------------------------------------------------------------------


def answered(place: Path, number: int = 1) -> list[str]:
    log = labelling.answers(place)
    latest = log.latest()
    return [a.name for a in log.answered(latest.id, number)] if latest else []


def test_pictures_are_named_by_keys_and_it_goes_on_after_the_tab_was_closed(
    training_site: str, page: Any, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.goto(f"{training_site}/human_baseline")
    page.get_by_label("Who labels first").fill("Anna")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Begin", exact=True).click()
    frame, count = page.locator(".frame img"), page.locator(".count")
    frame.wait_for()
    total = int(re.findall(r"\d+", count.inner_text())[1])
    first = frame.get_attribute("src")
    page.keyboard.press("2")
    expect(count).to_have_text(f"1 of {total} answered")
    assert frame.get_attribute("src") != first
    page.keyboard.press("1")
    page.keyboard.press("Space")
    page.keyboard.press("x")  # no class has this key
    expect(page.locator(".saved")).to_have_text("Every answer is stored")
    assert answered(place) == ["dog", HOSTILE_CLASS, ""]
    page.keyboard.press("Backspace")
    expect(count).to_have_text(f"2 of {total} answered")
    shown = frame.get_attribute("src")
    expect(page.locator(".saved")).to_have_text("Every answer is stored")

    page.goto("about:blank")
    page.goto(f"{training_site}/human_baseline")
    expect(count).to_have_text(f"2 of {total} answered")
    assert frame.get_attribute("src") == shown, "not where it was left"
    monkeypatch.setenv("RECIPE_WORKSPACE", str(place))
    labels = opened.evidence().texts("label")
    for _ in range(total - 2):
        row = int(re.search(r"/(\d+)/0$", frame.get_attribute("src") or "")[1])  # type: ignore[index]
        page.keyboard.press("1" if labels[row] == HOSTILE_CLASS else "2")
    page.get_by_text("The first pass is done").wait_for()
    assert len(answered(place)) == total
    page.get_by_role("button", name="Begin the second pass").click()
    page.get_by_label("Who labels", exact=True).fill("Berta")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Begin", exact=True).click()
    expect(count).to_have_text(f"0 of {total} answered")
    for _ in range(total):
        page.keyboard.press("2")
    page.get_by_text("Cohen's kappa").wait_for()
    assert answered(place, 2) == ["dog"] * total
    page.get_by_role("button", name=re.compile("dog, dog: ")).click()
    page.get_by_text("labelled dog, called dog").wait_for()


# -- a run ---------------------------------------------------------------------------------------


def start(place: Path, monkeypatch: pytest.MonkeyPatch, **config: Any) -> str:
    monkeypatch.setenv("RECIPE_ENTRIES", "tests.runs")
    return pipeline.launch(place, "train", "tests.runs.entries:counts", config,
                           "<img src=x onerror=document.title='hacked'>")  # fmt: skip


def test_a_run_is_followed_in_two_tabs_and_stopped_in_one(
    training_site: str, page: Any, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start(place, monkeypatch, n=100_000, pause=0.05)
    under_way(place, run)
    page.goto(f"{training_site}/runs")
    page.get_by_text("Click a line to open it").wait_for()
    page.goto(f"{training_site}/runs?run={run}")
    fact = page.get_by_text(re.compile(r"^[\d,]+ of 100,000")).first
    fact.wait_for()
    behind = []
    for _ in range(8):
        shown = int(fact.inner_text().partition(" of")[0].replace(",", ""))
        behind.append((pipeline.run(place, run).progress.done - shown) * 0.05)
        page.wait_for_timeout(300)
    assert min(behind) <= 2.0 and len({*behind}) > 1, behind
    page.locator("canvas").first.wait_for()

    other = page.context.new_page()
    other.goto(f"{training_site}/runs?run={run}&view=log")
    other.get_by_text("attempt 1 started").wait_for()
    page.reload()
    fact.wait_for()
    page.get_by_role("button", name="Stop").click()
    assert ended(place, run).status == "stopped"
    for tab in (page, other):
        tab.get_by_role("button", name="Resume").wait_for()
        assert tab.title() != "hacked"
    looks: list[str] = []
    page.on("websocket", lambda s: looks.append(s.url))
    page.get_by_role("button", name="All runs").click()
    page.get_by_text("Click a line to open it").wait_for()
    other.close()


def test_a_deleted_run_comes_back(
    training_site: str, page: Any, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start(place, monkeypatch, n=3)
    ended(place, run)
    page.goto(f"{training_site}/runs?run={run}")
    page.get_by_role("button", name="Delete").click()
    page.get_by_text("1 run deleted").wait_for()
    assert run not in {r.id for r in pipeline.runs(place)}
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("1 run deleted")).to_have_count(0)
    assert run in {r.id for r in pipeline.runs(place)}


# -- the skeleton --------------------------------------------------------------------------------


def test_a_pipeline_is_checked_from_the_page(training_site: str, page: Any, place: Path) -> None:
    page.goto(f"{training_site}/skeleton")
    page.get_by_text("A net with a bug often trains").wait_for()
    page.get_by_role("spinbutton", name="Image size").fill("8")
    page.keyboard.press("Tab")
    page.get_by_role("combobox", name="Model").click()
    page.get_by_role("option", name="linear").click()
    code = page.locator("code").first
    page.get_by_role("combobox", name="Checks").fill("Loss function")
    page.keyboard.press("Enter")
    expect(code).to_contain_text("--check loss_function")
    page.keyboard.press("Escape")
    expect(code).to_contain_text("--set model=linear --set image_size=8")
    page.get_by_role("button", name="Check the pipeline").click()
    page.get_by_role("progressbar").first.wait_for()
    page.reload()
    card = page.locator(".st-key-card-loss_function")
    card.wait_for(timeout=PATIENCE_MS)
    expect(card).to_contain_text("Pass")
    card.get_by_text("Evidence and thresholds").click()
    expect(card.locator(".r-against")).to_contain_text("cross-entropy")
