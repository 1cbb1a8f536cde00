"""Are training batches mixed anew each epoch, with every sample in it once?

A net that sees one class after the other learns and forgets in turn, batch norm measures one class
at a time, and the loss looks like a saw. A loader that gives the same order every epoch, or leaves
samples out, fails without a word. Shuffle with a generator that is seeded with the seed the loader
is given; samplers that draw some classes more often are fine and are said.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from recipe_core.kernel.check import Check, Probe
from recipe_core.kernel.nouns import Chart, Finding, Verdict
from recipe_core.kernel.params import setting
from recipe_core.kernel.readings import Reading, Readings

REPEATED = 0.1
"""Share of the samples that come again in an epoch where a sampler draws with replacement."""
ORDER = Probe("order", 1, "recipe_core.skeleton.probes.order:order", 240.0)


@dataclass(frozen=True)
class Params:
    z: float = setting(
        5.0, low=2.0, high=20.0,
        why="standard errors beyond which neighbours of one class are no chance: 5 happens once in "
        "3.5 million shuffled epochs",
    )  # fmt: skip
    excess: float = setting(
        0.1, low=0.0, high=1.0,
        why="of all neighbours, how many more of one class than by chance matter: below a tenth a "
        "batch holds nearly what a shuffled one holds, however certain the difference is",
    )  # fmt: skip
    order: float = setting(
        0.9, low=0.1, high=1.0,
        why="rank correlation of place in the epoch and place in the set: 0 where shuffled, within "
        "0.1 for a thousand samples; 1 where not",
    )  # fmt: skip
    missing: float = setting(
        0.02, low=0.0, high=1.0,
        why="share of the samples, beyond the one batch that drop_last may cost, that may be left "
        "out of an epoch",
    )  # fmt: skip


@dataclass(frozen=True)
class Fault:
    text: str
    step: str
    verdict: Verdict = "fail"


def judge(readings: Readings, params: Params) -> Finding:
    read = readings.need("order")
    names = list(readings.about.get("class_names", ()))
    observed, expected, se = neighbours(read["labels"], read["all_labels"])
    rank = rank_correlation(read["first"]) if read["how"] == "numbered" else 0.0
    faults = [
        *_sorted(observed, expected, se, rank, params),
        *(_skewed(read, names, params) or _incomplete(read, params)), *_same(read),
    ]  # fmt: skip
    numbers = {
        "how": read["how"], "n": read["n"], "batches": read["batches"],
        "neighbours_of_one_class": observed, "expected_by_chance": expected, "standard_error": se,
        "rank_correlation": rank, "samples_seen": len(np.unique(read["first"])),
        "drawn_twice": len(read["first"]) - len(np.unique(read["first"])),
        "same_seed_same_order": read["same_again"],
    }  # fmt: skip
    value, wanted = round(observed, 3), f"{expected:.3f} ± {2 * se:.3f} by chance"
    if not faults:
        return Finding("pass", _fine(read, observed, expected), "", numbers, charts=_charts(read),
                       value=value, expected=wanted)  # fmt: skip
    worst: Verdict = "fail" if any(f.verdict == "fail" for f in faults) else "warn"
    text = "; ".join(f.text for f in faults)
    return Finding(
        worst, f"{text[:1].upper()}{text[1:]} (first epoch, {read['n']:,} samples).",
        " ".join(dict.fromkeys(f.step for f in faults)), numbers, charts=_charts(read), value=value,
        expected=wanted,
    )  # fmt: skip


def neighbours(given: Any, whole: Any) -> tuple[float, float, float]:
    """(share of neighbours of one class, its expectation in a random order, standard error).

    The expectation is over random orders of the labels that came: sum of n_c (n_c - 1) / n (n - 1);
    the error that of independent neighbours.
    """
    n = len(given)
    if n < 3:
        return 0.0, 0.0, 1.0
    counts = np.bincount(given)
    expected = float((counts * (counts - 1)).sum() / (n * (n - 1)))
    observed = float((given[1:] == given[:-1]).mean())
    return observed, expected, math.sqrt(max(expected * (1 - expected), 1e-9) / (n - 1))


def rank_correlation(order: Any) -> float:
    """Spearman's, of place in the epoch and number in the set; 0 for fewer than 3 samples."""
    n = len(order)
    if n < 3 or len(np.unique(order)) < 3:
        return 0.0
    ranks = np.argsort(np.argsort(order, kind="stable"), kind="stable")
    return float(np.corrcoef(np.arange(n), ranks)[0, 1])


