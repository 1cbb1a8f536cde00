"""Which change made the run better, and is that more than another seed would have done?

The recipe's rule is one change at a time. Runs that differ in nothing but the seed are one
*setting*; a setting is held against the one it was changed from. A change gets credit only where
it is the only one, and where the interval of its effect over repeats with other seeds leaves zero
out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from recipe_core.runs.watching import Run

Credit = Literal["better", "worse", "within noise", "repeat it", "several changes", "no change"]

CIRCUMSTANCES = frozenset({
    "seed", "repeat", "note", "base", "device", "processes", "workers", "checkpoint_every",
    "per_sample", "memory_limit_mb",
})  # fmt: skip
"""Fields that say how or why something was run, not what: they make no setting of their own."""

ROUNDING = 1e-12
"""An effect below this share of the metric is that of adding in another order."""

DATA = "data"
"""The name under which another state of the data set counts as a change."""


@dataclass(frozen=True)
class Entry:
    """A finished run as the ledger sees it.

    config   RunConfig as JSON
    data     fingerprint of the samples it was trained on
    metrics  name -> final value
    created  ISO-8601, orders runs
    """

    id: str
    config: Mapping[str, Any]
    data: str
    metrics: Mapping[str, float]
    created: str = ""

    @property
    def setting(self) -> str:
        """Equal for runs that differ in nothing but seed and circumstances."""
        return json.dumps(_identity(self), sort_keys=True)


@dataclass(frozen=True)
class Spread:
    """A metric over the repeats of one setting.

    low, high  95 % interval of the mean (Student's t); NaN for a single run
    """

    n: int
    mean: float
    deviation: float
    low: float
    high: float


@dataclass(frozen=True)
class Change:
    """A setting held against the one it was changed from.

    fields     field -> (before, after)
    effect     mean after less mean before, in the metric's own units
    low, high  95 % interval of the effect (Welch 1947), NaN where a side has fewer than two runs
    credit     what may be said about it, see `sentence`
    """

    base: tuple[str, ...]
    runs: tuple[str, ...]
    metric: str
    fields: Mapping[str, tuple[Any, Any]]
    before: Spread
    after: Spread
    effect: float
    low: float
    high: float
    credit: Credit
    sentence: str


def entry(run: Run) -> Entry:
    """A finished run of the workspace as an entry; its final and best numbers are its metrics."""
    result = run.result
    best = result.get("best")
    best = best if isinstance(best, Mapping) else {}
    metrics = {**_numbers(result), **{f"best_{k}": v for k, v in _numbers(best).items()}}
    created = datetime.fromtimestamp(run.created, UTC).isoformat()
    return Entry(run.id, run.config, str(result.get("data", "")), metrics, created)


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {
        str(k): float(v)
        for k, v in values.items()
        if isinstance(v, int | float) and not isinstance(v, bool)
    }


def fields_that_differ(first: Entry, second: Entry) -> dict[str, tuple[Any, Any]]:
    """field -> (value in first, value in second), circumstances aside; other data are `data`."""
    a, b = _identity(first), _identity(second)
    names = [*a, *(n for n in b if n not in a)]
    return {n: (a.get(n), b.get(n)) for n in names if a.get(n) != b.get(n)}


def _identity(entry: Entry) -> dict[str, Any]:
    kept = {k: v for k, v in entry.config.items() if k not in CIRCUMSTANCES}
    return {**kept, DATA: entry.data}


def settings(entries: Iterable[Entry]) -> dict[str, tuple[Entry, ...]]:
    """The runs of each setting, in the order in which the settings first appeared."""
    found: dict[str, list[Entry]] = {}
    for entry in sorted(entries, key=lambda e: (e.created, e.id)):
        found.setdefault(entry.setting, []).append(entry)
    return {key: tuple(runs) for key, runs in found.items()}


def spread(values: Sequence[float]) -> Spread:
    """Mean, standard deviation (n - 1) and the mean's 95 % interval; NaN values are left out."""
    known = np.asarray([v for v in values if v is not None and math.isfinite(v)], np.float64)
    n = len(known)
    if n == 0:
        return Spread(0, math.nan, math.nan, math.nan, math.nan)
    mean = float(known.mean())
    if n == 1:
        return Spread(1, mean, math.nan, math.nan, math.nan)
    deviation = float(known.std(ddof=1))
    half = _t975(n - 1) * deviation / math.sqrt(n)
    return Spread(n, mean, deviation, mean - half, mean + half)


def changes(entries: Iterable[Entry], metric: str, *, larger_is_better: bool) -> list[Change]:
    """Every setting but the first against the one it was changed from, in order of appearance.

    A setting was changed from the one its runs name as `base`; where that is unknown, from the
    earlier setting with the fewest fields that differ (the latest of them).
    """
    groups = list(settings(e for e in entries if _known(e, metric)).values())
    setting_of = {run.id: i for i, runs in enumerate(groups) for run in runs}
    codes = _codes([_identity(runs[0]) for runs in groups])
    found = []
    for i, runs in enumerate(groups):
        base = _base(runs, codes, i, setting_of)
        if base is not None:
            found.append(change(groups[base], runs, metric, larger_is_better=larger_is_better))
    return found


def _known(entry: Entry, metric: str) -> bool:
    value = entry.metrics.get(metric)
    return value is not None and math.isfinite(value)


def _codes(identities: Sequence[Mapping[str, Any]]) -> npt.NDArray[np.int64]:
    """(settings, fields) int64: equal numbers where two settings agree in a field."""
    names = dict.fromkeys(name for identity in identities for name in identity)
    columns = []
    for name in names:
        numbers: dict[Any, int] = {}
        values = [_hashable(identity.get(name)) for identity in identities]
        columns.append([numbers.setdefault(value, len(numbers)) for value in values])
    return np.array(columns, np.int64).T.reshape(len(identities), len(names))


def _hashable(value: Any) -> Any:
    return json.dumps(value, sort_keys=True) if isinstance(value, list | dict) else value


def _base(
    runs: Sequence[Entry], codes: npt.NDArray[np.int64], own: int, setting_of: Mapping[str, int]
) -> int | None:
    named = [setting_of[b] for r in runs if (b := str(r.config.get("base") or "")) in setting_of]
    for candidate in named:
        if candidate != own:
            return candidate
    if not own:
        return None
    changed = (codes[:own] != codes[own]).sum(axis=1)
    return int(own - 1 - changed[::-1].argmin())


def change(
    base: Sequence[Entry], runs: Sequence[Entry], metric: str, *, larger_is_better: bool
) -> Change:
    """One setting against another. Both hold at least one run."""
    fields = fields_that_differ(base[0], runs[0])
    a, b = (spread([r.metrics.get(metric, math.nan) for r in side]) for side in (base, runs))
    dust = ROUNDING * max(abs(a.mean), abs(b.mean))
    effect, low, high = (
        0.0 if abs(v) <= dust else v for v in (b.mean - a.mean, *welch(a, b))
    )  # fmt: skip
    credit = _credit(fields, low, high, larger_is_better)
    return Change(
        tuple(r.id for r in base), tuple(r.id for r in runs), metric, fields, a, b, effect, low,
        high, credit, _sentence(credit, fields, metric, a, b, effect, low, high),
    )  # fmt: skip


def welch(a: Spread, b: Spread) -> tuple[float, float]:
    """95 % interval of mean(b) - mean(a) without assuming equal spread (Welch 1947).

    Two settings whose repeats agree to the last digit (deterministic runs with one seed) have an
    interval without width. NaN where a side has fewer than two runs.
    """
    if a.n < 2 or b.n < 2:
        return math.nan, math.nan
    effect = b.mean - a.mean
    va, vb = a.deviation**2 / a.n, b.deviation**2 / b.n
    if va + vb == 0:
        return effect, effect
    freedom = (va + vb) ** 2 / (va**2 / (a.n - 1) + vb**2 / (b.n - 1))
    half = _t975(freedom) * math.sqrt(va + vb)
    return effect - half, effect + half


def _t975(freedom: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.975))


