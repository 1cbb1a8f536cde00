"""How fast is the training loop beside a bare PyTorch loop on tensors already on the device?

    python benchmarks/training_rate.py                         the sample digits on the CPU
    python benchmarks/training_rate.py --device cuda --model resnet18 --rounds 5 --steps 200

The same model, the same batches, the same number of steps; rounds of both in turn. The bare loop
holds its pictures as normalised float tensors and does nothing but train; ours takes bytes, turns
and normalises them, logs every loss, looks at predictions and updates, writes checkpoints. Goal:
at least 90 % of the bare rate. Then: what logging a step costs (goal: at most 1 % of 1 ms).
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch
import torch.nn.functional as F

from recipe_core import recipe
from recipe_core.runs import job as jobs
from recipe_core.training.bench import Bench, open_bench
from recipe_core.training.config import RunConfig
from recipe_core.training.devices import device_name
from recipe_core.training.loop import train
from recipe_core.training.recorders import Losses

DIGITS = Path(__file__).resolve().parent.parent / "sample_data" / "digits"


def bare(bench: Bench, steps: int) -> float:
    """Samples a second of the loop that one would write by hand."""
    x, y = (torch.cat(part) for part in zip(*bench.train_batches(0), strict=True))
    model = bench.model()
    optimizer = bench.optimizer(model)
    size = bench.config.batch_size
    order = torch.randperm(len(y)).to(y.device)
    model.train()
    done = step = 0
    _wait(bench)
    started = time.perf_counter()
    while step < steps:
        for i in order.split(size):
            if step == steps:
                break
            optimizer.zero_grad(set_to_none=True)
            with bench.place.autocast():
                loss = F.cross_entropy(model(x[i]), y[i])
            loss.backward()
            optimizer.step()
            step, done = step + 1, done + len(i)
    _wait(bench)
    return done / (time.perf_counter() - started)


def ours(bench: Bench, steps: int) -> float:
    """Samples a second of the loop, in the time that it spends in epochs."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "w" / "runs" / "rate"
        with jobs.opened(place, bench.config.to_json()) as job:
            found = train(bench, place, job.log, progress=job.progress, stop_asked=job.stop_asked)
    assert found["steps"] == steps
    return float(found["samples_per_second"])


def _wait(bench: Bench) -> None:
    if bench.device.type == "cuda":
        torch.cuda.synchronize(bench.device)


def logging_cost(device: torch.device, steps: int = 5000) -> float:
    """Seconds that logging adds to a step, with a loss that is on the device already."""
    loss = torch.zeros((), device=device)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "w" / "runs" / "log"
        with jobs.opened(place, {}) as job:
            losses = Losses(job.log)
            started = time.thread_time()
            for step in range(steps):
                losses.add(step, step / 100, 3e-4, 64, loss)
            losses.fetch()
            return (time.thread_time() - started) / steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--model", default="small_cnn")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    config = RunConfig(
        model=given.model, device=given.device, image_size=given.size, batch_size=given.batch,
        steps=given.steps, evaluate_every=10_000, checkpoint_every=10_000,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder) / "digits"
        recipe.scan(DIGITS, workspace, check_ids=["corruption"])
        bench = open_bench(workspace, config)
        bare(bench, 5)
        rounds = [(bare(bench, given.steps), ours(bench, given.steps)) for _ in range(given.rounds)]
    by_hand, loop = (statistics.median(r[k] for r in rounds) for k in (0, 1))
    shares = sorted(o / b for b, o in rounds)
    print(
        f"{given.model} at {given.size} px, batches of {given.batch}, {given.steps} steps, "
        f"{given.rounds} rounds in turn, {device_name(bench.device)}, torch {torch.__version__}\n"
        f"bare loop {by_hand:,.0f} samples/s, ours {loop:,.0f}: {statistics.median(shares):.1%} "
        f"(rounds {shares[0]:.1%} … {shares[-1]:.1%})"
    )
    cost = logging_cost(bench.device)
    print(f"logging: {cost * 1e6:.1f} µs a step in the loop's thread, {cost / 1e-3:.2%} of 1 ms")


if __name__ == "__main__":
    main()
