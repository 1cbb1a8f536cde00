"""Are labels wrong, which, and how many?

A network can learn a wrong label by heart, but not from it; in a test set it makes the best model
look worse than it is. Look at the most probable ones first: the curve says how many to look at.

A classifier that has not seen a picture (nor a copy of it) says what it shows. Where it is sure and
the label says otherwise, the label is probably wrong; where it is merely weak, a noise model keeps
that apart. Known wrong labels, planted into the data set itself, calibrate the number and its
interval and teach which signs tell a wrong label. Measured when asked for (`recipe noise`, `recipe
scan --check label_noise`): it takes minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from recipe_core.data.label_noise.curve import found_by, look_at, precision_at
from recipe_core.data.label_noise.measure import NAME, NOISE, PROBABILITY, SUGGESTED, summary_of
from recipe_core.data.near_pairs import NEAR
from recipe_core.data.pixel_copies import PIXELS
from recipe_core.data.properties import counted, percent
from recipe_core.kernel.check import Check
from recipe_core.kernel.errors import MissingInput
from recipe_core.kernel.evidence import Evidence
from recipe_core.kernel.nouns import Chart, Finding, Subjects
from recipe_core.kernel.params import setting

Floats = npt.NDArray[np.float64]

DEPTHS = (20, 50, 100, 200, 500, 1000)
SHARES = (0.5, 0.8, 0.9)
MOST_CELLS = 20
WORTH_SAYING = 0.01
"""Share of hidden mistakes from which the sentence speaks of them."""
NARROWER = (
    "For a narrower answer give better features (--embedding) or out-of-sample probabilities of a "
    "stronger model (--probabilities)."
)


@dataclass(frozen=True)
class Params:
    """When labels are too bad to go on."""

    tolerated: float = setting(
        0.005, low=0.0, high=0.5,
        why="share of wrong labels that is no news; ImageNet's and CIFAR's test sets have 0.5 to "
        "6 % (Northcutt, Athalye and Mueller 2021): warned of where the interval lies above",
    )  # fmt: skip
    serious: float = setting(
        0.05, low=0.0, high=0.9,
        why="share from which a held-out accuracy ranks models wrongly: a failure where the "
        "interval lies above",
    )  # fmt: skip
    suspect: float = setting(
        0.5, low=0.05, high=0.99,
        why="a label is named where it is more probably wrong than right",
    )  # fmt: skip
    widest: float = setting(
        0.3, low=0.05, high=1.0,
        why="an interval wider than this says that the classifier is too weak to tell",
    )  # fmt: skip


def judge(evidence: Evidence, params: Params) -> Finding:
    """Warn or fail where the rate's whole interval lies above a threshold."""
    if NAME not in evidence.tables:
        raise MissingInput(
            "it takes minutes and is looked for when asked. Run recipe noise, or recipe scan "
            "--check label_noise"
        )
    table = evidence.table(NAME)
    about = summary_of(table)
    rows = table["row"].to_numpy()
    wrong = np.asarray(table[PROBABILITY].to_numpy(), np.float64)
    suggested = np.asarray(table[SUGGESTED].to_pylist(), dtype=object)
    figures = numbers(about, wrong)
    named = _named(evidence, rows, wrong, suggested, params.suspect)
    charts = (_curve(wrong), _cells(about))
    verdict = _verdict(about, params)
    summary, next_step = _said(about, wrong, len(named), verdict, params)
    return Finding(verdict, summary, next_step, figures, named, charts,
                   value=round(about["rate"], 4), expected=f"at most {percent(params.tolerated)}",
                   )  # fmt: skip


def _verdict(about: dict[str, Any], params: Params) -> Any:
    if about["low"] > params.serious:
        return "fail"
    return "warn" if about["low"] > params.tolerated else "pass"


def numbers(about: dict[str, Any], wrong: Floats) -> dict[str, Any]:
    """The figures behind the sentence."""
    names = about["class_names"]
    by_class = {
        n: {"rate": r, "low": low, "high": high}
        for n, (r, low, high) in zip(names, about["by_class"], strict=True)
    }
    return {
        "noise_rate": about["rate"], "noise_rate_low": about["low"],
        "noise_rate_high": about["high"], "labelled_samples": about["n"],
        "expected_wrong": float(wrong.sum()),
        "expected_precision_at": {
            str(n): precision_at(wrong, n) for n in DEPTHS if n <= len(wrong)
        },
        "look_at_to_find": {f"{s:.0%}": look_at(wrong, s) for s in SHARES},
        "by_class": by_class, "class_names": names, "noise_matrix": about["matrix"],
        "pairs": _pairs(about), "classifier_agrees": about["agreement"],
        "auroc_on_planted": _mean(about["found"]),
        "response_to_planted": about["response"], "may_be_hidden": about["hidden"],
        "embedding": about["embedding"],
        "probabilities": about["probabilities"], "seed": about["seed"],
        "trained_on": about.get("trained_on", 0),
        "conflicting_copies": about.get("conflicting_copies", 0),
    }  # fmt: skip


