"""Does a probe that hangs, dies or raises cost that probe only, and is it told as what it is?"""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from recipe_core.kernel.check import Probe
from recipe_core.kernel.errors import Cancelled, Misuse
from recipe_core.kernel.progress import silent
from recipe_core.skeleton.bench_process import BenchProcess, about
from recipe_core.skeleton.probing import probed
from tests.skeleton.bench import PLAIN, bench_of

ROOT = Path(__file__).resolve().parents[2]
RAISES = (
    PLAIN
    + """
def evaluate(model, loader):
    return {"accuracy": undefined_name}
"""
)


def probe(name: str, seconds: float = 60.0) -> Probe:
    return Probe(name, 1, f"tests.skeleton.bad_probes:{name}", seconds)


def test_trouble_is_told_by_whose_fault_it_is(two: Path, tmp_path: Path) -> None:
    bench = bench_of(two, tmp_path, RAISES)
    whose = {name: probed(probe(name), bench).whose for name in ("fine", "ours", "theirs", "eat")}
    assert whose == {"fine": "", "ours": "recipe", "theirs": "task", "eat": "memory"}
    theirs = probed(probe("theirs"), bench)
    assert theirs.traceback.startswith("task.py:") and "undefined_name" in theirs.error
    assert 'return {"accuracy": undefined_name}' in theirs.traceback.splitlines()[0]
    assert probed(probe("nothing"), bench).missing == "build_model takes no width"


def test_the_facts_of_a_pipeline_are_those_of_its_file(two: Path, tmp_path: Path) -> None:
    facts = about(bench_of(two, tmp_path))
    assert facts["given"] == ["build_model", "build_optimizer", "build_transform"]
    assert (facts["num_classes"], facts["n_train"], facts["takes_width"]) == (2, 300, True)


def test_a_hang_and_a_crash_cost_one_process_each(
    two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    bench = BenchProcess(two, bench_of(two, tmp_path).config.to_json())
    try:
        first = bench.probe(probe("fine"), silent)
        assert bench.probe(probe("fine"), silent)["pid"] == first["pid"]
        hung = bench.probe(probe("hang", 1.0), silent)
        assert hung.whose == "time" and "no sign of life" in hung.error
        assert not psutil.pid_exists(first["pid"])
        died = bench.probe(probe("die"), silent)
        assert died.whose == "crash" and "SIGABRT" in died.error
        last = bench.probe(probe("fine"), silent)
        assert last["n"] == 300 and last["pid"] != first["pid"]

        def stop(activity: str, done: int, total: int) -> None:
            raise Cancelled("stop")

        with pytest.raises(Cancelled):
            bench.probe(probe("hang"), stop)
        assert not psutil.pid_exists(last["pid"])
    finally:
        bench.end()


def test_a_task_that_cannot_be_loaded_is_misuse_with_its_line(
    two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    config = bench_of(two, tmp_path).config
    Path(config.task).write_text("import torch\nx = 1 / 0\n")
    bench = BenchProcess(two, config.to_json())
    with pytest.raises(Misuse, match=r"task\.py:2"):
        bench.open(silent)
