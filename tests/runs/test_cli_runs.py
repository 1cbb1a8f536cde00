"""Does the command line say of runs what a person and a script need?"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from recipe_core import cli, pipeline
from tests.runs.waiting import ended, under_way

LONG = {"n": 100_000, "pause": 0.02}


@pytest.fixture(autouse=True)
def _allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECIPE_ENTRIES", "tests.runs")


def _say(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert cli.main(["runs", *words]) == code
    said = capsys.readouterr()
    return said.err if code else said.out


def test_the_life_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    w = ["-w", str(tmp_path)]
    assert "No run has been started" in _say(capsys, "list", *w)
    assert json.loads(_say(capsys, "list", *w, "--json")) == {"schema": 1, "runs": []}
    assert "No run has been started" in _say(capsys, "show", *w, code=2)
    run_id = pipeline.launch(
        tmp_path, "train", "tests.runs.entries:counts", LONG, "many steps", "recipe count"
    )
    under_way(tmp_path, run_id)
    assert "running" in _say(capsys, "list", *w) and "many steps" in _say(capsys, "list", *w)
    shown = _say(capsys, "show", *w)
    assert "counting" in shown and "recipe count" in shown
    assert "stop it first" in _say(capsys, "delete", *w, run_id, code=2)
    stopped = json.loads(_say(capsys, "stop", *w, run_id[-4:], "--json"))
    assert (stopped["schema"], stopped["run"]["status"]) == (1, "stopped")
    assert "last      loss = " in _say(capsys, "show", *w)
    _say(capsys, "delete", *w, run_id)
    assert json.loads(_say(capsys, "list", *w, "--json"))["runs"] == []
    (deleted,) = json.loads(_say(capsys, "list", "--trash", *w, "--json"))["runs"]
    assert deleted["id"] == run_id
    _say(capsys, "restore", *w, run_id)
    resumed = json.loads(_say(capsys, "resume", *w, "--json"))["run"]
    assert resumed["id"] == run_id and resumed["status"] == "running"
    os.kill(under_way(tmp_path, run_id).pid, signal.SIGKILL)
    ended(tmp_path, run_id)
    shown = json.loads(_say(capsys, "show", *w, "--json"))["run"]
    assert shown["status"] == "lost" and shown["attempt"] == 2 and 0 < shown["last"]["loss"] <= 1
    assert shown["config"] == LONG and shown["events"][0]["kind"] == "started"


def test_a_failed_run_shows_the_users_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = tmp_path / "mine.py"
    task.write_text("def train():\n    return [][3]\n")
    run_id = pipeline.launch(
        tmp_path / "w", "train", "tests.runs.entries:runs_the_users_file", {"task": str(task)}
    )
    ended(tmp_path / "w", run_id)
    lines = _say(capsys, "show", "-w", str(tmp_path / "w")).splitlines()
    assert "failed  IndexError: list index out of range (mine.py, line 2)" in lines[0]
    own = lines.index(f'File "{task}", line 2, in train')
    assert own < lines.index("The whole traceback:")


def test_names_that_fit_no_run_or_several(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = [pipeline.launch(tmp_path, "train", "tests.runs.entries:counts", {"n": 0}) for _ in "ab"]
    for run_id in ids:
        ended(tmp_path, run_id)
    w = ["-w", str(tmp_path)]
    assert ids[0] in _say(capsys, "show", *w, "nothing", code=2)
    twin = tmp_path / "runs" / f"twin{ids[0].removeprefix('train')}"
    twin.mkdir()
    (twin / "config.json").write_text((tmp_path / "runs" / ids[0] / "config.json").read_text())
    assert "fits several" in _say(capsys, "show", *w, ids[0][-4:], code=2)
    assert ids[0] in _say(capsys, "show", *w, ids[0])
