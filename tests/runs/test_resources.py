"""Is what a run is said to use what it uses?"""

from __future__ import annotations

import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from recipe_core.runs import resources
from tests.runs.waiting import until


def test_memory_and_processor_of_the_whole_family() -> None:
    look = resources.watcher("")
    before = look()
    code = "x = b'a' * (80 * 2**20)\nprint(flush=True)\nwhile True: pass"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        child.stdout.readline()
        with child.stdout:
            look()
            time.sleep(0.2)

            def grown() -> bool:
                now = look()
                more = now["memory_mb"] - before["memory_mb"]
                assert now["processes"] == before["processes"] + 1
                return bool(75 < more < 250 and now["cpu_percent"] > 5)

            until(grown, 10)
    finally:
        child.kill()
        child.wait()
    assert look()["processes"] == before["processes"]
    assert 0 < before["machine_used_mb"] < before["machine_mb"]


@pytest.mark.parametrize("device", ["", "mps", "cuda:0", "cuda:GPU-none"])
def test_without_a_driver_there_is_no_word_of_a_gpu(device: str) -> None:
    pynvml = pytest.importorskip("pynvml")
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        assert not [k for k in resources.watcher(device)() if k.startswith("gpu")]
    else:
        pytest.skip("there is a driver")


@pytest.mark.gpu
def test_a_gpu_says_what_it_holds() -> None:
    pynvml = pytest.importorskip("pynvml")
    pynvml.nvmlInit()
    seen = SimpleNamespace(**resources.watcher("cuda:0")())
    memory = pynvml.nvmlDeviceGetMemoryInfo(pynvml.nvmlDeviceGetHandleByIndex(0))
    assert seen.gpu_memory_total_mb == pytest.approx(memory.total / 2**20, abs=1)
    assert 0 <= seen.gpu_percent <= 100
