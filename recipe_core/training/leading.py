"""Who starts the other processes of a training run, and what becomes of it when one dies?

    with led(bench, workspace, folder, log) as team:
        train(bench, folder, log, team=team)

The run's worker is the first process and leads: it alone writes. The others are started with
torch.multiprocessing and not with torchrun's agent, which puts each into a session of its own,
where it would outlive a worker that is killed. So they stay in the worker's process group, which
its guardian ends; and what they raise reaches the run with its traceback.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.multiprocessing.spawn import (
    ProcessExitedException,
    ProcessRaisedException,
    start_processes,
)

from recipe_core.kernel.errors import Misuse, RecipeError
from recipe_core.kernel.progress import Progress, silent
from recipe_core.training.bench import Bench, open_bench
from recipe_core.training.config import RunConfig
from recipe_core.training.devices import limit_memory
from recipe_core.training.images import Images
from recipe_core.training.recorders import Log
from recipe_core.training.task import Task
from recipe_core.training.team import ALONE, Team

OWN_WAYS = frozenset({"train_step", "train_loader", "build_transform", "build_loss"})
"""Functions of a task whose batches and means nobody but the task knows how to share out."""
LONGEST_WAIT = timedelta(days=1)
"""The others wait while the first one evaluates; a death is noticed by other means."""
SECONDS_TO_HEAR = 5.0
"""Between a broken connection and the end of the process that broke it."""
SECONDS_TO_NOTICE = 15.0
_DEATHS = (ProcessExitedException, ProcessRaisedException)


class PeerFailed(RuntimeError):
    """Another process of the run died; the text holds its traceback."""


def team_size(config: RunConfig, task: Task) -> tuple[int, str]:
    """How many processes train together, and why fewer than there might be ('' where not).

    Raises Misuse where more are asked for than there are GPUs.
    """
    kind = task.place.device.type
    seen = torch.cuda.device_count() if kind == "cuda" else 1
    whole = config.device in ("auto", "cuda")
    wanted = config.processes or (seen if whole else 1)
    if wanted == 1:
        return 1, ""
    if kind == "mps" or (kind == "cuda" and not whole):
        raise Misuse(
            f"processes={wanted} was asked for on one device, {config.device}: take device=cuda (a "
            "process for each GPU), device=cpu or processes=1."
        )
    if kind == "cuda" and wanted > seen:
        raise Misuse(f"processes={wanted} was asked for, but torch sees {seen} GPU(s): at most one "
                     f"process for each, processes={seen}.")  # fmt: skip
    own = sorted(OWN_WAYS & task.given)
    if own:
        return 1, (f"One process trains, not {wanted}: the batches of {task.path} cannot be shared "
                   f"out, since it has its own {', '.join(own)}.")  # fmt: skip
    most = max(1, config.batch_size // 2)
    if wanted > most:
        return most, (f"{most} processes train, not {wanted}: with batches of {config.batch_size} "
                      "each has two samples.")  # fmt: skip
    return wanted, ""


@contextlib.contextmanager
def led(
    bench: Bench, workspace: Path, folder: Path, log: Log, *, resume: bool = False,
    progress: Progress = silent,
) -> Iterator[Team]:  # fmt: skip
    """The team of a run, led by this process; the others end when this is left, however.

    Raises Misuse as `team_size` does, PeerFailed where another process died.
    """
    size, why = team_size(bench.config, bench.task)
    if why:
        log.event("note", why)
    if size == 1:
        yield ALONE
        return
    log.event("note", described(bench, size), processes=size)
    threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory(prefix="recipe-team-") as place:
        others = _started(bench, size, Path(place), workspace, folder, resume)
        try:
            with _heard(others):
                _await(others, size, Path(place), progress)
                team = _joined(0, size, Path(place), bench.device)
                with _watched(others):
                    yield team
                    _part()
        finally:
            torch.set_num_threads(threads)
            _end(others)


def described(bench: Bench, size: int) -> str:
    """What a reader of the log should know about several processes."""
    each = bench.config.batch_size // size
    said = f"{size} processes train together, each on its share of every batch (about {each} of "
    said += f"{bench.config.batch_size} samples): losses and weights are those of one process."
    norms = nn.modules.batchnorm._BatchNorm
    if any(isinstance(m, norms) for m in bench.model().modules()):
        said += (
            f" Except for batch norm, which normalises each share by itself, {each} samples at a "
            "time; evaluation uses the running statistics of the first process."
        )
    return said


def _started(
    bench: Bench, size: int, place: Path, workspace: Path, folder: Path, resume: bool
) -> Any:
    spec = {
        "config": bench.config.to_json(), "workspace": str(workspace), "folder": str(folder),
        "resume": resume, "place": str(place), "size": size, "images": _digest(bench.images),
    }  # fmt: skip
    start: Any = start_processes
    return start(_follow, args=(spec,), nprocs=size - 1, join=False, start_method="spawn")


def _digest(images: Images) -> str:
    """Of which samples with which labels: all processes must have read the same."""
    digest = hashlib.blake2b(digest_size=8)
    for part in (images.rows, images.labels, images.train, images.eval):
        digest.update(part.tobytes())
    return digest.hexdigest()


def _follow(index: int, spec: Mapping[str, Any]) -> None:
    """What another process does: the same training, without writing anything."""
    from recipe_core.training.loop import train

    rank, place = index + 1, Path(spec["place"])
    config = RunConfig.from_json(spec["config"])
    cuda = torch.cuda.is_available() and config.device != "cpu"
    bench = open_bench(spec["workspace"], config.but(device=f"cuda:{rank}") if cuda else config)
    if _digest(bench.images) != spec["images"]:
        raise Misuse("The data set was changed while the run started. Start it again.")
    limit_memory(config.memory_limit_mb if cuda else 0, bench.device)
    (place / f"ready-{rank}").touch()
    team = _joined(rank, spec["size"], place, bench.device)
    try:
        train(bench, Path(spec["folder"]), Mute(), resume=spec["resume"], team=team)
        _part()
    except Exception as e:
        if _broken(e):  # the one that died first is heard first
            time.sleep(2 * SECONDS_TO_HEAR)
        raise


def _await(others: Any, size: int, place: Path, progress: Progress) -> None:
    """Until all have opened their images. Raises what they raise, and Cancelled."""
    wanted = [place / f"ready-{rank}" for rank in range(1, size)]
    while ready := sum(f.exists() for f in wanted) + 1:
        progress("starting the processes", ready, size)
        if ready == size:
            return
        others.join(timeout=0.1)


def _joined(rank: int, size: int, place: Path, device: torch.device) -> Team:
    """Meets the others. Only this machine is talked to: by a file, then on its own interface."""
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")
    backend = "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(rank)
        backend = "cpu:gloo,cuda:nccl" if dist.is_nccl_available() else "gloo"
    else:
        torch.set_num_threads(max(1, torch.get_num_threads() // size))
    store = dist.FileStore(str(place / "store"), size)  # type: ignore[attr-defined]
    dist.init_process_group(
        backend, store=store, rank=rank, world_size=size, timeout=LONGEST_WAIT
    )  # fmt: skip
    return Team(rank, size)


def _part() -> None:
    """All have come to the end."""
    with contextlib.suppress(RuntimeError):
        dist.barrier()


@contextlib.contextmanager
def _heard(others: Any) -> Iterator[None]:
    """A connection that broke is told as the death that broke it."""
    try:
        yield
    except _DEATHS as e:
        raise PeerFailed(_obituary(e)) from None
    except Exception as e:
        died = _dead(others) if _broken(e) else None
        if died is None:
            raise
        raise PeerFailed(_obituary(died)) from None


def _broken(e: Exception) -> bool:
    """Whether this is how a lost connection to another process shows."""
    if isinstance(e, RecipeError) or not isinstance(e, RuntimeError):
        return False
    words = str(e).lower()
    return isinstance(e, dist.DistError) or "gloo" in words or "nccl" in words


def _dead(others: Any) -> Any:
    """How one of them died, waited for a little; None where all live."""
    deadline = time.monotonic() + SECONDS_TO_HEAR
    while time.monotonic() < deadline:
        try:
            if others.join(timeout=0.1):
                return None
        except _DEATHS as e:
            return e
    return None


def _obituary(e: Any) -> str:
    which = f"Process {e.error_index + 2} of the run"
    if isinstance(e, ProcessExitedException):
        return f"{which} died: {getattr(e, 'signal_name', None) or f'exit code {e.exit_code}'}."
    last = str(e).strip().rpartition("\n")[2]
    return f"{which} failed: {last}\n{e}"


@contextlib.contextmanager
def _watched(others: Any) -> Iterator[None]:
    """Breaks off what waits for a GPU's process that is dead: NCCL itself would not notice."""
    left = threading.Event()

    def watch() -> None:
        while not left.wait(1.0):
            if all(p.is_alive() for p in others.processes) or left.wait(SECONDS_TO_NOTICE):
                continue
            with contextlib.suppress(Exception):
                dist.distributed_c10d._abort_process_group()
            return

    if "nccl" in str(dist.get_backend_config()):
        threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        left.set()


def _end(others: Any) -> None:
    """None of them is left; what they had to say has been heard."""
    for process in others.processes:
        process.kill()
    for process in others.processes:
        process.join(SECONDS_TO_HEAR)
    if dist.is_initialized():
        with contextlib.suppress(RuntimeError):
            dist.destroy_process_group()


class Mute:
    """A log that nobody reads: of a process that does not lead."""

    def scalars(self, step: int, values: Mapping[str, float], epoch: float | None = None) -> None:
        """Nothing."""

    def epoch(self, epoch: int, values: Mapping[str, float], step: int | None = None) -> None:
        """Nothing."""

    def event(self, kind: str, text: str, **data: Any) -> None:
        """Nothing."""

    def rewind(self, step: int) -> None:
        """Nothing."""

    def flush(self) -> None:
        """Nothing."""
