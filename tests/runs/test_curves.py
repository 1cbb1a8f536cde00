"""Do few points of a long curve still show what happened, and does a reader see each row once?"""

from __future__ import annotations

import json
import math
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from recipe_core.kernel.errors import WorkspaceError
from recipe_core.runs.curves import curves, events, last_values
from recipe_core.runs.folder import RunFolder
from recipe_core.runs.log import RunLog
from recipe_core.runs.watching import log_tail


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def _logged(folder: RunFolder, values: np.ndarray, start: int = 0) -> None:
    log = RunLog(folder)
    for step, value in enumerate(values, start):
        log.scalars(step, {"loss": value}, epoch=step / 100)
    log.close()


@pytest.mark.parametrize("most", [50, 300, 3000])
def test_thinning_keeps_every_spike_both_ends_and_nan(folder: RunFolder, most: int) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=20_000)
    values[7_777], values[12_345], values[15_000] = 100.0, -100.0, np.nan
    values[3] = np.inf
    _logged(folder, values)
    (curve,) = curves(folder, most=most)
    assert len(curve) <= most and (np.diff(curve.steps) > 0).all()
    assert {0, 3, 7_777, 12_345, 15_000, 19_999} <= set(curve.steps.tolist())
    expected = values[curve.steps]
    assert np.array_equal(curve.values, expected, equal_nan=True)
    assert np.allclose(curve.epochs, curve.steps / 100)
    # what a plot of it covers: the lowest and highest of every stretch
    width = math.ceil(20_000 / ((most - 2) // 3))
    for start in range(0, 20_000, width):
        stretch = values[start : start + width]
        kept = curve.values[(curve.steps >= start) & (curve.steps < start + width)]
        assert np.nanmin(stretch) in kept and np.nanmax(stretch) in kept


def test_few_points_are_all_there(folder: RunFolder) -> None:
    values = np.random.default_rng(1).normal(size=3000)
    _logged(folder, values)
    assert np.array_equal(curves(folder)[0].values, values)


def test_sparse_steps_are_thinned_too(folder: RunFolder) -> None:
    """Steps far apart: stretches are of steps, of which most hold nothing."""
    log = RunLog(folder)
    for step in [*range(100), *range(10**9, 10**9 + 100)]:
        log.scalars(step, {"loss": step})
    log.close()
    (curve,) = curves(folder, most=30)
    assert len(curve) <= 30 and curve.steps[0] == 0 and curve.steps[-1] == 10**9 + 99


def test_reading_on_gives_each_row_once(folder: RunFolder) -> None:
    values = np.arange(1000.0)
    log = RunLog(folder)
    seen: list[float] = []
    after = None
    for step, value in enumerate(values):
        log.scalars(step, {"loss": value, "rate": -value})
        if step % 100 == 99:
            log.epoch(step // 100, {"accuracy": value})
        if step % 150 == 0:
            log.flush()
            loss = next(c for c in curves(folder, after=after) if c.name == "loss")
            seen += loss.values.tolist()
            after = int(loss.steps[-1])
    log.close()
    rest = curves(folder, after=after)
    assert [c.name for c in rest] == ["loss", "rate", "accuracy"]
    assert seen + rest[0].values.tolist() == values.tolist()
    assert rest[2].steps.tolist() == [999]  # of the epochs only the one after the last step seen
    assert [c.name for c in curves(folder, ["rate"])] == ["rate"]
    assert last_values(folder) == {"loss": 999.0, "rate": -999.0, "accuracy": 999.0}


def test_rewinding_forgets_what_is_measured_again(folder: RunFolder) -> None:
    log = RunLog(folder)
    for step in range(10):
        log.scalars(step, {"loss": step})
    log.epoch(0, {"accuracy": 0.1}, step=4)
    log.epoch(1, {"accuracy": 0.2}, step=9)
    log.rewind(5)
    log.scalars(6, {"loss": -6})
    log.close()
    loss, accuracy = curves(folder)
    assert loss.values.tolist() == [0, 1, 2, 3, 4, 5, -6] and accuracy.values.tolist() == [0.1]


def test_a_database_that_was_never_closed_is_read_without_being_written(folder: RunFolder) -> None:
    """As a `kill -9` leaves it: the points are in the WAL file."""
    log = RunLog(folder)
    log.scalars(0, {"loss": 1.5})
    log.flush()
    copy = RunFolder(folder.path / "copy")
    copy.path.mkdir()
    for name in ("run.db", "run.db-wal"):
        (copy.path / name).write_bytes((folder.path / name).read_bytes())
    assert curves(copy)[0].values.tolist() == [1.5]
    log.close()
    assert not (folder.path / "run.db-wal").exists()
    assert curves(folder)[0].values.tolist() == [1.5]


def test_a_run_without_a_word_has_no_curves(folder: RunFolder) -> None:
    assert curves(folder) == () and events(folder) == [] and last_values(folder) == {}
    assert log_tail(folder) == ""


def test_a_failed_write_is_told_once_and_nothing_is_lost_when_it_ends(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real writer holds the database longer than this log waits for it."""
    monkeypatch.setattr("recipe_core.runs.log.BUSY_SECONDS", 0.05)
    log = RunLog(folder, every_s=600)
    other = sqlite3.connect(folder.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    log.scalars(0, {"loss": 0.0})
    with pytest.raises(WorkspaceError, match="locked"):
        log.flush()
    with pytest.raises(WorkspaceError, match="locked"):
        log.scalars(1, {"loss": 1.0})
    other.execute("ROLLBACK")
    other.close()
    log.flush()
    log.scalars(2, {"loss": 2.0, "new": 1.0})
    log.close()
    assert curves(folder)[0].steps.tolist() == [0, 2]


def test_values_are_copied_when_they_are_logged(folder: RunFolder) -> None:
    log, values = RunLog(folder), {"loss": 1.0}
    log.scalars(0, values)
    values["loss"] = 2.0
    log.close()
    assert curves(folder)[0].values.tolist() == [1.0]


def test_events_are_read_on(folder: RunFolder) -> None:
    log = RunLog(folder)
    log.event("note", "ä </script>", numbers=np.arange(2), bad=float("nan"))
    log.event("second", "two")
    log.close()
    with folder.events.open("a") as file:
        file.write('{"kind": "half')
    first, second = events(folder)
    assert first["text"] == "ä </script>" and first["data"] == {"numbers": [0, 1], "bad": None}
    assert events(folder, after=1) == [second] and second["kind"] == "second"
    assert json.dumps(first)


def test_the_tail_of_a_log_shows_the_last_state_of_a_bar(folder: RunFolder) -> None:
    folder.stdout.write_bytes(b"x" * 10_000 + b"\n" + b"  0%\r 50%\r100%\r\n\xff done\n")
    assert log_tail(folder, 100) == "100%\n\ufffd done\n"
