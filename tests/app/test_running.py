"""Is a run shown as it is, and the command as one would type it?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app import predictions, running
from recipe_core.runs.watching import Doing, Run


def a_run(**known: object) -> Run:
    given = {"id": "train-1", "kind": "train", "title": "t", "status": "done", "folder": Path()}
    return Run(**(given | known))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("result", "said"),
    [({}, "–"), ({"accuracy": 0.5}, "accuracy 50.0%"), ({"loss": 0.25}, "loss 0.25"),
     ({"accuracy": 0.5, "best": {"epoch": 3, "accuracy": 0.75}}, "accuracy 75.0%"),
     ({"accuracy": None, "loss": 1.0}, "loss 1"), ({"loss": float("nan")}, "–"),
     ({"accuracy": True}, "–"), ({"best": "x"}, "–"), ({"checks": []}, "–"),
     ({"checks": [{"verdict": v} for v in ("pass", "fail", "pass", "skipped")]}, "1 fail, 2 pass")],
)  # fmt: skip
def test_the_best_figure(result: dict[str, object], said: str) -> None:
    assert running.best_said(result) == said


@pytest.mark.parametrize(
    ("before", "after"),
    [("recipe overfit -w w", "recipe overfit -w w --set batch_size=8"),
     ("recipe x --set batch_size=64 --set lr=1", "recipe x --set lr=1 --set batch_size=8"),
     ("recipe overfit -w 'a b'", "recipe overfit -w 'a b' --set batch_size=8"),
     ("unclosed '", "unclosed '")],
)  # fmt: skip
def test_a_setting_in_a_command(before: str, after: str) -> None:
    assert running.with_setting(before, "batch_size", 8) == after


def test_the_bar_says_what_is_known() -> None:
    said = running.bar(Doing("training", 50, 200, 12.5, 75.0))
    assert "50 of 200" in said and "12 a second" in said and "1 min 15 s left" in said
    assert 'aria-valuenow="25"' in said
    assert "Starting" in running.bar(Doing())


def test_names_are_escaped() -> None:
    assert "<b>x" not in running.headline(a_run(kind="<b>x", device="<i>"))
    assert "<i>x" not in running.bar(Doing("<i>x", 1, 2))


def test_a_gpu_is_shown_before_the_processor() -> None:
    on_cpu = running.uses(a_run(resources={"memory_mb": 2048.0, "cpu_percent": 150.0}))
    assert [u[:2] for u in on_cpu] == [("Processor", "1.5 cores"), ("Memory", "2.0 GiB")]
    seen = {"memory_mb": 1.0, "cpu_percent": 1.0, "gpu_memory_mb": 4096.0, "gpu_percent": 97.0,
            "gpu_memory_total_mb": 81920.0}  # fmt: skip
    on_gpu = running.uses(a_run(resources=seen))
    assert [u[0] for u in on_gpu] == ["GPU memory", "GPU utilisation", "Memory"]
    assert on_gpu[0][1:] == ("4.0 GiB", "of 80.0 GiB")


# -- predictions --------------------------------------------------------------------------------


def write(folder: Path, **changes: object) -> None:
    said = np.zeros((3, 2, 2), np.float32)
    said[:, 0] = (0.9, 0.1)
    said[:2, 1], said[2, 1] = (0.6, 0.4), (0.2, 0.8)
    arrays = {"steps": np.array([0, 5, 9]), "probabilities": said, "rows": np.array([0, 1]),
              "targets": np.array([0, 1])} | changes  # fmt: skip
    np.savez(folder / predictions.FILE, **arrays)  # type: ignore[arg-type]


def test_jitter_counts_what_changed(tmp_path: Path) -> None:
    write(tmp_path)
    seen = predictions.read(tmp_path)
    assert seen is not None
    assert seen.jitter().tolist() == [0, 0, 0.5] and seen.right().tolist() == [0.5, 0.5, 1.0]


def test_the_grid_marks_what_changed(tmp_path: Path, workspace: Path) -> None:
    write(tmp_path)
    seen = predictions.read(tmp_path)
    assert seen is not None
    before, after = (predictions.grid(seen, i, ["<b>", "dog"]) for i in (1, 2))
    assert "r-moved" not in before and after.count("r-moved") == 1
    assert "before: &lt;b&gt;" in after and "<b>dog" not in after
    assert after.count("r-pass") == 2 and before.count("r-fail") == 1


@pytest.mark.parametrize("broken", [b"", b"no zip", None])
def test_half_a_file_is_no_file(tmp_path: Path, broken: bytes | None) -> None:
    if broken is not None:
        (tmp_path / predictions.FILE).write_bytes(broken)
    assert predictions.read(tmp_path) is None
    write(tmp_path, rows=np.array([0]))
    assert predictions.read(tmp_path) is None
