"""Which of the wrong labels are found, and is their number right? On planted flips of CIFAR-10.

    python benchmarks/label_noise.py [SEEDS]        clothing and cifar10 below RECIPE_REAL_DATA

Labels are flipped evenly, from a class to its neighbour in the list (cycle), by the five pairs of
Patrini et al. (CVPR 2017), or between the pairs that look most alike (mutual: hardest); the labels
are also taken as they are, and as the classifier itself would give them (none is wrong). Compared
are cleanlab with the same out-of-fold probabilities (its best score), votes of ten neighbours, and
chance. Folds are those of the true labels in every setting, so that the kernel is inverted once.
"""

from __future__ import annotations

import csv
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recipe_core import recipe
from recipe_core.data.label_noise.estimate import Estimate, auroc, estimate
from recipe_core.data.label_noise.folds import copy_groups, stratified_folds
from recipe_core.data.label_noise.measure import FOLDS, NEIGHBOURS, labelled, principal
from recipe_core.data.label_noise.smoother import smoother
from recipe_core.images.embedding import embedding
from recipe_core.images.neighbours import nearest
from recipe_core.kernel.progress import silent
from recipe_core.store.workspace import Workspace

DATA = Path(os.environ.get("RECIPE_REAL_DATA", "../shared/data"))
PATRINI = {"truck": "automobile", "bird": "airplane", "deer": "horse", "cat": "dog", "dog": "cat"}
MUTUAL = PATRINI | {"automobile": "truck", "airplane": "ship", "ship": "airplane",
                    "horse": "deer", "frog": "cat"}  # fmt: skip
RATES = (0.05, 0.1, 0.2, 0.3, 0.4)


@dataclass
class Bench:
    """A data set with its classifier: labels (n,), answers and votes as functions of labels."""

    labels: np.ndarray
    names: tuple[str, ...]
    paths: np.ndarray
    smooth: object
    near: np.ndarray
    seconds: float

    def answers(self, labels: np.ndarray) -> np.ndarray:
        targets = np.eye(len(self.names), dtype=np.float32)[labels]
        return self.smooth(targets - targets.mean(0))  # type: ignore[operator]

    def votes(self, labels: np.ndarray) -> np.ndarray:
        return np.eye(len(self.names), dtype=np.float32)[labels[self.near]].mean(1)


def opened(source: Path, folder: Path) -> Bench:
    """Scans, describes and learns; the processor time that it took."""
    started = time.process_time()
    place = folder / source.name
    recipe.scan(source, place, engine="here", check_ids=["conflicting_labels"])
    evidence = recipe.evidence(place)
    rows, labels, names = labelled(evidence)
    files = recipe.files(Workspace(place), evidence)
    made = embedding(evidence, files, "patches", folder=files.folder, progress=silent)
    vectors = made.vectors[np.searchsorted(made.rows, rows)]
    folds = stratified_folds(labels, copy_groups(evidence, rows), FOLDS, 0)
    near, _ = nearest(principal(vectors), NEIGHBOURS)
    smooth = smoother(vectors, folds)
    paths = evidence.texts("path")[rows]
    return Bench(labels, names, paths, smooth, near, time.process_time() - started)


def planted(bench: Bench, kind: str, rate: float, seed: int) -> np.ndarray:
    """Labels of which a share is wrong (of the classes that the kind knows, for pairs)."""
    rng, labels = np.random.default_rng(seed), bench.labels.copy()
    c = len(bench.names)
    to = {"cycle": (np.arange(c) + 1) % c, "patrini": _by_name(bench, PATRINI),
          "mutual": _by_name(bench, MUTUAL)}.get(kind)  # fmt: skip
    if to is None:
        some = rng.permutation(len(labels))[: round(rate * len(labels))]
        labels[some] = (labels[some] + rng.integers(1, c, len(some))) % c
    else:
        free = rng.permutation(np.flatnonzero(to[labels] != labels))
        some = free[: round(rate * len(free))]
        labels[some] = to[labels[some]]
    return labels


def _by_name(bench: Bench, pairs: dict[str, str]) -> np.ndarray:
    place = {n: i for i, n in enumerate(bench.names)}
    return np.array([place.get(pairs.get(n, n), i) for i, n in enumerate(bench.names)])


