"""Does a run live as a process of its own, and does everyone learn the truth about it?"""

from __future__ import annotations

from pathlib import Path

import pytest

from recipe_core import pipeline
from tests.runs.waiting import ended, under_way

COUNTS = "tests.runs.entries:counts"


@pytest.fixture(autouse=True)
def _allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECIPE_ENTRIES", "tests.runs")


def test_a_run_is_done_when_its_entry_returns(tmp_path: Path) -> None:
    run_id = pipeline.launch(tmp_path / "w", "train", COUNTS, {"n": 7}, "seven", "recipe count")
    run = ended(tmp_path / "w", run_id)
    assert (run.status, run.message, run.traceback) == ("done", "", "")
    assert (run.kind, run.title, run.command) == ("train", "seven", "recipe count")
    assert run.result == {"counted": 7} and run.config == {"n": 7}
    assert run.created <= run.started <= run.ended
    assert [r.id for r in pipeline.runs(tmp_path / "w")] == [run_id]
    loss, accuracy = pipeline.curves(tmp_path / "w", run_id)
    assert loss.values.tolist() == [1 / (i + 1) for i in range(7)]
    assert loss.epochs.tolist() == [i / 7 for i in range(7)]
    assert (accuracy.per, accuracy.steps.tolist()) == ("epoch", [6])


def test_stop_resume_delete_restore(tmp_path: Path) -> None:
    place = tmp_path / "w"
    run_id = pipeline.launch(place, "train", COUNTS, {"n": 10_000, "pause": 0.02})
    under_way(place, run_id)
    assert pipeline.stop(place, run_id).status == "stopped"
    pipeline.delete(place, run_id)
    assert pipeline.runs(place) == () and len(pipeline.runs(place, trash=True)) == 1
    pipeline.restore(place, run_id)
    pipeline.resume(place, run_id)
    assert under_way(place, run_id).attempt == 2
    assert pipeline.stop(place, run_id).status == "stopped"
