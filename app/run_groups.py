"""Which runs belong together, and how did they do together? Repeats of a setting, runs of a model,
whatever came of one base."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from app import running
from recipe_core.overfit.ledger import CIRCUMSTANCES
from recipe_core.reporting.wording import number, shortened
from recipe_core.runs.watching import Run

APART, SETTING, MODEL, BASE, KIND = "apart", "setting", "model", "base", "kind"
WAYS: Mapping[str, str] = {
    APART: "every run", SETTING: "by setting (repeats)", MODEL: "by model or task",
    BASE: "by the run they came from", KIND: "by kind",
}  # fmt: skip
MOST_SAID = 4
SEED = re.compile(r", seed \d+$")


@dataclass(frozen=True)
class Group:
    """Runs that share something, newest first; `name` says what."""

    name: str
    runs: tuple[Run, ...]

    def results(self) -> tuple[str, list[float]]:
        """The figure that most of its finished runs have, and its values ("" and [] without)."""
        found = [running.best(r.result) for r in self.runs if r.status == "done"]
        names = [f[0] for f in found if f is not None]
        if not names:
            return "", []
        name = max(sorted(set(names)), key=names.count)
        return name, [f[1] for f in found if f is not None and f[0] == name]


def groups(runs: Sequence[Run], by: str) -> list[Group]:
    """The runs (newest first) put together, the group with the newest run first."""
    together: dict[str, list[Run]] = {}
    for run in runs:
        together.setdefault(_key(run, by), []).append(run)
    if by == SETTING:
        vary = _varying([some[0] for some in together.values()])
        return [Group(_setting(some[0], vary), tuple(some)) for some in together.values()]
    names = {r.id: running.title(r, 60) for r in runs} if by == BASE else {}
    return [Group(names.get(key, key), tuple(some)) for key, some in together.items()]


def _key(run: Run, by: str) -> str:
    config = run.config
    if by == SETTING:
        return json.dumps([run.kind, _identity(config)], sort_keys=True, default=str)
    if by == MODEL:
        return str(config.get("task") or config.get("model") or run.kind)
    if by == BASE:
        return str(config.get("base") or run.id)
    return run.kind


def _identity(config: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in config.items() if k not in CIRCUMSTANCES}


def _varying(firsts: Sequence[Run]) -> list[str]:
    """Fields in which settings of one title differ."""
    found = set()
    for title in {SEED.sub("", r.title) for r in firsts}:
        some = [_identity(r.config) for r in firsts if SEED.sub("", r.title) == title]
        for field in {k for c in some for k in c}:
            if len({json.dumps(c.get(field), sort_keys=True, default=str) for c in some}) > 1:
                found.add(field)
    return sorted(found)


def _setting(run: Run, vary: Sequence[str]) -> str:
    """What it is called, without the seed, and the fields that tell it from its like."""
    title = SEED.sub("", running.title(run, 80))
    said = [f"{k.replace('_', ' ')} {shortened(number(run.config[k]), 24)}"
            for k in vary if k in run.config]  # fmt: skip
    more = len(said) - MOST_SAID
    shown = said[:MOST_SAID] + ([f"{more} more"] if more > 0 else [])
    return f"{title} · {', '.join(shown)}" if shown else title


def table(found: Sequence[Group]) -> pd.DataFrame:
    """One line per group: how many, the mean of their figure, its spread, the best of them.

    Mean and spread (sample standard deviation, from two runs) are of the finished runs.
    """
    lines = [_line(g) for g in found]
    return pd.DataFrame({
        "Group": [shortened(g.name, 160) for g in found],
        "Runs": [len(g.runs) for g in found],
        **{name: [line[name] for line in lines]
           for name in ("Result", "Mean", "Spread", "Best")},
        "Newest": local([max(r.created for r in g.runs) for g in found]),
    })  # fmt: skip


def _line(group: Group) -> dict[str, str]:
    name, values = group.results()
    if not values:
        return dict.fromkeys(("Result", "Mean", "Spread", "Best"), "–")

    def said(v: float) -> str:
        return f"{v:.1%}" if name in running.HIGHER else f"{v:.4g}"

    spread = said(float(np.std(values, ddof=1))) if len(values) > 1 else "–"
    top = max(values) if name in running.HIGHER else min(values)
    return {"Result": f"{name}, n = {len(values)}", "Mean": said(float(np.mean(values))),
            "Spread": spread, "Best": said(top)}  # fmt: skip


def local(seconds: Sequence[float]) -> Any:
    """Seconds since 1970 as this machine's local times."""
    zone = datetime.now().astimezone().tzinfo
    return pd.to_datetime(list(seconds), unit="s", utc=True).tz_convert(zone).tz_localize(None)
