"""How fast does Recipe train on this machine's GPU, and does it overfit there in minutes?

    python benchmarks/gpu_training.py [--only loop,small,overfit,battery] [--seconds 8]

    loop     ResNet-50 at 224 px in bfloat16: images a second, and the share of a bare loop's
             (goals: 2,000 and 90 %)
    small    50,000 pictures of 32 px through ResNet-18: images a second (goal: 25,000)
    overfit  `recipe overfit` on all clothing training photos (goal: 99.5 % in 3 minutes)
    battery  `recipe sanity` on the sample digits and on the clothing photos

Photos are clothing's below RECIPE_REAL_DATA (default: ../shared/data) where they are, else the
sample digits; small has made-up pictures. Without a GPU it says so and measures nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REAL = Path(os.environ.get("RECIPE_REAL_DATA", ROOT.parent / "shared" / "data")) / "clothing"
DIGITS = ROOT / "sample_data" / "digits"
NO_GPU = "No GPU: torch sees no CUDA device on this machine, so nothing was measured."
ROUNDS = 3
SMALL_PICTURES, SMALL_CLASSES = 50_000, 10
WARM_STEPS = 20


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="loop,small,overfit,battery")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each timed round")
    parser.add_argument("--model", default="resnet50", help="of the overfit run")
    parser.add_argument("--epochs", type=int, default=30, help="of the overfit run")
    asked = parser.parse_args()
    import torch

    if not torch.cuda.is_available():
        print(NO_GPU)
        return
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, CUDA {torch.version.cuda}\n")
    parts: dict[str, Callable[[argparse.Namespace], None]] = {
        "loop": loop, "small": small, "overfit": overfit, "battery": battery,
    }  # fmt: skip
    for name in asked.only.split(","):
        parts[name](asked)
        print(flush=True)


def photos() -> Path:
    """The clothing photos, else the sample digits."""
    return REAL if REAL.is_dir() else DIGITS


@contextmanager
def scanned(source: Path) -> Iterator[str]:
    """A workspace of these pictures, for a while."""
    from recipe_core import recipe

    with tempfile.TemporaryDirectory() as folder:
        workspace = str(Path(folder) / "w")
        recipe.scan(source, workspace, check_ids=["corruption"])
        yield workspace


# -- images a second ----------------------------------------------------------------------------


def loop(asked: argparse.Namespace) -> None:
    """ResNet-50 at 224 px."""
    with scanned(photos()) as workspace:
        _rate(workspace, asked.seconds, 2000, model="resnet50", image_size=224, batch_size=256)


def small(asked: argparse.Namespace) -> None:
    """ResNet-18 on pictures of 32 px."""
    with tempfile.TemporaryDirectory() as folder:
        _made_up(Path(folder))
        with scanned(Path(folder)) as workspace:
            _rate(workspace, asked.seconds, 25_000, model="resnet18", image_size=32,
                  batch_size=1024)  # fmt: skip


def _made_up(folder: Path) -> None:
    """Pictures of noise in folders of classes, as PNG files."""
    import numpy as np
    from PIL import Image

    draw = np.random.default_rng(0)
    for k in range(SMALL_CLASSES):
        (folder / f"class {k}").mkdir()
    for i in range(SMALL_PICTURES):
        pixels = draw.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"class {i % SMALL_CLASSES}" / f"{i:05d}.png")


def _rate(workspace: str, seconds: float, goal: int, **fields: object) -> None:
    """Rounds of the bare loop and ours in turn, each of about so many seconds."""
    from training_rate import bare, ours

    from recipe_core.training.bench import Bench, open_bench
    from recipe_core.training.config import RunConfig

    config = RunConfig(
        device="cuda:0",
        precision="bfloat16",
        evaluate_every=10_000,
        checkpoint_every=10_000,
        **fields,
    )
    bench = open_bench(workspace, config)
    bare(bench, WARM_STEPS)
    steps = max(WARM_STEPS, round(seconds * bare(bench, WARM_STEPS) / config.batch_size))
    config = config.but(steps=steps, epochs=1)
    bench = Bench(bench.task, config, bench.images, bench.workspace)
    rounds = [(bare(bench, steps), ours(bench, steps)) for _ in range(ROUNDS)]
    by_hand, loop = (statistics.median(r[k] for r in rounds) for k in (0, 1))
    shares = sorted(o / b for b, o in rounds)
    print("| training | images/s | goal | bare loop, images/s | share (smallest … largest) |")
    print("|---|---|---|---|---|")
    print(
        f"| {config.model}, {config.image_size} px, batches of {config.batch_size}, bfloat16, "
        f"{len(bench.images.train):,} samples, {steps} steps, {ROUNDS} rounds in turn | "
        f"{loop:,.0f} | {goal:,} | {by_hand:,.0f} | {statistics.median(shares):.1%} "
        f"({shares[0]:.1%} … {shares[-1]:.1%}) |"
    )


# -- from the command line ----------------------------------------------------------------------


def overfit(asked: argparse.Namespace) -> None:
    """`recipe overfit` on every training photo; the photos are decoded by a run of one step."""
    with scanned(photos()) as workspace:
        fields = ["image_size=224", f"epochs={asked.epochs}", "batch_size=64"]
        _overfitted(workspace, asked.model, [*fields, "steps=1"])
        started = time.perf_counter()
        run = _overfitted(workspace, asked.model, fields)
        seconds = time.perf_counter() - started
    result = run["result"]
    print("| overfit run | accuracy on the training samples | goal | training, s | command, s | "
          "goal, s |\n|---|---|---|---|---|---|")  # fmt: skip
    print(
        f"| {asked.model}, 224 px, {result['train_samples']:,} samples, {result['epochs']} epochs "
        f"| {result['train_accuracy']:.2%} | 99.5 % | {result['training_seconds']:.0f} | "
        f"{seconds:.0f} | 180 |\n\nVerdict: {result['verdict']}: {result['summary']}"
    )


def _overfitted(workspace: str, model: str, fields: list[str]) -> dict[str, dict[str, object]]:
    words = ["overfit", "-w", workspace, "--model", model, "--device", "cuda:0", "--json"]
    for field in fields:
        words += ["--set", field]
    found: dict[str, dict[str, object]] = json.loads(_recipe(*words))["runs"][0]
    return found


def battery(asked: argparse.Namespace) -> None:
    """`recipe sanity` with the built-in pipeline; a process of its own each time."""
    print("| battery | checks that pass | s |\n|---|---|---|")
    for source in dict.fromkeys([DIGITS, photos()]):
        with scanned(source) as workspace:
            started = time.perf_counter()
            said = _recipe("sanity", "-w", workspace, "--device", "cuda:0", "--json")
            seconds = time.perf_counter() - started
        verdicts = [check["verdict"] for check in json.loads(said)["checks"]]
        print(f"| {source.name} | {verdicts.count('pass')} of {len(verdicts)} | {seconds:.0f} |")


def _recipe(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "recipe_core.cli", *words], cwd=ROOT, stdout=subprocess.PIPE,
        text=True, check=False,
    )  # fmt: skip
    if done.returncode not in (0, 1):
        sys.exit(f"recipe {' '.join(words)} ended with {done.returncode}.")
    return done.stdout


if __name__ == "__main__":
    main()
