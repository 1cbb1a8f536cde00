"""Does the same seed give the same training, in two fresh processes?

With a fixed seed two runs of the same code must give the same outcome: only then is a difference
between two runs a difference between two ideas. A bad answer names the first step and tensor at
which they part, and whether the data or the computation parts: data means an order or an
augmentation that is drawn from the clock, from the operating system or from an unseeded generator;
computation means weights or dropout drawn so, a set or dictionary whose order changes between
processes, or an operation that adds up in a different order each time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from recipe_core.kernel.check import Check, Probe
from recipe_core.kernel.nouns import Chart, Finding, Table, Verdict
from recipe_core.kernel.params import setting
from recipe_core.kernel.readings import Readings
from recipe_core.reporting.wording import counted, number

TWICE = Probe("twice", 1, "recipe_core.skeleton.probes.twice:twice", 240.0)
MOST_NAMED = 3


@dataclass(frozen=True)
class Params:
    kernel_noise: float = setting(
        1e-3, low=0.0, high=1.0,
        why="relative difference of two losses up to which a GPU's own kernels are to blame "
        "(warn): they add up in changing order, which costs some last digits of float32 or "
        "bfloat16 a step; on a CPU any difference fails",
    )  # fmt: skip


def judge(readings: Readings, params: Params) -> Finding:
    read = readings.need("twice")
    steps, n = read["steps"], read["tensors"]
    if read["start"]:
        return _bad(
            read, f"Before the first step {counted(len(read['start']), 'tensor')} of {n} already "
            f"differ between two processes with seed {read['seed']}, the first being "
            f"{_named(read['start'])}; expected none.", 0,
            "Seed the generator that the weights are drawn from before the model is built, and "
            "build layers in a fixed order (a set of names has none).",
        )  # fmt: skip
    for k, step in enumerate(steps):
        parted = _parted(step)
        if parted:
            return _told(read, params, k, parted)
    return Finding(
        "pass",
        f"Two fresh processes with seed {read['seed']} agree in every batch, loss and weight over "
        f"{counted(len(steps), 'step')} ({n} tensors compared by hash).",
        "", _numbers(read, None), value=0, expected="no difference", tables=(_table(read),),
    )  # fmt: skip


def _parted(step: dict[str, Any]) -> str:
    if not step["y"]:
        return "labels"
    if not step["x"]:
        return "pictures"
    if not (step["loss"] and not step["tensors"]):
        return "computation"
    return "" if step["lr"] else "rate"


def _told(read: Any, params: Params, k: int, parted: str) -> Finding:
    step, n = read["steps"][k], read["tensors"]
    what = {
        "labels": "the labels of the batch differ: the order of the samples is not seeded",
        "pictures": "the pictures of the batch differ while its labels agree: what is drawn while "
        "a picture is loaded (augmentation, noise) is not seeded",
        "computation": f"the batch agrees, but the result does not: {_named(step['tensors'])} "
        f"{'differs' if len(step['tensors']) == 1 else 'differ'} first "
        f"({len(step['tensors'])} of {n} tensors)",
        "rate": "the learning rate differs",
    }[parted]  # fmt: skip
    next_step = {
        "labels": "Give the loader a generator that is seeded with the seed it is passed.",
        "pictures": "Draw augmentation from a generator seeded by seed, epoch and sample; no "
        "clock, no os.urandom, no generator that nobody seeds.",
        "computation": "Look for numbers drawn without the seed (dropout of one's own, noise), for "
        "sets whose order changes between processes, and for operations without a deterministic "
        "form (torch.use_deterministic_algorithms(True) names them).",
        "rate": "Look at what the scheduler depends on.",
    }[parted]  # fmt: skip
    last = read["steps"][-1]["losses"]
    gap = abs(last[0] - last[1]) / max(abs(last[0]), 1e-12)
    noise = parted == "computation" and read["device"] != "cpu" and gap <= params.kernel_noise
    after = (
        f"; after {len(read['steps'])} steps the losses are {number(last[0])} and {number(last[1])}"
    )
    summary = (
        f"Two processes with seed {read['seed']} part at step {k + 1}: {what}{after}; expected no "
        "difference."
    )
    return _bad(read, summary, k + 1, next_step, "warn" if noise else "fail", parted)


def _bad(
    read: Any, summary: str, step: int, next_step: str, verdict: Verdict = "fail",
    parted: str = "start",
) -> Finding:  # fmt: skip
    return Finding(
        verdict, summary, next_step, _numbers(read, step) | {"parted": parted},
        charts=_charts(read),
        value=f"differs at step {step}", expected="no difference", tables=(_table(read),),
    )  # fmt: skip


def _named(names: list[str]) -> str:
    shown = ", ".join(names[:MOST_NAMED]) or "the loss"
    return shown + (f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else "")


def _numbers(read: Any, step: int | None) -> dict[str, Any]:
    return {
        "steps": len(read["steps"]), "tensors": read["tensors"], "seed": read["seed"],
        "first_differing_step": step, "differ_at_start": read["start"],
    }  # fmt: skip


def _table(read: Any) -> Table:
    rows = tuple(
        (k + 1, s["x"], s["y"], s["loss"], len(s["tensors"]) == 0, *s["losses"])
        for k, s in enumerate(read["steps"])
    )
    columns = ("step", "pictures equal", "labels equal", "loss equal", "weights equal",
               "loss of the first", "loss of the second")  # fmt: skip
    return Table("Two processes side by side", columns, rows)


def _charts(read: Any) -> tuple[Chart, ...]:
    one, other = zip(*(s["losses"] for s in read["steps"]), strict=True)
    x = list(range(1, len(one) + 1))
    return (Chart("line", "Loss of the two processes", "step", "loss", x,
                  {"first": list(one), "second": list(other)}),)  # fmt: skip


CHECK = Check(
    id="fixed_seed",
    stage="skeleton",
    question="Does the same seed give the same training, in two fresh processes?",
    why="Only when chance is held fixed is a difference between two runs a difference between two "
    "ideas. A bad answer names the first step and tensor at which two equal runs part, and whether "
    "the data or the computation parts.",
    params=Params,
    judge=judge,
    probes=(TWICE,),
)