def _mean(values: Sequence[float]) -> float | None:
    known = [v for v in values if np.isfinite(v)]
    return float(np.mean(known)) if known else None


def _pairs(about: dict[str, Any]) -> list[dict[str, Any]]:
    """The pairs of classes that are mixed up most."""
    matrix, names = np.array(about["matrix"]), about["class_names"]
    np.fill_diagonal(matrix, 0)
    order = np.argsort(-matrix, axis=None, kind="stable")[:MOST_CELLS]
    cells = (divmod(int(i), len(names)) for i in order)
    return [{"shows": names[i], "labelled": names[j], "share": float(matrix[i, j])}
            for i, j in cells if matrix[i, j] > 0.001]  # fmt: skip


def _named(
    evidence: Evidence, rows: npt.NDArray[np.int64], wrong: Floats,
    suggested: npt.NDArray[np.object_], suspect: float,
) -> Subjects:  # fmt: skip
    label = evidence.texts("label")
    chosen = np.flatnonzero((wrong >= suspect) & (suggested != label[rows]))
    chosen = chosen[np.argsort(-wrong[chosen], kind="stable")]
    details = [
        f"labelled {label[rows[i]]}, looks like {suggested[i]} ({percent(wrong[i])} wrong)"
        for i in chosen
    ]
    scores = np.asarray(1 - wrong[chosen], np.float32)
    return Subjects(rows[chosen], scores, details)


def _said(
    about: dict[str, Any], wrong: Floats, n_named: int, verdict: str, params: Params
) -> tuple[str, str]:
    low, high, hidden = about["low"], about["high"], _hidden(about)
    seen = (
        f"About {percent(about['rate'])} of {counted(about['n'], 'label')} are "
        f"{'seen to be wrong' if hidden else 'wrong'} (95 % interval {percent(low)} to "
        f"{percent(high)}, calibrated on planted wrong labels{_joined(about)})"
    )
    n = max(1, min(n_named or 50, len(wrong)))
    queue = (
        f"Look at the first {counted(n, 'picture')} of the queue: about "
        f"{percent(precision_at(wrong, n))} of them should be wrong"
    )
    half = f"half of all are expected among the first {look_at(wrong, 0.5):,}"
    if high - low > params.widest:
        weak = (
            f"{seen}: the classifier, right about {percent(about['agreement'])} of the labels, is "
            f"too weak to say more.{hidden}"
        )
        return weak, f"{queue}. {NARROWER}"
    expected = f"{seen}; expected at most {percent(params.tolerated)}"
    narrower = f" {NARROWER}" if hidden else ""
    if verdict == "pass":
        next_step = f"{queue}.{narrower}" if n_named else narrower.strip()
        return f"{expected}, which cannot be ruled out.{hidden}", next_step
    return f"{expected}.{hidden}", f"{queue}; {half}.{narrower}"


def _hidden(about: dict[str, Any]) -> str:
    """What the interval's upper end allows for beyond what was seen."""
    if about["hidden"] < WORTH_SAYING:
        return ""
    return (
        f" The upper end counts up to {percent(about['hidden'])} of mistakes on pictures that the "
        "classifier itself is unsure of: nothing tells those from its own confusion."
    )


def _joined(about: dict[str, Any]) -> str:
    """What was counted beside the classifiers."""
    copies, trained = about.get("conflicting_copies", 0), about.get("trained_on", 0)
    said = f"; {counted(copies, 'picture')} have a copy with another label" if copies else ""
    if trained:
        said += (f"; the order also counts margin and forgetting of a training run on "
                 f"{trained:,} of them")  # fmt: skip
    return said


def _curve(wrong: Floats) -> Chart:
    found = found_by(wrong)
    n = len(found)
    places = np.unique(np.geomspace(1, n, 60).astype(int))
    return Chart(
        "line", "Look at so many to find …", "pictures looked at", "share of wrong labels found",
        places.tolist(),
        {"expected": found[places - 1].tolist(), "at random": (places / n).tolist()},
    )  # fmt: skip


def _cells(about: dict[str, Any]) -> Chart:
    """Where labels go, for the classes that lose or gain most."""
    matrix, names = np.array(about["matrix"]), about["class_names"]
    np.fill_diagonal(matrix, 0)
    top = np.sort(np.argsort(-(matrix.sum(0) + matrix.sum(1)), kind="stable")[:MOST_CELLS])
    series: dict[str, Sequence[float]] = {names[i]: matrix[i, top].tolist() for i in top}
    return Chart(
        "heatmap", "Share of a class that is labelled as another", "labelled as", "shows",
        [names[i] for i in top], series,
    )  # fmt: skip


CHECK = Check(
    id="label_noise",
    stage="data",
    question="Which labels are wrong, and how many?",
    why=(
        "A network learns wrong labels by heart instead of from them, and in a test set they rank "
        "models wrongly. Looked for when asked: run recipe noise."
    ),
    params=Params,
    judge=judge,
    measures=(PIXELS, NEAR, NOISE),
)
