"""Does the benchmark for GPUs say in one line that there is none, and end well?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_without_a_gpu_it_says_so() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "gpu_training.py")], capture_output=True,
        text=True, check=True, env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
    )  # fmt: skip
    assert done.stdout == (
        "No GPU: torch sees no CUDA device on this machine, so nothing was measured.\n"
    )