def probabilities(answers: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """What cleanlab gets: the same answers, scaled to probabilities by one logistic regression."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1.0, max_iter=300)
    return model.fit(answers, labels).predict_proba(answers)


def line(bench: Bench, kind: str, rate: float, seed: int, given: np.ndarray, true: np.ndarray,
         ) -> str:  # fmt: skip
    """One row of the table."""
    started = time.process_time()
    found = estimate(bench.answers, bench.votes, given, seed=seed, progress=silent)
    seconds = time.process_time() - started
    wrong = given != true
    covers = "yes" if found.low <= wrong.mean() <= found.high else "no"
    said = f"{wrong.mean():.1%} | {found.rate:.1%} | {found.low:.1%} to {found.high:.1%} | {covers}"
    return (f"| {kind} {rate:.0%} | {seed} | {said} | {scores(bench, found, given, wrong)} | "
            f"{seconds:.0f} |")  # fmt: skip


def scores(bench: Bench, found: Estimate, given: np.ndarray, wrong: np.ndarray) -> str:
    from cleanlab.count import num_label_issues
    from cleanlab.rank import get_label_quality_scores
    from sklearn.metrics import average_precision_score

    p = probabilities(bench.answers(given), given)
    rate = num_label_issues(given, p) / len(given)
    if not wrong.any():
        return f"{rate:.1%} | – | – | – | – | –"
    ours = found.wrong
    methods = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
    theirs = max(auroc(-get_label_quality_scores(given, p, method=m), wrong) for m in methods)
    votes = auroc(-bench.votes(given)[np.arange(len(given)), given], wrong)
    top = np.argsort(-ours)[:100]
    return (f"{rate:.1%} | {auroc(ours, wrong):.3f} | {theirs:.3f} | {votes:.3f} | "
            f"{average_precision_score(wrong, ours):.2f} | {wrong[top].mean():.2f}")  # fmt: skip


def settings(bench: Bench, seeds: int) -> Iterator[tuple[str, float, int, np.ndarray, np.ndarray]]:
    best = bench.answers(bench.labels).argmax(1)
    yield "as they are", 0.0, 0, bench.labels, bench.labels
    yield "its own", 0.0, 0, best, best
    kinds = ("even", "cycle", "patrini", "mutual") if "cat" in bench.names else ("even", "cycle")
    for seed in range(1, seeds + 1):
        for kind in kinds:
            for rate in RATES:
                yield kind, rate, seed, planted(bench, kind, rate, seed), bench.labels


def confirmed(bench: Bench, source: Path) -> None:
    """Where people confirmed wrong labels: how many of them are among the first of the queue."""
    path = source / "label_errors.csv"
    if not path.exists():
        return
    with path.open(encoding="utf-8") as f:
        known = {r["path"] for r in csv.DictReader(f) if r["is_label_error"] == "1"}
    found = estimate(bench.answers, bench.votes, bench.labels, seed=0, progress=silent)
    real = np.isin(bench.paths, list(known))
    order = np.argsort(-found.wrong)
    depths = {n: int(real[order[:n]].sum()) for n in (100, 500, 1000, 2000)}
    said = ", ".join(f"{k} among the first {n:,}" for n, k in depths.items())
    print(f"\n{real.sum()} labels that people found wrong: AUROC {auroc(found.wrong, real):.3f}; "
          f"{said}.")  # fmt: skip


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    with tempfile.TemporaryDirectory() as folder:
        for source in (DATA / "cifar10", DATA / "clothing"):
            bench = opened(source, Path(folder))
            print(f"\n{source.name}: {len(bench.labels):,} pictures, {len(bench.names)} classes; "
                  f"scan, description and classifier {bench.seconds:.0f} s of processor time"
                  "\n")  # fmt: skip
            print("| labels | seed | wrong | estimate | 95 % interval | covers | cleanlab's rate | "
                  "AUROC | cleanlab | votes | AP | precision at 100 | CPU s |")  # fmt: skip
            print("|" + "---|" * 13)
            for kind, rate, seed, given, true in settings(bench, seeds):
                print(line(bench, kind, rate, seed, given, true), flush=True)
            confirmed(bench, source)


if __name__ == "__main__":
    main()
