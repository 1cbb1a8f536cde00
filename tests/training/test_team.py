"""Do several processes train what one process trains, and does none of them outlive the run?"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from recipe_core import pipeline
from recipe_core.kernel.errors import Cancelled, Misuse
from recipe_core.runs.folder import RunFolder
from recipe_core.runs.leftovers import leftovers
from recipe_core.runs.watching import Run
from recipe_core.training.bench import Bench, open_bench
from recipe_core.training.config import RunConfig
from recipe_core.training.leading import described, led, team_size
from recipe_core.training.loop import train
from recipe_core.training.product import PixelLoader
from recipe_core.training.sets import DevicePixels, PixelSet, share_of
from recipe_core.training.team import _Weighed
from tests.training.conftest import SMALL
from tests.training.making import Remembered, stopping_after
from tests.training.test_loop import weights, with_config

TINY = '''
import torch
from torch import nn

class Net(nn.Module):
    """No batch norm: what it computes of a sample does not depend on the others."""

    def __init__(self, num_classes):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 49, num_classes)
        )
        self.steps = 0

    def forward(self, x):
        self.steps += self.training
        if self.steps > {after} and torch.distributed.get_rank() == 1:
            raise ValueError("the second process has had enough")
        return self.net(x)

def build_model(num_classes):
    return Net(num_classes)
'''
TWO = SMALL.but(
    processes=2, batch_size=7, limit=45, epochs=3, class_weights="balanced", augmentation="mild",
    per_sample=True, lr=3e-3,
)  # fmt: skip
"""45 samples in batches of 7: shares of 3 and 4, and of the last one, 3, all and none."""


def task(folder: Path, after: int = 10**9) -> str:
    file = folder / "tiny.py"
    file.write_text(TINY.replace("{after}", str(after)))
    return str(file)


def trained(bench: Bench, folder: Path, log: Remembered, *, resume: bool = False,
            stop: Callable[[], bool] = lambda: False) -> None:  # fmt: skip
    with led(bench, bench.workspace, folder, log, resume=resume) as team:
        train(bench, folder, log, stop_asked=stop, resume=resume, team=team)


# -- one process at a time ----------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 5, 7, 8, 64])
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_shares_are_the_whole_batch_and_nobody_has_a_single_sample(n: int, size: int) -> None:
    shares = [range(n)[share_of(n, rank, size)] for rank in range(size)]
    assert [i for share in shares for i in share] == list(range(n))
    assert all(len(share) != 1 for share in shares)


@pytest.mark.parametrize("mixup", [0.0, 0.4])
def test_the_mean_of_the_shares_is_the_batch(small: Bench, mixup: float) -> None:
    """Losses with class weights, of augmented and mixed pictures, one process after the other."""
    bench = with_config(small, class_weights="balanced", augmentation="strong", mixup=mixup)
    dataset = bench.train_set
    assert isinstance(dataset, PixelSet)
    source, model = DevicePixels(dataset, bench.device), bench.model().eval()
    whole = PixelLoader(source, 7, 5, True, mixup)
    shares = [PixelLoader(source, 7, 5, True, mixup, rank=r, size=3) for r in range(3)]
    for batch, *parts in zip(whole, *shares, strict=True):
        kept = [p[0] for p, s in zip(parts, shares, strict=True) if len(s.indices)]
        assert torch.allclose(torch.cat(kept), batch[0], atol=1e-6)
        found = []
        for part, loader in zip(parts, shares, strict=True):
            loss_fn = _Weighed(bench.loss_fn, 3, loader, part[1])
            found.append(_loss(loss_fn, model(part[0]), part))
        expected = _loss(bench.loss_fn, model(batch[0]), batch)
        assert torch.allclose(sum(found) / 3, expected, rtol=1e-5)


def _loss(
    loss_fn: Callable[..., torch.Tensor], logits: torch.Tensor, batch: object
) -> torch.Tensor:
    _, y, *mix = batch  # type: ignore[misc]
    if not mix:
        return loss_fn(logits, y)
    return mix[1] * loss_fn(logits, y) + (1 - mix[1]) * loss_fn(logits, mix[0])


def test_how_many_processes(small: Bench, tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text("def train_step(model, batch, loss_fn, optimizer):\n    ...\n")
    assert team_size(small.config, small.task) == (1, "")
    assert team_size(small.config.but(processes=3), small.task) == (3, "")
    size, why = team_size(small.config.but(processes=8), small.task)
    assert size == 4 and "each has two samples" in why
    bench = with_config(small, task=str(own), processes=2)
    size, why = team_size(bench.config, bench.task)
    assert size == 1 and "its own train_step" in why
    assert "batch norm" in described(small, 2)
    tiny = with_config(small, task=task(tmp_path))
    assert "batch norm" not in described(tiny, 2)


@pytest.mark.skipif(torch.cuda.device_count() > 1, reason="there are several GPUs here")
def test_more_processes_than_gpus_are_refused(
    small: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Cuda:
        class place:
            device = torch.device("cuda")

        given: frozenset[str] = frozenset()

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(Misuse, match="torch sees 1 GPU"):
        team_size(RunConfig(processes=2), Cuda)  # type: ignore[arg-type]
    with pytest.raises(Misuse, match="on one device, cuda:0"):
        team_size(RunConfig(processes=2, device="cuda:0"), Cuda)  # type: ignore[arg-type]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert team_size(RunConfig(), Cuda)[0] == 4  # type: ignore[arg-type]
    assert team_size(RunConfig(device="cuda:1"), Cuda)[0] == 1  # type: ignore[arg-type]


# -- two processes ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def alone(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, Path, Remembered]:
    """The run of one process that two must repeat."""
    folder = tmp_path_factory.mktemp("alone")
    bench = open_bench(digits, TWO.but(task=task(folder), processes=1))
    log = Remembered()
    train(bench, folder / "run", log)
    return bench, folder / "run", log


def same_as_alone(alone: tuple[Bench, Path, Remembered], folder: Path, log: Remembered) -> None:
    _, one, said = alone
    losses, expected = log.series("train/loss"), said.series("train/loss")
    assert len(losses) == len(expected) == 21
    assert np.abs(np.subtract(losses, expected)).max() < 1e-5
    ours, theirs = weights(folder), weights(one)
    assert all(torch.allclose(ours[k], theirs[k], atol=1e-5) for k in theirs)
    for name in ("epoch-0001.npz", "epoch-0003.npz"):
        with np.load(folder / "samples" / name) as a, np.load(one / "samples" / name) as b:
            assert str(a["pass"]) == str(b["pass"]) == "training"
            assert np.allclose(a["loss"], b["loss"], atol=1e-4)
    assert log.epochs[3]["eval/accuracy"] == said.epochs[3]["eval/accuracy"]


def test_two_processes_stop_resume_and_end_where_one_does(
    alone: tuple[Bench, Path, Remembered], tmp_path: Path
) -> None:
    bench = with_config(alone[0], processes=2)
    bench = Bench(bench.task, bench.config, bench.images, alone[0].workspace)
    log = Remembered()
    with pytest.raises(Cancelled):
        trained(bench, tmp_path, log, stop=stopping_after(10))
    assert len(log.series("train/loss")) == 10
    assert not [p for p in psutil.Process().children() if "spawn_main" in " ".join(p.cmdline())]
    trained(bench, tmp_path, log, resume=True)
    same_as_alone(alone, tmp_path, log)
    assert any("2 processes train together" in text for _, text in log.events)


def test_a_process_that_dies_fails_the_run_with_its_traceback(digits: Path, tmp_path: Path) -> None:
    run = launched(digits, TWO.but(task=task(tmp_path, after=5)))
    state = until(digits, run, lambda r: not r.live)
    assert state.status == "failed"
    assert "Process 2 of the run failed: ValueError: the second process has had enough" in (
        state.message
    )
    assert "tiny.py" in state.traceback.partition("The whole traceback")[0]


def test_no_process_outlives_a_worker_that_is_killed(digits: Path, tmp_path: Path) -> None:
    run = launched(digits, TWO.but(task=task(tmp_path), epochs=100_000, evaluate_every=1000))
    state = until(digits, run, lambda r: r.progress.activity == "training" and r.progress.done > 0)
    assert state.pid
    others = psutil.Process(state.pid).children(recursive=True)
    assert others
    os.kill(state.pid, signal.SIGKILL)
    assert until(digits, run, lambda r: not r.live).status in ("failed", "lost")
    _, alive = psutil.wait_procs(others, timeout=5)
    assert not alive and not leftovers(RunFolder(digits / "runs" / run))


def launched(workspace: Path, config: RunConfig) -> str:
    return pipeline.launch(workspace, "train", "recipe_core.training.run:run", config.to_json())


def until(workspace: Path, run: str, done: Callable[[Run], bool], seconds: float = 120.0) -> Run:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        state = pipeline.run(workspace, run)
        if done(state):
            return state
        if not state.live:
            raise AssertionError(f"{state.status}: {state.message}\n{state.traceback}")
        time.sleep(0.1)
    raise AssertionError(json.dumps([state.status, state.progress.activity, state.message]))
