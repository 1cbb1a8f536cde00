"""Does the loss start where a net that knows nothing should start?

With C classes and a soft-max the first loss of a net that has learned nothing is ln C; with the
last bias set to the class shares it is their entropy. Other losses have other values, so the
expectation is computed from the loss function itself, on equal outputs. A loss that starts far
above means that the net is confidently wrong before it has seen anything (weights too large, inputs
not normalised, a wrong bias): the first steps are spent on unlearning that. A loss that starts
below means that it knows what it cannot know.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from recipe_core.kernel.check import Check, Probe
from recipe_core.kernel.nouns import Chart, Finding, Verdict
from recipe_core.kernel.params import setting
from recipe_core.kernel.readings import Reading, Readings
from recipe_core.reporting.wording import number

START = Probe("start", 1, "recipe_core.skeleton.probes.start:start", 180.0)

LEAST_GAIN = 0.02
"""Share of the loss of equal outputs by which a last bias lowers it that was set, not drawn: one
that is the same for all classes tells a sigmoid per class how rare each is (Lin et al., "Focal Loss
for Dense Object Detection", ICCV 2017)."""
MOST_ERROR = 0.25
"""Of the expectation: seeds that scatter more say that the loss is wild, not that it is unknown."""


@dataclass(frozen=True)
class Params:
    warn_spread: float = setting(
        1.8, low=0.5, high=50.0,
        why="standard deviation of the first logits: torch's own initialisation gives 0.6 on "
        "features of unit size, Kaiming's and Xavier's up to 1.4 (the root of 2); the excess of "
        "the loss over knowing nothing is read on the loss of made-up logits of this spread",
    )  # fmt: skip
    fail_spread: float = setting(
        2.6, low=0.5, high=100.0,
        why="twice the variance of Kaiming's and more: the net starts surer of wrong answers than "
        "any common initialisation makes it",
    )  # fmt: skip
    below: float = setting(
        0.05, low=0.0, high=1.0,
        why="share of the expected loss by which a random net may lie below it by luck; the "
        "standard error of the samples and of the seeds comes on top",
    )  # fmt: skip
    errors: float = setting(
        4.0, low=1.0, high=10.0,
        why="standard errors on either side: samples of one class are alike, so their error is "
        "larger than that of as many independent ones",
    )  # fmt: skip


def judge(readings: Readings, params: Params) -> Finding:
    read = readings.need("start")
    loss = float(np.mean(read["losses"]))
    expected, basis = expectation(read)
    error = min(_error(read), MOST_ERROR * abs(expected) / params.errors)
    numbers = {
        "loss": loss, "losses": read["losses"], "expected": expected, "basis": basis,
        "standard_error": error, "n": read["n"], "uniform": read["uniform"],
        "entropy_of_the_shares": read["best"], "spread_of_logits": read["spread"],
        "apparent_spread": apparent_spread(read, loss, expected),
        "ln_C": math.log(max(2, read["num_classes"])), "output": read["kind"],
    }  # fmt: skip
    wanted = f"{number(expected)} ± {number(params.errors * error)} ({basis})"
    verdict, said, step = _verdict(read, loss, expected, error, params)
    margin = params.errors * error
    summary = (
        f"The first loss is {loss:.3f}{said}; expected {expected:.3f} ± {margin:.3f} ({basis}; "
        f"n = {read['n']}, {len(read['losses'])} seeds)."
    )
    return Finding(verdict, summary, step, numbers, charts=_charts(read, expected), value=loss,
                   expected=wanted)  # fmt: skip


def expectation(read: Reading) -> tuple[float, str]:
    """The loss of a net that knows nothing, or nothing but the class shares; and why that."""
    uniform, best = read["uniform"], read["best"]
    classes = read["num_classes"]
    if bias_is_set(read) and math.isfinite(best):
        return best, "the last bias is set: entropy of the class shares"
    by_bias = read["bias_loss"]
    if by_bias is not None and uniform - by_bias > LEAST_GAIN * abs(uniform):
        return by_bias, "the loss function on the last bias alone"
    if math.isclose(uniform, math.log(classes), rel_tol=1e-3):
        return uniform, f"ln {classes}"
    return uniform, "the loss function on equal outputs"


def bias_is_set(read: Reading) -> bool:
    """Whether the last bias is more than a random one: it says something about the shares."""
    bias = read["bias"]
    if bias is None or len(bias) < 2:
        return False
    return float(np.std(bias)) > 0.5 and float(np.std(read["best_bias"])) > 0.25


def apparent_spread(read: Reading, loss: float, expected: float) -> float:
    """The deviation of made-up logits whose loss exceeds that of equal outputs as much; 0 below."""
    wild, spreads = np.asarray(read["wild"], float), np.asarray(read["wildness"], float)
    excess = np.maximum.accumulate(np.nan_to_num(wild - wild[0], nan=np.inf))
    if not math.isfinite(loss):
        return math.inf
    return float(np.interp(loss - expected, excess, spreads))


def _error(read: Reading) -> float:
    """Of the mean over seeds: their scatter, or what the samples allow, whichever is larger."""
    losses = np.asarray(read["losses"], float)
    seeds = float(losses.std(ddof=1) / math.sqrt(len(losses))) if len(losses) > 1 else 0.0
    return max(seeds, float(read["standard_error"]))


def _verdict(
    read: Reading, loss: float, expected: float, error: float, params: Params
) -> tuple[Verdict, str, str]:
    if not math.isfinite(loss):
        return "fail", ", not a finite number", (
            "Look at the input's range and the weights' size; in half precision at overflow."
        )  # fmt: skip
    tamest = float(np.min(read["losses"])) - params.errors * float(read["standard_error"])
    spread = apparent_spread(read, tamest, expected)
    if spread > params.warn_spread:
        said = f", as if the logits were drawn with standard deviation {spread:.1f}"
        step = (
            "Set the last bias from the class shares in the right order, or to zero."
            if bias_is_set(read)
            else "Normalise the input, and shrink the last layer's initial weights (torch's "
            "default is enough, or zeros); look for initial weights of deviation 1."
        )
        return ("fail" if spread > params.fail_spread else "warn"), said, step
    slack = params.errors * error + params.below * abs(expected)
    if loss < expected - slack and loss < read["uniform"] - slack:
        if read["loaded"] > 0.5:
            return "pass", ", below chance as the weights are loaded, not drawn", ""
        return "fail", ", lower than a net that knows nothing can have", (
            "Look for labels that reach the input, and at how the loss is averaged."
        )  # fmt: skip
    return "pass", "", ""


def _charts(read: Reading, expected: float) -> tuple[Chart, ...]:
    shown = [(s, w) for s, w in zip(read["wildness"], read["wild"], strict=True) if s <= 6]
    return (Chart(
        "bar", "First loss by seed", "seed", "loss",
        [str(k) for k in range(len(read["losses"]))], {"loss": list(read["losses"])}, [expected],
    ), Chart(
        "line", "Loss of made-up logits", "standard deviation of the logits", "loss",
        [s for s, _ in shown], {"loss": [w for _, w in shown]}, [float(np.mean(read["losses"]))],
    ))  # fmt: skip


CHECK = Check(
    id="loss_at_init",
    stage="skeleton",
    question="Does the loss start where a net that knows nothing should start?",
    why="The first loss has a value that can be computed: ln C for a soft-max over C classes. Far "
    "above it, the net is confidently wrong before it has seen anything; below it, it knows what "
    "it cannot know.",
    params=Params,
    judge=judge,
    probes=(START,),
    explained_by=(),
)
