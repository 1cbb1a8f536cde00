"""Does the net do better with the pictures than without them?

Set every input to zero and train: the net can then learn the class shares and nothing else. Trained
on real pictures it must do better on held-out ones than that, and than the best constant answer,
beyond the noise of seeds and samples. If it does not, the pictures do not reach the net, or what it
learns from them is not about the labels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from recipe_core.kernel.check import Check, Probe
from recipe_core.kernel.nouns import Chart, Finding
from recipe_core.kernel.params import setting
from recipe_core.kernel.readings import Reading, Readings

ARMS = Probe("arms", 2, "recipe_core.skeleton.probes.arms:arms", 240.0)


@dataclass(frozen=True)
class Params:
    seeds_t: float = setting(
        2.92, low=1.0, high=20.0,
        why="standard errors over the three seeds: one-sided 95 % of Student's t with 2 degrees",
    )  # fmt: skip
    samples_z: float = setting(
        1.64, low=1.0, high=10.0,
        why="standard errors over the held-out samples: one-sided 95 % of the normal distribution",
    )  # fmt: skip
    memorised: float = setting(
        0.15, low=0.0, high=1.0,
        why="accuracy on training samples, above that of the net without pictures, from which the "
        "net has learned something of them",
    )  # fmt: skip
    carries: float = setting(
        0.33, low=0.0, high=1.0,
        why="share of the gain on training samples that held-out ones should show: if even that "
        "would be lost in the noise, the samples are too few to tell",
    )  # fmt: skip
    moves: float = setting(
        1e-4, low=0.0, high=1.0,
        why="spread of the outputs over different pictures below which they do not depend on them",
    )  # fmt: skip


@dataclass(frozen=True)
class Gain:
    """What the pictures bring, averaged over seeds, and the margin that chance allows."""

    mean: float
    margin: float

    @property
    def sure(self) -> bool:
        return self.mean > self.margin


def judge(readings: Readings, params: Params) -> Finding:
    read = readings.need("arms")
    held = read["real_hits"].astype(float)
    hits = worst(
        gain(held, read["zero_hits"].astype(float), params),
        gain(held, read["constant_hits"].astype(float)[None], params),
    )
    train = gain(
        read["real_train_hits"].astype(float), read["zero_train_hits"].astype(float), params
    )
    loss = loss_gain(read, params)
    real, blank = float(read["real_hits"].mean()), float(read["zero_hits"].mean())
    numbers = {
        "accuracy": real, "accuracy_without_pictures": blank, "n": read["n_eval"],
        "accuracy_gain": hits.mean, "accuracy_margin": hits.margin, "loss_gain": loss.mean,
        "loss_margin": loss.margin, "training_gain": train.mean, "seeds": len(read["real_loss"]),
        "steps": read["steps"], "loss": float(read["real_loss"].mean()),
        "loss_without_pictures": float(read["zero_loss"].mean()),
        "spread_of_outputs": float(read["real_spread"].mean()),
    }  # fmt: skip
    seen = (
        f"with pictures {real:.1%} of {read['n_eval']} held-out samples are right, with blank ones "
        f"{blank:.1%} (loss {numbers['loss']:.2f} against {numbers['loss_without_pictures']:.2f}, "
        f"{numbers['seeds']} seeds, {read['steps']} steps)"
    )
    wanted = f"more than {blank + hits.margin:.1%}"

    def told(verdict: Any, text: str, step: str = "") -> Finding:
        return Finding(verdict, text, step, numbers, charts=_charts(read), value=round(real, 4),
                       expected=wanted)  # fmt: skip

    if numbers["spread_of_outputs"] < params.moves:
        return told(
            "fail", f"The outputs do not depend on the pictures: over {read['n_eval']} of them "
            f"they spread by {numbers['spread_of_outputs']:.2g}; {seen}.",
            "Look at see_the_input (is it constant?) and at dead units.",
        )  # fmt: skip
    if hits.sure or loss.sure:
        return told("pass", f"{seen[:1].upper()}{seen[1:]}: the pictures are used.")
    if train.mean > params.memorised:
        if params.carries * train.mean > hits.margin:
            return told(
                "fail", f"What the net learns from training pictures (+{train.mean:.0%} right "
                f"there) does not carry over: {seen}; expected more than chance allows "
                f"(± {hits.margin:.1%}).",
                "Compare labels and pictures of the two splits: label maps, transforms, shuffled "
                "labels.",
            )  # fmt: skip
        return told("skipped", f"Not judged: {read['n_eval']} held-out samples are too few to "
                    f"tell: {seen}, and chance allows ± {hits.margin:.1%}.")  # fmt: skip
    return told(
        "skipped", f"Not judged: within {read['steps']} steps the net learns no more from real "
        f"training pictures than from blank ones; {seen}.",
        "Look at overfit_batch and learning_rate first.",
    )  # fmt: skip


def gain(real: Any, blank: Any, params: Params) -> Gain:
    """The mean of real - blank over (seeds, samples), and the margin of both kinds of chance."""
    difference = real - blank
    seeds, samples = difference.mean(1), difference.mean(0)
    over_seeds = seeds.std(ddof=1) / math.sqrt(len(seeds)) if len(seeds) > 1 else 0.0
    over_samples = samples.std(ddof=1) / math.sqrt(len(samples)) if len(samples) > 1 else math.inf
    if real.max() <= 1 and real.min() >= 0:  # shares: few samples may agree by chance (Laplace)
        p = (real.mean() * len(samples) + 1) / (len(samples) + 2)
        over_samples = max(over_samples, math.sqrt(p * (1 - p) / len(samples)))
    margin = math.hypot(params.seeds_t * over_seeds, params.samples_z * over_samples)
    return Gain(float(seeds.mean()), float(margin))


def worst(*gains: Gain) -> Gain:
    """The gain that is furthest from being sure: every baseline must be beaten."""
    return min(gains, key=lambda g: g.mean - g.margin)


def loss_gain(read: Reading, params: Params) -> Gain:
    """By how much the pictures lower the held-out loss, below blank ones and the best constant."""
    real, blank = read.get("real_losses"), read.get("zero_losses")
    if real is not None and blank is not None and np.isfinite(real).all():
        constant = read.get("constant_losses")
        below = [gain(blank, real, params)] if np.isfinite(blank).all() else []
        below += [gain(constant[None], real, params)] if constant is not None else []
        return worst(*below) if below else Gain(0.0, math.inf)
    difference = read["zero_loss"] - read["real_loss"]
    error = difference.std(ddof=1) / math.sqrt(len(difference)) if len(difference) > 1 else math.inf
    return Gain(float(difference.mean()), float(params.seeds_t * error))


def _charts(read: Reading) -> tuple[Chart, ...]:
    x = list(range(1, read["real_curve"].shape[1] + 1))
    seeds = [str(k) for k in range(len(read["real_loss"]))]
    return (
        Chart("bar", "Held-out samples that are right, by seed", "seed", "share", seeds, {
            "with pictures": read["real_hits"].mean(1).tolist(),
            "with blank ones": read["zero_hits"].mean(1).tolist(),
        }),
        Chart("line", "Training loss (mean of the seeds)", "step", "loss", x, {
            "with pictures": read["real_curve"].mean(0).tolist(),
            "with blank ones": read["zero_curve"].mean(0).tolist(),
        }),
    )  # fmt: skip


CHECK = Check(
    id="zero_input",
    stage="skeleton",
    question="Does the net do better with the pictures than without them?",
    why="With every input at zero a net can learn the class shares only. Real pictures must beat "
    "that on held-out samples, beyond the noise of seeds; if not, they do not reach the net, or "
    "what it learns is not about the labels.",
    params=Params,
    judge=judge,
    probes=(ARMS,),
    explained_by=("see_the_input", "parameters_update", "overfit_batch", "learning_rate"),
)