def _sorted(
    observed: float, expected: float, se: float, rank: float, params: Params
) -> list[Fault]:
    excess = observed - expected
    if excess > params.z * se and excess > params.excess * (1 - expected):
        return [Fault(
            f"the training batches come sorted by class: {observed:.0%} of neighbours are of one "
            f"class, {expected:.0%} expected by chance", "Shuffle the training loader "
            "(shuffle=True with a generator seeded from the seed it is given).",
        )]  # fmt: skip
    if abs(rank) > params.order:
        return [Fault(
            f"the training batches come in the order of the data set (rank correlation {rank:.2f}, "
            "0 expected)", "Shuffle the training loader (shuffle=True with a generator seeded from "
            "the seed it is given).",
        )]  # fmt: skip
    return []


def _incomplete(read: Reading, params: Params) -> list[Fault]:
    if read["how"] != "numbered":
        return []
    first, n = read["first"], int(read["n"])
    seen = len(np.unique(first))
    allowed = params.missing * n + int(np.max(read["sizes"]))
    twice = len(first) - seen
    if n - seen <= allowed:
        return []
    step = "Load from the whole set, each sample once; drop_last may cost one batch."
    if _rebalanced(read):
        return []
    if twice > REPEATED * n:
        return [Fault(
            f"samples are drawn with replacement: an epoch of {len(first):,} shows {seen:,} of "
            f"{n:,} samples", step, "warn",
        )]  # fmt: skip
    if len(first) > 0.5 * n:
        return [Fault(f"an epoch shows {seen:,} of {n:,} samples", step, "warn")]
    return [Fault(f"an epoch shows only {seen:,} of {n:,} samples", step)]


def _skewed(read: Reading, names: list[str], params: Params) -> list[Fault]:
    """Common classes drawn more often, rare ones less: the weights of a sampler upside down."""
    first = read["first"]
    if read["how"] != "numbered" or len(first) - len(np.unique(first)) < REPEATED * read["n"]:
        return []
    whole, given, n = _shares(read)
    error = np.sqrt(whole * (1 - whole) / n)
    z = np.divide(given - whole, error, out=np.zeros_like(whole), where=error > 0)
    lost = int(np.argmin(z))
    if z[lost] > -params.z or given[lost] > whole[lost] / 2 or whole[lost] > whole.max() / 2:
        return []
    if given[int(np.argmax(whole))] <= whole.max():
        return []
    name = names[lost] if lost < len(names) else str(lost)
    return [Fault(
        f"classes come more unevenly than they are: {name} is {whole[lost]:.0%} of the samples and "
        f"{given[lost]:.1%} of the epoch", "Weight each sample by one over the count "
        "of its class, not by the count.",
    )]  # fmt: skip


def _rebalanced(read: Reading) -> bool:
    """Whether rare classes are drawn more often than they are: a sampler that balances them."""
    whole, given, _ = _shares(read)
    uneven = whole[whole > 0].max() / whole[whole > 0].min()
    after = given[whole > 0].max() / max(float(given[whole > 0].min()), 1e-9)
    return bool(uneven > 1.5 and after < 0.67 * uneven)


def _shares(read: Reading) -> tuple[Any, Any, int]:
    """(c,) share of each class in the set and in the epoch, and the length of the epoch."""
    labels, first = read["all_labels"], read["first"]
    whole = np.bincount(labels) / len(labels)
    given = np.bincount(labels[first], minlength=len(whole)) / len(first)
    return whole, given, len(first)


def _same(read: Reading) -> list[Fault]:
    key = "first" if read["how"] == "numbered" else "labels"
    first, second = read["first"], read["second"]
    if len(first) > 8 and len(first) == len(second) and np.array_equal(first, second):
        return [Fault(
            "two epochs (two seeds) come in the same order", "Seed the loader's generator with the "
            "seed that train_loader is given: each epoch is given another one.",
        )] if key == "first" else []  # fmt: skip
    return []


def _fine(read: Reading, observed: float, expected: float) -> str:
    seen = len(np.unique(read["first"]))
    mixed = (f"Batches are mixed: {observed:.0%} of neighbours are of one class, {expected:.0%} "
             "expected by chance")  # fmt: skip
    if read["how"] != "numbered":
        return f"{mixed} ({len(read['first']):,} samples looked at)."
    if _rebalanced(read):
        return (
            f"{mixed}; rare classes are drawn more often ({seen:,} of {read['n']:,} samples seen)."
        )
    return (
        f"{mixed}; an epoch shows {seen:,} of {read['n']:,} samples, each epoch in another order."
    )


def _charts(read: Reading) -> tuple[Chart, ...]:
    labels = read["labels"][:400]
    return (Chart("scatter", "Class of each sample as it comes", "place in the epoch", "class",
                  list(range(len(labels))), {"class": labels.tolist()}),)  # fmt: skip


CHECK = Check(
    id="batch_order",
    stage="skeleton",
    question="Are training batches mixed anew each epoch, with every sample in it once?",
    why="A net that sees one class after the other learns and forgets in turn, and batch norm "
    "measures one class at a time. A bad answer: neighbours of one class far more often than by "
    "chance, the same order every epoch, or samples that never come.",
    params=Params,
    judge=judge,
    probes=(ORDER,),
)
