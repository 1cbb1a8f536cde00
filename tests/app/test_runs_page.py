"""Does the page show real runs as they are, and do its buttons do what they say?"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recipe_core import pipeline
from tests.app.test_pages import drawn, said
from tests.runs.waiting import ended, under_way, until

ENTRIES = "tests.runs.entries"


@pytest.fixture
def place(scanned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the scanned workspace in which runs may be started; none outlives the test."""
    shutil.copytree(scanned, tmp_path / "w")
    monkeypatch.setenv("RECIPE_WORKSPACE", str(tmp_path / "w"))
    monkeypatch.setenv("RECIPE_ENTRIES", "tests.runs")
    yield tmp_path / "w"
    for run in pipeline.runs(tmp_path / "w"):
        if run.live:
            pipeline.stop(tmp_path / "w", run.id, now=True)


def start(place: Path, entry: str = "counts", title: str = "a run", **config: Any) -> str:
    return pipeline.launch(place, "train", f"{ENTRIES}:{entry}", {"n": 20, **config}, title,
                           "recipe overfit --set n=20")  # fmt: skip


def test_before_the_first_run(place: Path) -> None:
    test = drawn("runs")
    assert not test.exception and "Every training process appears here" in said(test)


def test_a_run_that_ended(place: Path) -> None:
    run = start(place, title="<b>bold</b> & ![x](http:)")
    ended(place, run)
    ledger = drawn("runs")
    assert not ledger.exception
    row = ledger.dataframe[0].value.iloc[0]
    assert row["Status"] == "✓ Done" and row["Title"].startswith("<b>bold") and row["Progress"] == 1
    for view in ("curves", "predictions", "log", "settings"):
        test = drawn("runs", run=run, view=view)
        assert not test.exception, view
        assert "<b>bold" not in said(test)
    assert "Done" in said(test) and test.code[0].value == "recipe overfit --set n=20"


def test_stop_resume_star_delete_and_undo(place: Path) -> None:
    run = start(place, n=10**6, pause=0.01)
    under_way(place, run)
    test = drawn("runs", run=run)
    assert not test.exception and "Running" in said(test)
    test.button(key="run-stop").click().run()
    assert ended(place, run).status == "stopped"
    test = drawn("runs", run=run)
    test.button(key="run-resume").click().run()
    until(lambda: pipeline.run(place, run).live)
    pipeline.stop(place, run)
    test = drawn("runs", run=run)
    test.button(key="run-star").click().run()
    assert pipeline.starred(pipeline.run(place, run))
    test.button(key="run-delete").click().run()
    assert pipeline.runs(place) == () and "1 run deleted" in said(test)
    test.button(key="runs-restore").click().run()
    assert [r.id for r in pipeline.runs(place)] == [run]
    assert pipeline.starred(pipeline.run(place, run))


def test_a_failure_shows_the_traceback_first(place: Path) -> None:
    task = place.parent / "my_model.py"
    task.write_text("def train():\n    raise ValueError('my own fault')\n")
    run = start(place, entry="runs_the_users_file", task=str(task))
    state = ended(place, run)
    assert state.status == "failed"
    test = drawn("runs", run=run)
    assert not test.exception and "r-problem" in said(test)
    assert test.code[0].value == state.traceback.strip()
    assert "my_model.py" in test.code[0].value.partition("The whole traceback")[0]


def test_out_of_memory_offers_a_smaller_batch(place: Path) -> None:
    run = start(place, entry="allocates", batch_size=64, memory_limit_mb=300)
    assert ended(place, run).status == "oom"
    test = drawn("runs", run=run)
    assert not test.exception
    test.button(key="run-smaller").click().run()
    fresh = next(r for r in pipeline.runs(place) if r.id != run)
    assert fresh.config["batch_size"] < 64 and fresh.config["base"] == run
    assert fresh.command.endswith(f"--set batch_size={fresh.config['batch_size']}")


def test_a_run_that_is_not_there_and_one_of_another_folder(place: Path) -> None:
    for name in ("train-20200101-000000-abcd", "../../etc", "<img src=x>"):
        test = drawn("runs", run=name)
        assert not test.exception and "There is no run" in said(test)
        assert "<img" not in said(test)


def test_the_filter_a_note_and_runs_that_belong_together(place: Path) -> None:
    first, second, again = (
        start(place, title=title, lr=lr, seed=seed)
        for title, lr, seed in (
            ("apple, seed 0", 0.1, 0), ("pear", 0.1, 0), ("apple, seed 1", 0.1, 1)
        )
    )  # fmt: skip
    for run in (first, second, again):
        ended(place, run)
    test = drawn("runs", run=second)
    test.text_area(key=f"run-note-{second}").set_value("too <b>sweet</b>").run()
    assert pipeline.noted(pipeline.run(place, second)) == "too <b>sweet</b>"
    test = drawn("runs")
    test.text_input(key="runs-text").set_value("SWEET").run()
    assert test.dataframe[0].value["Title"].tolist() == ["pear"]
    assert test.dataframe[0].value["Note"].tolist() == ["too <b>sweet</b>"]
    test.text_input(key="runs-text").set_value("").run()
    test.selectbox(key="runs-by").set_value("setting").run()
    assert not test.exception
    # the seed makes no setting of its own, and here the title none either
    assert test.dataframe[0].value["Runs"].tolist() == [3]
    test.text_input(key="runs-text").set_value("apple").run()
    lines = test.dataframe[0].value
    assert lines["Group"].tolist() == ["apple"] and lines["Runs"].tolist() == [2]
    assert len(test.dataframe[1].value) == 2
    test.selectbox(key="runs-by").set_value("apart").run()
    test.text_input(key="runs-text").set_value("PEAR").run()
    assert test.dataframe[0].value["Title"].tolist() == ["pear"]
    test.toggle(key="runs-starred").set_value(True).run()
    assert "No run fits" in said(test)
