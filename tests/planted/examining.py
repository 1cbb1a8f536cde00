"""What do the checks say of a planted pipeline? In this process: no battery, no time limits."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from recipe_core import recipe
from recipe_core.kernel.check import Check
from recipe_core.kernel.nouns import Finding
from recipe_core.kernel.readings import Readings
from tests.planted.catalogue import PlantedTask
from tests.planted.task_data import folder_of

BATCH = 32


def workspace_of(data: str, below: Path) -> Path:
    """The scanned workspace of a data set of the suite, made once below the folder."""
    place = below / f"{data}.recipe"
    ready = below / f"{data}.ready"
    if not ready.exists():
        recipe.scan(folder_of(data, below), place, engine="here", check_ids=["corruption"])
        ready.touch()
    return place


def examined(task: PlantedTask, checks: Iterable[Check], below: Path) -> dict[str, Finding]:
    """Check id -> finding, each probe run once, in the order of the battery."""
    import torch

    from recipe_core.skeleton.bench_process import about
    from recipe_core.skeleton.order import all_judged, ordered, probes_of
    from recipe_core.skeleton.probing import probed
    from recipe_core.training.bench import open_bench
    from recipe_core.training.config import RunConfig

    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    config = RunConfig(task=str(task.path), batch_size=BATCH, image_size=32, device="cpu")
    bench = open_bench(workspace_of(task.data, below), config)
    made = ordered(checks)
    read = {}
    for probe in probes_of(made):
        read[probe.name] = probed(probe, bench)
        torch.set_grad_enabled(True)  # what one task leaves switched must not reach the next
    return {f.check: f for f in all_judged(made, Readings(read, about(bench)), {})}
