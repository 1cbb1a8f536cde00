"""Which batch size fits? Tried in processes that may die of it, and do not take the run with them.

    python -m recipe_core.training.oom SPEC.json        one try: exit code 0 it fits, 3 it does not

Each try is a process of its own: after running out of memory a process is no longer what it was
(fragmented, half allocated), and on a CPU the kernel may kill it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recipe_core.kernel.progress import Progress, silent
from recipe_core.runs.job import Job
from recipe_core.training.config import RunConfig

FITS, TOO_LARGE = 0, 3
SECONDS_PER_TRY = 300.0
MOST_TRIES = 14
STEPS = 2
"""The second step is the first one with the optimizer's own state in memory."""


def probe(job: Job) -> None:
    """The entry of a run of kind `probe`: its result says which batch of the config fits.

    job.config  a RunConfig's JSON; batch_size is the largest that is tried
    """
    config = RunConfig.from_json(job.config)
    found = largest_batch(job.workspace, config.but(batch_size=2 * config.batch_size), job.progress)
    job.result({"batch_size": found, "tried_up_to": config.batch_size})


def largest_batch(
    workspace: Path, config: RunConfig, progress: Progress = silent,
    fits: Callable[[int], bool] | None = None,
) -> int | None:  # fmt: skip
    """The largest power of two below `config.batch_size` with which two steps fit; None without.

    fits  whether a batch size fits, by default tried in a process of its own
    """
    tried = fits or (lambda size: _fits(workspace, config.but(batch_size=size)))
    size = 1 << max(0, (config.batch_size - 1).bit_length() - 1)
    for attempt in range(MOST_TRIES):
        if size < 1:
            return None
        progress(f"trying a batch of {size}", attempt, 0)
        if tried(size):
            return size
        size //= 2
    return None


def _fits(workspace: Path, config: RunConfig) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder) / "try.json"
        spec.write_text(json.dumps({"workspace": str(workspace), "config": config.to_json()}))
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        try:
            done = subprocess.run(
                [sys.executable, "-m", "recipe_core.training.oom", str(spec)], env=environment,
                timeout=SECONDS_PER_TRY, check=False, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return False
    return done.returncode == FITS


def _try(spec: dict[str, Any]) -> int:
    """Two steps with batches of the configured size, samples repeated where there are too few."""
    import torch

    from recipe_core.training.bench import open_bench
    from recipe_core.training.devices import limit_memory, out_of_memory

    bench = open_bench(Path(spec["workspace"]), RunConfig.from_json(spec["config"]))
    limit_memory(bench.config.memory_limit_mb, bench.device)
    try:
        x, y, _ = bench.sample(min(bench.config.batch_size, 64), "train")
        where = torch.arange(bench.config.batch_size, device=bench.device) % len(y)
        batch = bench.move((x[where], y[where]))
        bench.steps(bench.model(), STEPS, batches=[batch])
    except Exception as e:
        if out_of_memory(e):
            return TOO_LARGE
        raise
    return FITS


if __name__ == "__main__":
    sys.exit(_try(json.loads(Path(sys.argv[1]).read_text())))
