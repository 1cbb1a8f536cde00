"""Is the learning rate one at which this net learns, and does its schedule keep it long enough?

The same few steps are taken on a copy at today's rate and at rates a tenth to a thousand times of
it: a rate that a hundred times smaller one beats is too high; one at which the whole planned
training would not get as far as a few steps do at another is too low. The schedule is computed
without training: one that has decayed to nothing long before the end, that swings within an epoch
because it counts epochs and is stepped per batch, or that never gets going because it counts
batches and is stepped per epoch, is copied from elsewhere.
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
from recipe_core.reporting.wording import number

RATES = Probe("rates", 1, "recipe_core.skeleton.probes.rates:rates", 240.0)
SCHEDULE = Probe("schedule", 1, "recipe_core.skeleton.probes.rates:schedule", 120.0)
GONE = 0.01
FLAT = 1.5
FAR = 4
"""Times the highest rate of the training that a warm-up in the other unit must reach."""


@dataclass(frozen=True)
class Params:
    reach: float = setting(
        0.25, low=0.0, high=10.0,
        why="how far the whole training must get at today's rate, relative to what the few steps "
        "of the test get at the best larger one; steps at a small rate add up at most linearly",
    )  # fmt: skip
    worse: float = setting(
        0.2, low=0.0, high=1.0,
        why="share of the best gain by which a rate a hundred times smaller must get further "
        "before today's is too high: below the stable limit a smaller rate is always slower",
    )  # fmt: skip
    gone: float = setting(
        0.4, low=0.05, high=1.0,
        why="share of the training that may pass at less than a hundredth of the highest rate: "
        "cosine spends 6 %, three steps of a tenth at most a third",
    )  # fmt: skip
    learnable: float = setting(
        0.05, low=0.0, high=1.0,
        why="share of the first loss that some rate must gain within the test, else the rate is "
        "not what is wrong",
    )  # fmt: skip


@dataclass(frozen=True)
class Fault:
    text: str
    step: str
    verdict: Verdict = "fail"


def judge(readings: Readings, params: Params) -> Finding:
    plan = readings.need("schedule")
    faults = scheduled(plan, params)
    read = readings.need("rates") if not faults else readings.found("rates")
    rate = max(read["lr"]) if read is not None else plan["initial"]
    numbers: dict[str, Any] = {"lr": rate, "schedule": plan["kind"], "epochs": plan["epochs"],
                               "steps_per_epoch": plan["steps_per_epoch"]}  # fmt: skip
    charts = _schedule_chart(plan)
    if read is not None:
        numbers |= {"gain": dict(zip(map(str, read["factors"]), gains(read), strict=True)),
                    "steps": read["steps"], "first_loss": read["first"]}  # fmt: skip
        charts = (*_range_chart(read), *charts)
        faults += ranged(read, effective_steps(plan), params)
    wanted = expected(read)
    if faults:
        worst: Verdict = "fail" if any(f.verdict == "fail" for f in faults) else "warn"
        return Finding(worst, f"{'; '.join(f.text for f in faults)}.",
                       " ".join(dict.fromkeys(f.step for f in faults)), numbers, charts=charts,
                       value=rate, expected=wanted)  # fmt: skip
    if read is not None and max(gains(read)) < params.learnable * abs(read["first"]):
        return Finding(
            "skipped", f"Not judged: no rate from {number(rate / 100)} to {number(rate * 1000)} "
            f"lowers the loss within {read['steps']} steps, so the rate is not what is wrong.",
            "Look at overfit_batch and parameters_update first.", numbers, charts=charts,
            value=rate, expected=wanted,
        )  # fmt: skip
    return Finding("pass", _fine(plan, read, rate), "", numbers, charts=charts, value=rate,
                   expected=wanted)  # fmt: skip


# -- the rate -----------------------------------------------------------------------------------


def gains(read: Reading) -> list[float]:
    """By how much each rate lowers the loss; -inf where it ends in no number."""
    return [read["first"] - v if math.isfinite(v) else -math.inf for v in read["last"]]


def ranged(read: Reading, total: float, params: Params) -> list[Fault]:
    """What is wrong with today's rate. `total`: planned steps, weighted by the schedule."""
    gain = dict(zip(read["factors"], gains(read), strict=True))
    best = max(gain.values())
    rate, steps = max(read["lr"]), read["steps"]
    if best < params.learnable * abs(read["first"]):
        return []
    now = gain[1.0]
    if gain[0.01] > max(now, 0.0) + params.worse * best:
        said = "ends in no number" if not math.isfinite(now) else f"gains {now:.2f} of the loss"
        return [Fault(
            f"At today's learning rate of {rate:g} the net {said} within {steps} steps, at a "
            f"hundredth of it {gain[0.01]:.2f}: it is too high",
            f"Lower it: {_names(gain, rate, best)}.",
        )]  # fmt: skip
    larger = {f: g for f, g in gain.items() if f > 1}
    ahead = max(larger.values())
    reached = max(now, 0.0) * total / steps
    if ahead > now and reached < params.reach * ahead:
        return [Fault(
            f"At today's learning rate of {rate:g} the net gains {now:.3f} of the loss within "
            f"{steps} steps, at the best larger one {ahead:.2f}: the whole training (worth "
            f"{total:,.0f} steps at the full rate) would not get as far as {steps} steps do there",
            f"Raise it: {_names(gain, rate, best)}; look at Adam's epsilon too.",
        )]  # fmt: skip
    return []


