"""Which of the wrong labels are found, and is their number right? On planted flips of CIFAR-10.

    python benchmarks/label_noise.py                     clothing and cifar10 below RECIPE_REAL_DATA
    python benchmarks/label_noise.py --data cifar10 --only even:0.1,mutual:0.3 --seeds 1,2,3
    python benchmarks/label_noise.py --data cifar10 --only even:0.1 --subset 2500 --repeats 20
    --keep FOLDER keeps scans and descriptions of the pictures for the next part of the figures

Labels are flipped evenly, from a class to its neighbour in the list (cycle), by the five pairs of
Patrini et al. (CVPR 2017), between the pairs that look most alike (mutual), or as one errs who is
unsure of hard pictures, to a class that one thinks of: a network trained in folds on the right
labels (doubt; --doubts names its file of probabilities, which `recipe noise --cnn` leaves in its
run), the very classifiers that look for wrong labels (hard: nothing is harder to find), or half
even, half doubt; or as three people would give them (one:0 of the three, most:0 of them, the
worst:0; see `annotated`). They are also taken as they are, and as the classifier itself would give
them (none is wrong). Compared are cleanlab with the same out-of-fold probabilities (its best
score; `again`: with those of the classifiers fitted to what the noise model believes), votes of
ten neighbours, and chance. Folds are those of the true labels in every setting, so that the kernel
is inverted once.
With --subset each repeat draws other pictures and other flips: how often does the interval hold?
"""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from recipe_core import recipe
from recipe_core.data.label_noise.estimate import Estimate, auroc, estimate
from recipe_core.data.label_noise.folds import copy_groups, stratified_folds
from recipe_core.data.label_noise.measure import (
    FOLDS,
    NEIGHBOURS,
    VOTERS,
    answering,
    labelled,
    principal,
    votes,
)
from recipe_core.data.label_noise.model import chosen, shares
from recipe_core.data.label_noise.planting import drawn as one_of_each
from recipe_core.data.label_noise.smoother import coarse, smoother
from recipe_core.images.embedding import embedding
from recipe_core.images.neighbours import nearest
from recipe_core.kernel.progress import silent
from recipe_core.store.workspace import Workspace

DATA = Path(os.environ.get("RECIPE_REAL_DATA", "../shared/data"))
PATRINI = {"truck": "automobile", "bird": "airplane", "deer": "horse", "cat": "dog", "dog": "cat"}
MUTUAL = PATRINI | {"automobile": "truck", "airplane": "ship", "ship": "airplane",
                    "horse": "deer", "frog": "cat"}  # fmt: skip
RATES = (0.05, 0.1, 0.2, 0.3, 0.4)
HARD, EASY_ERRORS = 0.147, 0.121


@dataclass
class Bench:
    """A data set with its classifiers: labels (n,), answers and votes as functions of shares."""

    labels: np.ndarray
    names: tuple[str, ...]
    paths: np.ndarray
    vectors: np.ndarray
    groups: np.ndarray
    seconds: float
    answers: Callable[[np.ndarray], np.ndarray]
    votes: Callable[[np.ndarray], np.ndarray]
    doubts: np.ndarray | None = None

    def unsure(self, kind: str) -> np.ndarray:
        """(n, c) what one who errs on hard pictures thinks of each."""
        if kind == "hard":
            c = len(self.names)
            return probabilities(self.answers(shares(self.labels, c)), self.labels)
        if self.doubts is None:
            raise SystemExit("The kind doubt needs --doubts FILE.npy, see above.")
        return self.doubts


def opened(source: Path, folder: Path, doubts: Path | None = None) -> Bench:
    """Scans, describes and learns; the processor time that it took."""
    started = time.process_time()
    place = folder / source.name
    recipe.scan(source, place, engine="here", check_ids=["conflicting_labels"])
    evidence = recipe.evidence(place)
    rows, labels, names = labelled(evidence)
    files = recipe.files(Workspace(place), evidence)
    made = embedding(evidence, files, "patches", folder=files.folder, progress=silent)
    vectors = made.vectors[np.searchsorted(made.rows, rows)]
    paths = evidence.texts("path")[rows]
    bench = learned(labels, names, paths, vectors, copy_groups(evidence, rows), started)
    return replace(bench, doubts=np.load(doubts)[rows] if doubts else None)


def learned(
    labels: np.ndarray, names: tuple[str, ...], paths: np.ndarray, vectors: np.ndarray,
    groups: np.ndarray, started: float,
) -> Bench:  # fmt: skip
    """The classifiers of the check for these pictures."""
    folds = stratified_folds(labels, groups, FOLDS, 0)
    place = principal(vectors)
    near, _ = nearest(place, VOTERS)
    near = np.where((near >= 0) & (groups[near] != groups[:, None]), near, -1)
    answers = answering((smoother(vectors, folds), *coarse(place, folds)), near)
    few = near[:, :NEIGHBOURS]
    return Bench(labels, names, paths, vectors, groups, time.process_time() - started, answers,
                 lambda shared: votes(few, shared))  # fmt: skip


