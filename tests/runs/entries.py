"""Which little training processes do the tests run?"""

from __future__ import annotations

import time

from recipe_core.runs.job import Job


def counts(job: Job) -> None:
    """Counts to `n`, `pause` seconds a step, and writes a curve."""
    n = job.config["n"]
    for step in range(n):
        job.progress("counting", step, n)
        job.log.scalars(step, {"loss": 1 / (step + 1)}, epoch=step / n)
        time.sleep(job.config.get("pause", 0))
    job.log.epoch(0, {"accuracy": 0.5})
    job.progress("counting", n, n)
    job.result({"counted": n})
