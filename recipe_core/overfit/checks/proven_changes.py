"""Which changes to a run are proven, and which only seem to help?

One change at a time, and against the spread between seeds: otherwise one tunes on noise, and each
"improvement" that was luck is carried into every later run. A change that came together with
another gets no credit; neither does one that was run once. Repeat both sides with at least three
seeds, and keep only what stands out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from recipe_core.kernel.check import Check
from recipe_core.kernel.errors import MissingInput
from recipe_core.kernel.nouns import Finding, Table
from recipe_core.kernel.params import setting
from recipe_core.kernel.readings import Readings
from recipe_core.overfit.ledger import Change, Entry, changes

READING = "ledger"
"""numbers: entries, a list of {id, config, data, metrics, created}, every finished training run."""
METRICS = {
    "accuracy": True, "balanced_accuracy": True, "loss": False, "train_loss": False,
    "train_accuracy": True, "best_accuracy": True, "best_loss": False, "gap": False,
}  # fmt: skip
"""metric -> whether larger is better"""


@dataclass(frozen=True)
class Params:
    metric: str = setting(
        "accuracy", choices=tuple(METRICS),
        why="what the runs are compared by; of the evaluation split where it does not say train",
    )  # fmt: skip


def judge(readings: Readings, params: Params) -> Finding:
    """See the module."""
    entries = [Entry(**e) for e in readings.need(READING)["entries"]]
    found = changes(entries, params.metric, larger_is_better=METRICS[params.metric])
    if not found:
        raise MissingInput("there are no two finished runs that differ in a setting")
    count: Counter[str] = Counter(c.credit for c in found)
    open_ = count["repeat it"] + count["several changes"]
    return Finding(
        "warn" if open_ else "pass", _summary(found, count), _step(count) if open_ else "",
        {"changes": len(found), **{k.replace(" ", "_"): n for k, n in count.items()},
         "metric": params.metric},
        tables=(_table(found),),
    )  # fmt: skip


def _summary(found: Sequence[Change], count: Counter[str]) -> str:
    told = {
        "better": "proven better", "worse": "proven worse", "within noise": "within seed noise",
        "repeat it": "run too few times", "several changes": "made together with others",
        "no change": "no change",
    }  # fmt: skip
    parts = ", ".join(f"{count[k]} {words}" for k, words in told.items() if count[k])
    noun = "change" if len(found) == 1 else "changes"
    return f"Of {len(found)} {noun}: {parts}; expected each alone and repeated."


def _step(count: Counter[str]) -> str:
    steps = []
    if count["repeat it"]:
        steps.append("Repeat both sides of a change with at least 3 seeds (recipe overfit "
                     "--repeat 3, or the button beside it).")  # fmt: skip
    if count["several changes"]:
        steps.append("Run changes that were made together one by one.")
    return " ".join(steps)


def _table(found: Sequence[Change]) -> Table:
    return Table(
        "Changes", ("what", "credit", "effect", "low", "high", "runs before", "runs after"),
        tuple(
            (", ".join(f"{n} {a} → {b}" for n, (a, b) in c.fields.items()) or "nothing", c.credit,
             c.effect, c.low, c.high, c.before.n, c.after.n)
            for c in found
        ),
    )  # fmt: skip


CHECK = Check(
    id="proven_changes",
    stage="overfit",
    question="Which changes are proven?",
    why=__doc__.partition("\n\n")[2].strip(),
    params=Params,
    judge=judge,
)
