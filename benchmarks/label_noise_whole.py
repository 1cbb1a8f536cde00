"""What does `recipe noise` find, and how long does it take, from pictures to the queue?

    python benchmarks/label_noise_whole.py [--data cifar10] [--only even:0.1,…] [--seeds 1,2,3]
        [--cnn [MODEL]]

The commands as a user runs them, on a manifest of the pictures below RECIPE_REAL_DATA whose labels
are wrong as in label_noise.py: `recipe scan`, then `recipe noise` (with --cnn MODEL a network is
trained for each fold). Wall time of the second; of the score: AUROC, average precision, precision
at 100. cleanlab gets the network's probabilities, where there is one (its best of three scores).
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from label_noise import DATA, best_of_cleanlab, flipped

from recipe_core import recipe
from recipe_core.data.label_noise.estimate import auroc
from recipe_core.data.label_noise.measure import PROBABILITY


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--only", default="even:0.1", help="KIND:RATE,…; even:0 leaves them")
    parser.add_argument("--seeds", default="1")
    parser.add_argument("--cnn", nargs="?", const="small_cnn", default="")
    asked = parser.parse_args()
    print("| labels | seed | wrong | estimate | 95 % interval | AUROC | cleanlab | AP | "
          "precision at 100 | wall, s |")  # fmt: skip
    print("|" + "---|" * 10)
    pictures = sorted((DATA / asked.data).rglob("*.jpg"))
    for word in asked.only.split(","):
        kind, rate = word.split(":")
        for seed in map(int, asked.seeds.split(",")):
            with tempfile.TemporaryDirectory() as folder:
                print(line(pictures, kind, float(rate), seed, asked.cnn, Path(folder)), flush=True)


def line(pictures: list[Path], kind: str, rate: float, seed: int, cnn: str, folder: Path) -> str:
    """One row of the table."""
    names = tuple(sorted({p.parent.name for p in pictures}))
    true = np.array([names.index(p.parent.name) for p in pictures])
    given = flipped(true, names, kind, rate, seed) if rate else true
    place = folder / "workspace"
    scanned(pictures, [names[k] for k in given], folder, place)
    started = time.perf_counter()
    said = ran("noise", "-w", str(place), "--json", *(["--cnn", cnn] if cnn else []))
    seconds = time.perf_counter() - started
    evidence = recipe.evidence(place)
    row = {path: i for i, path in enumerate(evidence.texts("path"))}
    at = np.array([row[f"pictures/{p.relative_to(DATA)}"] for p in pictures])
    wrong, score = given != true, evidence.numbers(PROBABILITY)[at]
    rates = f"{wrong.mean():.1%} | {said['noise_rate']:.1%} | "
    rates += f"{said['noise_rate_low']:.1%} to {said['noise_rate_high']:.1%}"
    return f"| {kind} {rate:.0%} | {seed} | {rates} | " + (
        f"{quality(score, wrong, by_cleanlab(place, at, given, wrong))} | {seconds:.0f} |"
    )


def scanned(pictures: list[Path], labels: list[str], folder: Path, place: Path) -> None:
    """A workspace of the pictures with these labels."""
    (folder / "pictures").symlink_to(DATA.resolve())
    manifest = folder / "pictures.csv"
    with manifest.open("w", newline="", encoding="utf-8") as f:
        rows = csv.writer(f)
        rows.writerow(["path", "label"])
        rows.writerows((f"pictures/{p.relative_to(DATA)}", label)
                       for p, label in zip(pictures, labels, strict=True))  # fmt: skip
    ran("scan", str(manifest), "-w", str(place), "--check", "conflicting_labels", "--json")


def ran(*words: str) -> dict[str, Any]:
    """What a command of `recipe` prints as JSON."""
    command = [sys.executable, "-m", "recipe_core.cli", *words]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode not in (0, 1):
        raise SystemExit(f"recipe {words[0]} exited {done.returncode}:\n{done.stderr[-2000:]}")
    return dict(json.loads(done.stdout))


def by_cleanlab(place: Path, at: np.ndarray, given: np.ndarray, wrong: np.ndarray) -> str:
    """AUROC of cleanlab's best score on the network's probabilities; – without a network."""
    kept = list(place.glob("runs/*/*-probabilities.npy"))
    if not kept or not wrong.any():
        return "–"
    return f"{best_of_cleanlab(given, np.load(kept[0])[at], wrong):.3f}"


def quality(score: np.ndarray, wrong: np.ndarray, cleanlab: str) -> str:
    from sklearn.metrics import average_precision_score

    if not wrong.any():
        return "– | – | – | –"
    first = wrong[np.argsort(-score)[:100]].mean()
    return (f"{auroc(score, wrong):.3f} | {cleanlab} | "
            f"{average_precision_score(wrong, score):.2f} | {first:.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