def part(bench: Bench, n: int, seed: int) -> Bench:
    """The classifiers of n of the pictures."""
    some = np.sort(np.random.default_rng(seed).permutation(len(bench.labels))[:n])
    found = learned(bench.labels[some], bench.names, bench.paths[some], bench.vectors[some],
                    bench.groups[some], time.process_time())  # fmt: skip
    return replace(found, doubts=None if bench.doubts is None else bench.doubts[some])


def flipped(true: np.ndarray, names: tuple[str, ...], kind: str, rate: float, seed: int,
            ) -> np.ndarray:  # fmt: skip
    """Labels of which a share is wrong (of the classes that the kind knows, for pairs)."""
    rng, labels, c = np.random.default_rng(seed), true.copy(), len(names)
    to = {"cycle": (np.arange(c) + 1) % c, "patrini": _by_name(names, PATRINI),
          "mutual": _by_name(names, MUTUAL)}.get(kind)  # fmt: skip
    if to is None:
        some = rng.permutation(len(labels))[: round(rate * len(labels))]
        labels[some] = (labels[some] + rng.integers(1, c, len(some))) % c
    else:
        free = rng.permutation(np.flatnonzero(to[labels] != labels))
        some = free[: round(rate * len(free))]
        labels[some] = to[labels[some]]
    return labels


def mistaken(true: np.ndarray, unsure: np.ndarray, rate: float, seed: int) -> np.ndarray:
    """Labels of which a share is wrong: drawn by how probable other classes seem, as one of them.

    unsure  (n, c) probabilities
    """
    rng, labels = np.random.default_rng(seed), true.copy()
    others = unsure + 1e-6
    others[np.arange(len(true)), true] = 0
    order = np.argsort(-np.log(others.sum(1)) - rng.gumbel(size=len(true)))
    some = order[: round(rate * len(true))]
    labels[some] = one_of_each(others[some], rng)
    return labels


def annotated(true: np.ndarray, unsure: np.ndarray, how: str, seed: int) -> np.ndarray:
    """Labels as three people give them: one of the three, most of them, or the worst.

    Made to agree with what is published of CIFAR-10N (Wei et al. 2022: a person errs on 17.7 %, one
    of three on 40.2 %; that most of them err on 9.0 % follows): everyone errs on HARD of the
    pictures every other time, to a class one may think of there, and on EASY_ERRORS of the others,
    to any class, the likelier the more often theirs is taken for it.
    """
    rng, n = np.random.default_rng(seed), len(true)
    others = unsure + 1e-6
    others[np.arange(n), true] = 0
    hard = np.zeros(n, bool)
    order = np.argsort(-np.log(others.sum(1)) - rng.gumbel(size=n))
    hard[order[: round(HARD * n)]] = True
    confused = np.stack([others[true == k].mean(0) for k in range(others.shape[1])])
    confused /= confused.sum(1, keepdims=True)
    anywhere = (confused + 1 / (len(confused) - 1)) * (1 - np.eye(len(confused)))
    said = []
    for _ in range(3):
        errs = rng.random(n) < np.where(hard, 0.5, EASY_ERRORS)
        to = one_of_each(np.where(hard[:, None], others, anywhere[true]), rng)
        said.append(np.where(errs, to, true))
    a, b, c = said
    if how == "one":
        return a
    if how == "most":
        return np.where((b == c), b, a)
    return np.where(a != true, a, np.where(b != true, b, c))


def _by_name(names: tuple[str, ...], pairs: dict[str, str]) -> np.ndarray:
    place = {n: i for i, n in enumerate(names)}
    return np.array([place.get(pairs.get(n, n), i) for i, n in enumerate(names)])


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
    from sklearn.metrics import average_precision_score

    asked = shares(given, len(bench.names))
    said = bench.answers(asked)
    p = probabilities(said, given)
    rate = num_label_issues(given, p) / len(given)
    if not wrong.any():
        return f"{rate:.1%} | – | – | – | – | – | – | {calibration(found.wrong, wrong)}"
    ours = found.wrong
    theirs = best_of_cleanlab(given, p, wrong)
    believed = chosen(said, given, np.random.default_rng(0)).fit.true
    second = best_of_cleanlab(given, probabilities(bench.answers(believed), given), wrong)
    votes = auroc(-bench.votes(asked)[np.arange(len(given)), given], wrong)
    top = np.argsort(-ours)[:100]
    return (f"{rate:.1%} | {auroc(ours, wrong):.3f} | {theirs:.3f} | {second:.3f} | "
            f"{votes:.3f} | "
            f"{average_precision_score(wrong, ours):.2f} | {wrong[top].mean():.2f} | "
            f"{calibration(ours, wrong)}")  # fmt: skip


