"""A training whose batch takes memory, and which can say what fits."""

from __future__ import annotations

import numpy as np

from recipe_core.runs.job import Job

MEGABYTES_A_SAMPLE = 4


def trains(job: Job) -> None:
    """Three small batches, then one as large as asked."""
    for step in range(6):
        job.progress("training", step, 6)
        job.log.scalars(step, {"loss": 1.0 / (step + 1)})
        _batch(job.config["batch_size"] if step >= 3 else 1)


def _batch(n: int) -> None:
    np.ones((n, MEGABYTES_A_SAMPLE, 2**17)).sum()


def largest_batch(job: Job) -> int:
    """The largest power of two below the config's that fits, 0 where none does."""
    n = int(job.config["batch_size"])
    while n:
        try:
            _batch(n)
            return n
        except MemoryError:
            n //= 2
    return 0