def _names(gain: dict[float, float], rate: float, best: float) -> str:
    good = sorted(f for f, g in gain.items() if g >= 0.7 * best)
    return "rates that learn fast here are " + ", ".join(f"{f * rate:.2g}" for f in good)


def expected(read: Reading | None) -> str:
    """The tried rates that gain at least half of what the best gains."""
    if read is None:
        return ""
    gain = dict(zip(read["factors"], gains(read), strict=True))
    good = sorted(f * max(read["lr"]) for f, g in gain.items() if g >= 0.5 * max(gain.values()))
    return f"{good[0]:.2g} … {good[-1]:.2g} learn fastest" if good else ""


def suggestion(readings: Readings) -> dict[str, float]:
    """{"fastest": the tried rate that gained most}; {} where none gained or none was tried."""
    read = readings.found("rates")
    if read is None:
        return {}
    gain = dict(zip(read["factors"], gains(read), strict=True))
    factor = max(gain, key=lambda f: gain[f])
    return {"fastest": float(f"{factor * max(read['lr']):.3g}")} if gain[factor] > 0 else {}


def effective_steps(plan: Reading) -> float:
    """Steps of the whole training at its full rate that its schedule is worth."""
    total = plan["epochs"] * plan["steps_per_epoch"]
    rates = plan.get("rates")
    if rates is None or not len(rates):
        return float(total)
    return float(total * min(1.0, float(np.clip(rates, 0, None).mean())))


# -- the schedule -------------------------------------------------------------------------------


def scheduled(plan: Reading, params: Params) -> list[Fault]:
    """What is wrong with the schedule; nothing where there is none or it follows a metric."""
    rates = plan.get("rates")
    if rates is None or not len(rates):
        return []
    interval, epochs = plan["interval"], plan["epochs"]
    step = (
        f"It is advanced every {interval} (scheduler_interval): count its arguments in "
        f"{interval}s; the training has {epochs} epochs of {plan['steps_per_epoch']} steps."
    )
    if plan["error"]:
        return [Fault(f"The schedule breaks off within the training: {plan['error']}", step)]
    dead = float((rates < GONE * rates.max()).mean())
    swings, period = cycles(rates)
    if interval == "step" and swings >= 3 and period <= plan["steps_per_epoch"]:
        return [Fault(
            f"The rate goes up and down every {period:.0f} steps, {swings} times within {epochs} "
            "epochs: the schedule counts epochs and is advanced per step", step,
        )]  # fmt: skip
    if dead > params.gone:
        alive = 1 - dead
        return [Fault(
            f"The learning rate decays to nothing: below a hundredth of its highest for {dead:.0%} "
            f"of the training, at most {params.gone:.0%} expected; all learning must happen in "
            f"the first {alive * epochs:.2g} epochs", step,
        )]  # fmt: skip
    if _warms_up_for_ever(plan):
        reached = rates.max() / plan["other"].max()
        return [Fault(
            f"The warm-up does not end: after {epochs} epochs the rate is at {reached:.0%} of what "
            "it would reach if it were advanced every step: it counts steps and is advanced per "
            "epoch", step,
        )]  # fmt: skip
    if _never_gets_going(plan, params):
        return [Fault(
            f"The schedule hardly moves in {epochs} epochs, but would fit the training if it were "
            "advanced every step: it counts steps and is advanced per epoch", step, "warn",
        )]  # fmt: skip
    return []


