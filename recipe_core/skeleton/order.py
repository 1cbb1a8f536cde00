"""In which order are the checks of a pipeline made, and which finding explains which?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from recipe_core.kernel.check import Check, Probe, judged
from recipe_core.kernel.nouns import Finding
from recipe_core.kernel.params import Overrides
from recipe_core.kernel.readings import Readings

FIRST = (
    "see_the_input", "metrics", "loss_function", "fixed_seed", "batch_order", "augmentation",
    "special_case", "gradient_dependency", "train_eval_mode", "loss_at_init", "init_bias",
    "parameters_update", "gradient_reset", "dead_units", "learning_rate", "overfit_batch",
    "prediction_dynamics", "zero_input", "bigger_net", "checkpoint_reload", "human_baseline",
)  # fmt: skip
"""From the input to the result, as one would look oneself: what is wrong early explains what is
wrong later."""


def ordered(checks: Iterable[Check]) -> tuple[Check, ...]:
    """The checks as in FIRST, but none before those that explain it."""
    place = {name: i for i, name in enumerate(FIRST)}
    waiting = sorted(checks, key=lambda c: place.get(c.id, len(place)))
    chosen = {c.id for c in waiting}
    done: list[Check] = []
    while waiting:
        made = {c.id for c in done}
        ready = [c for c in waiting if set(c.explained_by) & chosen <= made]
        following = (ready or waiting)[0]
        waiting.remove(following)
        done.append(following)
    return tuple(done)


def probes_of(checks: Iterable[Check]) -> tuple[Probe, ...]:
    """The probes that these checks need, each once, in the order of the checks."""
    return tuple({p.name: p for c in checks for p in c.probes}.values())


def all_judged(
    checks: Sequence[Check], readings: Readings, overrides: Overrides
) -> tuple[Finding, ...]:
    """The findings of these checks, in their order, each with the earlier ones that explain it."""
    found: dict[str, Finding] = {}
    for check in checks:
        finding = judged(check, readings, overrides.get(check.id, {}))
        seconds = sum(readings.by_name[p.name].seconds for p in check.probes if p.name in readings)
        finding = replace(finding, seconds=finding.seconds + seconds)
        found[check.id] = replace(finding, because=because(check, finding, found))
    return tuple(found.values())


def because(check: Check, finding: Finding, earlier: Mapping[str, Finding]) -> tuple[str, ...]:
    """Ids of the failed checks that explain a bad finding; () for a good one."""
    if finding.verdict not in ("warn", "fail"):
        return ()
    return tuple(c for c in check.explained_by if c in earlier and earlier[c].verdict == "fail")
