"""What does a training process do? The entry of a run of kind `train`."""

from __future__ import annotations

from typing import Any

from recipe_core.runs.job import Job
from recipe_core.training import oom
from recipe_core.training.bench import Bench
from recipe_core.training.config import RunConfig
from recipe_core.training.devices import limit_memory
from recipe_core.training.images import open_images
from recipe_core.training.leading import led
from recipe_core.training.loop import train
from recipe_core.training.models import stem_stride
from recipe_core.training.recorders import Log
from recipe_core.training.task import load_task

ENTRY = "recipe_core.training.run:run"


def run(job: Job) -> None:
    """Opens the images, loads the task, trains; `job.config` is a RunConfig's JSON.

    Raises as `prepared` and `loop.train` do.
    """
    bench = prepared(job)
    job.result(trained(bench, job))


def prepared(job: Job) -> Bench:
    """The bench of a job, told to its log: images opened, task loaded, memory limited.

    Raises as `task.load_task` and `images.open_images` do.
    """
    config = RunConfig.from_json(job.config)
    images = open_images(job.workspace, config, job.progress)
    bench = Bench(load_task(config.task, images, config), config, images)
    limit_memory(config.memory_limit_mb, bench.device)
    _say(job.log, bench)
    return bench


def trained(bench: Bench, job: Job) -> dict[str, Any]:
    """Trains as the job wants it; the numbers of the run. Raises as `loop.train` does."""
    with led(
        bench, job.workspace, job.folder, job.log, resume=job.resuming, progress=job.progress
    ) as team:
        found = train(
            bench, job.folder, job.log, stop_asked=job.stop_asked, progress=job.progress,
            resume=job.resuming, team=team,
        )  # fmt: skip
    for sentence in bench.task.said:
        job.log.event("note", sentence)
    return found


def _say(log: Log, bench: Bench) -> None:
    """What a reader of the log should know before the first step."""
    images = bench.images
    n, k = len(images.train), len(images.eval)
    log.event(
        "start",
        f"{bench.config.model if not bench.config.task else bench.config.task} on "
        f"{bench.place.describe()}: {n:,} training samples ({images.splits[0]}), {k:,} to evaluate "
        f"on ({images.splits[1]}), {images.num_classes} classes.",
    )
    for sentence in (*images.notes, *_about_the_stem(bench)):
        log.event("note", sentence)


def _about_the_stem(bench: Bench) -> list[str]:
    config = bench.config
    own = "build_model" in bench.task.given
    stride = 0 if own or not config.model.startswith("resnet") else stem_stride(config)
    if not stride:
        return []
    return [
        f"The stem is a 3x3 convolution with stride {stride} and no max pool, for pictures of "
        f"{config.image_size} px; --set stem=standard takes the 7x7 one."
    ]


def largest_batch(job: Job) -> int | None:
    """A batch size that fits where this run died of memory; None where none does."""
    config = RunConfig.from_json(job.config)
    return oom.largest_batch(job.workspace, config, job.progress)
