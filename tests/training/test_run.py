"""Does the entry of a training run do what its job asks, and say what it did?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from recipe_core.kernel.errors import Cancelled
from recipe_core.runs import job as jobs
from recipe_core.training import oom
from recipe_core.training.run import largest_batch, run
from tests.training.conftest import SMALL


def events(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def test_a_run_trains_and_leaves_its_result(digits: Path, tmp_path: Path) -> None:
    folder = digits / "runs" / tmp_path.name
    with jobs.opened(folder, SMALL.to_json()) as job:
        run(job)
    found = json.loads((folder / "result.json").read_text())
    assert found["steps"] == 12 and 0 <= found["accuracy"] <= 1
    assert found["splits"] == ["train", "test"]
    start = next(e for e in events(folder) if e["kind"] == "start")
    assert "44 training samples (train), 1" in str(start["text"]) and "cpu" in str(start["text"])


def test_a_stop_that_was_asked_for_ends_it_and_resuming_finishes(
    digits: Path, tmp_path: Path
) -> None:
    folder = digits / "runs" / tmp_path.name
    folder.mkdir(parents=True)
    with jobs.opened(folder, SMALL.to_json()) as job:
        job._files.stop.touch()
        with pytest.raises(Cancelled):
            run(job)
        job._files.stop.unlink()
    with jobs.opened(folder, SMALL.to_json(), attempt=2) as job:
        run(job)
    assert json.loads((folder / "result.json").read_text())["steps"] == 12


def test_the_small_stem_is_said(digits: Path, tmp_path: Path) -> None:
    config = SMALL.but(model="resnet18", width=0.05, steps=1, image_size=16)
    folder = digits / "runs" / tmp_path.name
    with jobs.opened(folder, config.to_json()) as job:
        run(job)
    said = " ".join(str(e["text"]) for e in events(folder))
    assert "3x3 convolution with stride 1 and no max pool" in said and "stem=standard" in said


# -- memory -------------------------------------------------------------------------------------


def test_the_search_goes_down_by_halves() -> None:
    tried: list[int] = []

    def fits(size: int) -> bool:
        tried.append(size)
        return size <= 40

    assert oom.largest_batch(Path("w"), SMALL.but(batch_size=300), fits=fits) == 32
    assert tried == [256, 128, 64, 32]
    assert oom.largest_batch(Path("w"), SMALL.but(batch_size=4), fits=lambda size: False) is None


@pytest.mark.slow
def test_a_batch_size_that_fits_is_found_in_other_processes(digits: Path, tmp_path: Path) -> None:
    """256 pictures of 64 px and their maps do not fit; each size that is tried takes a process."""
    config = SMALL.but(width=1.0, batch_size=512, limit=64, image_size=64, memory_limit_mb=150)
    folder = digits / "runs" / tmp_path.name
    with jobs.opened(folder, config.to_json()) as job:
        found = largest_batch(job)
    assert found is not None and 1 <= found < 256
