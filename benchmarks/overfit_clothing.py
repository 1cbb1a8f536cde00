"""How long until ResNet-18 at 64 px knows 512 clothing photos by heart, on the processor?

    python benchmarks/overfit_clothing.py [--epochs 12] [--lr 3e-4]

The way a user goes: `recipe scan`, then `recipe overfit` with its default rate, both from the
command line, with all that belongs to them (per-sample losses, evaluation, checkpoints, the look
back). The photos are decoded before the clock starts, by a run of one step. Goal: an accuracy of
100 % on the training samples in less than 6 minutes. Needs the data set clothing below
RECIPE_REAL_DATA (default: ../shared/data).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
REAL = Path(os.environ.get("RECIPE_REAL_DATA", ROOT.parent / "shared" / "data")) / "clothing"
GOAL_S = 360


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=512)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=3e-4)
    asked = parser.parse_args()
    if not REAL.is_dir():
        print(f"No photos in {REAL}: set RECIPE_REAL_DATA.")
        return
    with tempfile.TemporaryDirectory() as folder:
        workspace = str(Path(folder) / "w")
        recipe("scan", str(REAL), "-w", workspace, "--check", "corruption")
        overfit(workspace, asked, "steps=1")
        started = time.perf_counter()
        run = overfit(workspace, asked)
        seconds = time.perf_counter() - started
        _print(run, first_at_100(Path(workspace) / "runs" / run["id"]), seconds)


def recipe(*words: str) -> str:
    """What a command prints; its errors end the script."""
    done = subprocess.run(
        [sys.executable, "-m", "recipe_core.cli", *words], cwd=ROOT, stdout=subprocess.PIPE,
        text=True, check=False,
    )  # fmt: skip
    if done.returncode not in (0, 1):
        sys.exit(f"recipe {' '.join(words)} ended with {done.returncode}.")
    return done.stdout


def overfit(workspace: str, asked: argparse.Namespace, *more: str) -> dict[str, Any]:
    """One run from the command line, as its JSON tells it."""
    fields = ["image_size=64", f"limit={asked.photos}", f"epochs={asked.epochs}",
              f"batch_size={asked.batch}", *more]  # fmt: skip
    words = [w for f in fields for w in ("--set", f)]
    said = recipe("overfit", "-w", workspace, "--model", "resnet18", "--device", "cpu", "--lr",
                  str(asked.lr), *words, "--json")  # fmt: skip
    found: dict[str, Any] = json.loads(said)["runs"][0]
    return found


def first_at_100(folder: Path) -> str:
    """The first epoch whose training pass named every sample right; the best share without one."""
    import numpy as np

    shares = []
    for file in sorted((folder / "samples").glob("epoch-*.npz")):
        with np.load(file) as seen:
            shares.append(float(seen["correct"].mean()))
        if shares[-1] == 1.0:
            return str(len(shares))
    return f"none (best pass {max(shares):.1%})"


def _print(run: dict[str, Any], first: str, seconds: float) -> None:
    config, result = run["config"], run["result"]
    print("| run | accuracy on the training samples | training loss (floor) | epochs | first epoch "
          "whose pass was all right | training, s | whole command, s | goal, s |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|")
    print(
        f"| {config['model']}, {config['image_size']} px, {result['train_samples']} photos, "
        f"batches of {config['batch_size']}, Adam {config['lr']:g}, {os.cpu_count()} cores | "
        f"{result['train_accuracy']:.1%} | {result['train_loss']:.3g} ({result['floor']:.3g}) | "
        f"{result['epochs']} | {first} | {result['training_seconds']:.0f} | {seconds:.0f} | "
        f"{GOAL_S} |"
    )
    print(f"\nVerdict: {result['verdict']}: {result['summary']}")


if __name__ == "__main__":
    main()