def calibration(p: np.ndarray, wrong: np.ndarray) -> str:
    """Expected calibration error of ten bins; what was said and was true of those above a half."""
    place = np.minimum((p * 10).astype(int), 9)
    apart = np.bincount(place, p, 10) - np.bincount(place, wrong, 10)
    likely = p > 0.5
    told = f"{p[likely].mean():.2f}, {wrong[likely].mean():.2f}" if likely.any() else "–"
    return f"{np.abs(apart).sum() / len(p):.3f} | {likely.sum():,}: {told}"


def best_of_cleanlab(given: np.ndarray, p: np.ndarray, wrong: np.ndarray) -> float:
    """AUROC of the best of its scores."""
    from cleanlab.rank import get_label_quality_scores

    methods = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
    return max(auroc(-get_label_quality_scores(given, p, method=m), wrong) for m in methods)


def settings(bench: Bench, only: str) -> Iterator[tuple[str, float]]:
    if only:
        yield from ((k, float(r)) for k, r in (word.split(":") for word in only.split(",")))
        return
    yield from (("as they are", 0.0), ("its own", 0.0))
    kinds = ("even", "cycle", "patrini", "mutual") if "cat" in bench.names else ("even", "cycle")
    yield from ((kind, rate) for kind in kinds for rate in RATES)


def drawn(bench: Bench, kind: str, rate: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(given, true) labels."""
    if kind == "as they are":
        return bench.labels, bench.labels
    if kind == "its own":
        c = len(bench.names)
        best = bench.answers(shares(bench.labels, c))[:, :c].argmax(1)
        return best, best
    if kind in ("one", "most", "worst"):
        return annotated(bench.labels, bench.unsure("doubt"), kind, seed), bench.labels
    if kind in ("doubt", "hard"):
        return mistaken(bench.labels, bench.unsure(kind), rate, seed), bench.labels
    if kind == "half":
        doubtful = mistaken(bench.labels, bench.unsure("doubt"), rate / 2, seed)
        even = flipped(bench.labels, bench.names, "even", rate / 2, seed + 100)
        return np.where(doubtful != bench.labels, doubtful, even), bench.labels
    return flipped(bench.labels, bench.names, kind, rate, seed), bench.labels


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


def coverage(bench: Bench, kind: str, rate: float, n: int, repeats: int) -> str:
    """How often the interval holds the truth on other pictures and other flips."""
    held, errors, widths = 0, [], []
    for seed in range(1, repeats + 1):
        some = part(bench, n, seed)
        given, true = drawn(some, kind, rate, seed)
        found = estimate(some.answers, some.votes, given, seed=seed, progress=silent)
        truth = float((given != true).mean())
        held += found.low <= truth <= found.high
        errors.append(found.rate - truth)
        widths.append(found.high - found.low)
    return (f"| {kind} {rate:.0%} | {n:,} | {repeats} | {held} | {np.mean(errors):+.3f} | "
            f"{np.abs(errors).mean():.3f} | {np.median(widths):.3f} |")  # fmt: skip


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Wrong labels, planted and found.")
    parser.add_argument("--data", default="cifar10,clothing")
    parser.add_argument("--only", default="", help="KIND:RATE,…")
    parser.add_argument("--seeds", default="1,2")
    parser.add_argument("--subset", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--confirmed", action="store_true")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--doubts", type=Path, help=".npy, probabilities of the kind doubt")
    return parser.parse_args()


def figures(bench: Bench, asked: argparse.Namespace) -> None:
    if asked.subset:
        print("| labels | n | repeats | held | mean error | mean size of it | median width |")
        print("|---|--:|--:|--:|--:|--:|--:|")
        for kind, rate in settings(bench, asked.only):
            print(coverage(bench, kind, rate, asked.subset, asked.repeats), flush=True)
        return
    print("| labels | seed | wrong | estimate | 95 % interval | covers | cleanlab's rate | "
          "AUROC | cleanlab | again | votes | AP | precision at 100 | calibration error | "
          "n above 0.5: said, was | CPU s |")  # fmt: skip
    print("|" + "---|" * 16)
    for kind, rate in settings(bench, asked.only):
        for seed in map(int, asked.seeds.split(",")):
            print(line(bench, kind, rate, seed, *drawn(bench, kind, rate, seed)), flush=True)


def main() -> None:
    asked = arguments()
    with tempfile.TemporaryDirectory() as folder:
        for name in asked.data.split(","):
            bench = opened(DATA / name, asked.keep or Path(folder), asked.doubts)
            print(f"\n{name}: {len(bench.labels):,} pictures, {len(bench.names)} classes; scan, "
                  f"description and classifiers {bench.seconds:.0f} s of processor time\n",
                  flush=True)  # fmt: skip
            figures(bench, asked)
            if asked.confirmed:
                confirmed(bench, DATA / name)


if __name__ == "__main__":
    main()
