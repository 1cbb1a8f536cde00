"""Is what a run is said to use what it uses?"""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from recipe_core.runs import resources

# In an interpreter of its own: a test worker may still have children of earlier tests.
FAMILY = """
import json, subprocess, sys, time
from recipe_core.runs import resources

look = resources.watcher("")
seen = [look()]
busy = "x = b'a' * (80 * 2**20); print(flush=True)\\nwhile True: pass"
with subprocess.Popen([sys.executable, "-c", busy], stdout=subprocess.PIPE) as child:
    child.stdout.readline()
    look()
    time.sleep(0.5)
    seen.append(look())
    child.kill()
seen.append(look())
print(json.dumps(seen))
"""


def test_memory_and_processor_of_the_whole_family() -> None:
    said = subprocess.run(
        [sys.executable, "-c", FAMILY], capture_output=True, text=True, check=True
    )
    before, during, after = (SimpleNamespace(**look) for look in json.loads(said.stdout))
    assert [before.processes, during.processes, after.processes] == [1, 2, 1]
    assert 75 < during.memory_mb - before.memory_mb < 250
    assert during.cpu_percent > 5
    assert 0 < before.machine_used_mb < before.machine_mb


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