def cycles(rates: Any) -> tuple[int, float]:
    """(how often the rate falls to less than half and rises again, intervals from rise to rise)."""
    swings, low, high, falling = 0, rates[0], rates[0], False
    for r in rates:
        if not falling:
            high = max(high, r)
            if r < 0.5 * high:
                falling, low = True, r
        else:
            low = min(low, r)
            if r > 2 * low and r > 0.5 * high:
                falling, high, swings = False, r, swings + 1
    return swings, len(rates) / max(1, swings)


def _warms_up_for_ever(plan: Reading) -> bool:
    """Whether the rate only rises, and would rise FAR higher if it were advanced every step."""
    rates, other = plan["rates"], plan["other"]
    if plan["interval"] != "epoch" or len(rates) < 3 or plan.get("other_error") or not len(other):
        return False
    rises = bool((np.diff(rates) >= 0).all()) and rates[-1] > FLAT * rates[0]
    return bool(rises and other.max() > FAR * rates.max())


def _never_gets_going(plan: Reading, params: Params) -> bool:
    rates, other = plan["rates"], plan["other"]
    if plan["interval"] != "epoch" or plan["steps_per_epoch"] < 3 or plan.get("other_error"):
        return False
    if rates.min() <= 0 or rates.max() / rates.min() > FLAT or not len(other):
        return False
    dead = float((other < GONE * other.max()).mean())
    last = other[-max(1, len(other) // 10) :]
    return bool(dead <= params.gone and last.min() < 0.2 * other.max() and cycles(other)[0] < 3)


# -- saying -------------------------------------------------------------------------------------


def _fine(plan: Reading, read: Reading | None, rate: float) -> str:
    said = f"The learning rate {rate:g} lies in the range that learns here"
    if read is not None:
        gain = dict(zip(read["factors"], gains(read), strict=True))
        said += (
            f" (gains {gain[1.0]:.2f} of a loss of {read['first']:.2f} in {read['steps']} steps)"
        )
    if plan["depends"]:
        return f"{said}; its schedule follows a metric and was not computed."
    if not plan["kind"]:
        return f"{said}; it stays constant."
    rates = plan["rates"]
    return (f"{said}; {plan['kind']} takes it from {rates[0] * plan['initial']:.2g} over "
            f"{rates.max() * plan['initial']:.2g} to {rates[-1] * plan['initial']:.2g} in "
            f"{plan['epochs']} epochs.")  # fmt: skip


def _range_chart(read: Reading) -> tuple[Chart, ...]:
    rate = max(read["lr"])
    pairs = sorted(zip(read["factors"], read["last"], strict=True))
    x = [math.log10(f * rate) if rate > 0 else f for f, _ in pairs]
    top = 3 * abs(read["first"]) + 1
    last = [min(v, top) if math.isfinite(v) else top for _, v in pairs]
    return (
        Chart(
            "line",
            f"Loss after {read['steps']} steps, by learning rate",
            "log10 of the learning rate",
            "loss",
            x,
            {"loss": last},
            [read["first"]],
        ),
    )


def _schedule_chart(plan: Reading) -> tuple[Chart, ...]:
    rates = plan.get("rates")
    if rates is None or not len(rates):
        return ()
    places = np.unique(np.linspace(0, len(rates) - 1, min(len(rates), 400)).astype(int))
    x = (places / max(1, len(rates) - 1) * plan["epochs"]).tolist()
    values = (rates[places] * plan["initial"]).tolist()
    return (Chart("line", "Learning rate over the training", "epoch", "learning rate", x,
                  {"rate": values}),)  # fmt: skip


CHECK = Check(
    id="learning_rate",
    stage="skeleton",
    question="Is the learning rate one at which this net learns, and does its schedule keep it?",
    why="Too high, and the loss jumps instead of falling; too low, and the whole training gets "
    "nowhere; a schedule copied from another data set ends the learning before it began. A bad "
    "answer names the rates that learn here.",
    params=Params,
    judge=judge,
    probes=(SCHEDULE, RATES),
    explained_by=("parameters_update", "loss_at_init"),
)