def _credit(fields: Mapping[str, Any], low: float, high: float, larger_is_better: bool) -> Credit:
    if not fields:
        return "no change"
    if len(fields) > 1:
        return "several changes"
    if math.isnan(low):
        return "repeat it"
    if low <= 0 <= high:
        return "within noise"
    return "better" if (low > 0) == larger_is_better else "worse"


def _sentence(
    credit: Credit, fields: Mapping[str, tuple[Any, Any]], metric: str, a: Spread, b: Spread,
    effect: float, low: float, high: float,
) -> str:  # fmt: skip
    said = ", ".join(f"{n} {_short(x)} → {_short(y)}" for n, (x, y) in fields.items())
    name = metric.replace("_", " ")
    moved = f"{name} {a.mean:.4g} → {b.mean:.4g}"
    over = f"{effect:+.3g}, 95 % interval {low:+.3g} to {high:+.3g}, {a.n} and {b.n} runs"
    return {
        "better": f"{said}: {moved} ({over}). Proven better.",
        "worse": f"{said}: {moved} ({over}). Proven worse.",
        "within noise": f"{said}: {moved} ({over}). No more than another seed does.",
        "repeat it": f"{said}: {moved} ({a.n} and {b.n} runs). One seed proves nothing: "
        "repeat both with at least 3 seeds.",
        "several changes": f"{said}: {moved}. {len(fields)} changes at once: none of them gets "
        "credit. Run them one by one.",
        "no change": f"The same setting: {moved} ({a.n} and {b.n} runs).",
    }[credit]


def _short(value: Any) -> str:
    text = "unset" if value in (None, "") else str(value)
    return text if len(text) <= 24 else f"{text[:12]}…{text[-11:]}"
