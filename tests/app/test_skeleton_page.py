"""Is an examination started, shown and judged again from the page, on a real pipeline?"""

from __future__ import annotations

import html
import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import examining, opened
from recipe_core import pipeline, recipe
from recipe_core.training.config import RunConfig
from tests.app.test_pages import drawn, said
from tests.runs.waiting import ended

QUICK = ["loss_function", "loss_at_init"]
SMALL = RunConfig(model="linear", image_size=8, batch_size=8)


@pytest.fixture(scope="module")
def examined(scanned: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which two checks of a tiny pipeline were really made."""
    place = tmp_path_factory.mktemp("examined") / "w"
    shutil.copytree(scanned, place)
    run = pipeline.start_sanity(place, SMALL, check_ids=QUICK, command="recipe sanity")
    assert ended(place, run, 120).status == "done"
    return place


@pytest.fixture
def place(examined: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("RECIPE_WORKSPACE", str(examined))
    yield examined


def test_before_the_first_examination(workspace: Path) -> None:
    test = drawn("skeleton")
    assert not test.exception and "A net with a bug often trains" in said(test)
    assert test.code[0].value == f"recipe sanity -w {workspace}"


def test_the_command_follows_the_form(workspace: Path) -> None:
    test = drawn("skeleton")
    test.number_input(key="examine-seed").set_value(7).run()
    test.selectbox(key="examine-model").set_value("small_cnn").run()
    test.multiselect(key="examine-checks").set_value(["loss_at_init"]).run()
    assert not test.exception
    wanted = "--seed 7 --check loss_at_init --set model=small_cnn"
    assert test.code[0].value == f"recipe sanity -w {workspace} {wanted}"


def test_the_commands_words_mean_the_configuration() -> None:
    config = SMALL.but(device="cpu", seed=3, per_sample=True, lr=0.001)
    words = examining.command(config, ["metrics"])
    settings = [w for flag, w in itertools.pairwise(words) if flag == "--set"]
    assert RunConfig.from_words(settings).but(device="cpu", seed=3) == config


def test_cards_with_value_and_expectation(place: Path) -> None:
    test = drawn("skeleton", check="Loss at init")
    assert not test.exception
    finding = opened.reported("loss_at_init")
    assert finding is not None and finding.expected
    markup = html.unescape(said(test))
    assert finding.summary in markup and finding.expected in markup


def test_a_passing_check_is_folded_until_asked_for(place: Path) -> None:
    test = drawn("skeleton")
    assert not test.exception
    finding = opened.reported("loss_function")
    assert finding is not None and finding.verdict == "pass"
    assert "Made-up predictions" not in said(test)
    test.toggle(key="unfolded-loss_function").set_value(True).run()
    assert not test.exception and "Made-up predictions" in said(test)


def test_a_slider_judges_again_without_a_net(place: Path) -> None:
    check = opened.checks()["loss_at_init"]
    test = drawn("skeleton", check="Loss at init")
    setting = next(s for s in check.settings if any(
        w.key == f"set:{check.id}:{s.name}" for w in test.slider))  # fmt: skip
    slider = test.slider(key=f"set:{check.id}:{setting.name}")
    slider.set_value(type(slider.value)(setting.low)).run()
    assert not test.exception
    moved = test.session_state["thresholds"][check.id]
    assert pipeline.judge_sanity(place, check.id, moved).summary in html.unescape(said(test))
    assert "The report says" in said(test)


def test_the_overview_shows_what_was_examined(place: Path) -> None:
    markup = said(drawn("overview"))
    assert '<a href="skeleton?check=Loss%20function" target="_self">' in markup
    assert '<a href="human_baseline" target="_self">' in markup


def test_findings_about_other_data_are_stale(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = examining.latest()
    assert run is not None and examining.stale(run) == ""
    monkeypatch.setattr(pipeline, "sanity_key", lambda *_: "another")
    assert "Check again" in examining.stale(run)
    assert "Check again" in said(drawn("skeleton"))
    assert "stale" in said(drawn("overview"))


def test_a_task_that_cannot_be_loaded_is_told_first(
    scanned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(scanned, tmp_path / "w")
    monkeypatch.setenv("RECIPE_WORKSPACE", str(tmp_path / "w"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("def build_model(num_classes):\n    pass\n\n1 / 0\n")
    test = drawn("skeleton")
    test.segmented_control(key="examine-way").set_value("file").run()
    test.selectbox(key="examine-task").set_value("mine.py").run()
    assert not test.exception and "--task" in test.code[0].value
    test.button(key="examine-go").click().run()
    run = examining.latest()
    assert run is not None and run.config["run"]["task"] == str(tmp_path / "mine.py")
    state = ended(tmp_path / "w", run.id, 120)
    assert state.status == "failed"
    test = drawn("skeleton")
    assert not test.exception and "r-problem" in said(test)
    assert "mine.py" in said(test) or "mine.py" in test.code[0].value


@pytest.mark.parametrize("kind", ["html", "md", "json"])
def test_the_report_holds_what_was_examined(place: Path, scanned: Path, kind: str) -> None:
    finding = opened.reported("loss_at_init")
    assert finding is not None
    told = html.unescape(pipeline.report_bytes(place, kind).decode())
    assert finding.summary in told.replace("\\", "")
    assert "loss_at_init" not in pipeline.report_bytes(scanned, kind).decode()
    assert pipeline.report_bytes(scanned, kind) == recipe.report_bytes(scanned, kind)
