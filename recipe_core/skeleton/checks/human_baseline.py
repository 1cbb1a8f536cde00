"""How often does a person agree with the labels, and with a second look?

Nobody knows what accuracy to expect of a net before someone has done its task. People label part of
the test set twice, blind to the labels: how often they agree with the labels says how far a net can
be expected to get, how often they agree with themselves says whether the classes are defined at
all, and the pictures on which both passes contradict the label are the labels to look at first.

A bad answer: people do no better than naming the largest class (the pictures are too small, or the
labels belong to other pictures), or the two passes agree hardly more than by chance. Then mend the
data or the definition of the classes before any training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from recipe_core.kernel.check import Check
from recipe_core.kernel.errors import MissingInput
from recipe_core.kernel.nouns import NO_SUBJECTS, Chart, Finding, Subjects, Table, Verdict
from recipe_core.kernel.params import setting
from recipe_core.kernel.readings import Reading, Readings
from recipe_core.reporting.wording import counted
from recipe_core.skeleton.agreement import Share, accuracy, confusion, kappa, sign_test
from recipe_core.skeleton.labelling import READING, UNASKED, UNTOLD

Codes = npt.NDArray[np.int64]
MOST_CLASSES = 20
"""Classes shown as a table and as bars: beyond that the page's own table is the place."""


@dataclass(frozen=True)
class Params:
    min_answers: int = setting(
        30, low=5, high=1000,
        why="answers of the first pass; with fewer than 30 the interval of an accuracy of 80 % is "
        "wider than ±14 points, and nothing can be said",
    )  # fmt: skip
    min_kappa: float = setting(
        0.6, low=0.0, high=1.0,
        why="agreement of the two passes beyond chance; Landis & Koch (1977, Biometrics 33, 159) "
        "call 0.61 to 0.80 substantial. Warned of only where the whole interval lies below",
    )  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """What was answered so far: rows, given labels, both passes; all (n,), codes of `names`."""

    names: tuple[str, ...]
    rows: Codes
    given: Codes
    first: Codes
    second: Codes
    model: Codes
    split: str

    def of(self, said: Codes) -> Share:
        """Accuracy of a pass where it has answered."""
        asked = said != UNASKED
        return accuracy(self.given[asked], said[asked])

    @property
    def both(self) -> npt.NDArray[np.bool_]:
        """(n,) whether both passes have answered."""
        return np.asarray((self.first != UNASKED) & (self.second != UNASKED))


def judge(readings: Readings, params: Params) -> Finding:
    reading = readings.need(READING)
    seen = opened(reading)
    first, second = seen.of(seen.first), seen.of(seen.second)
    if first.n < params.min_answers:
        raise MissingInput(
            f"{counted(first.n, 'picture')} labelled so far, at least {params.min_answers} needed"
        )
    agreed = kappa(seen.first[seen.both], seen.second[seen.both])
    chance = largest_share(seen.given[seen.first != UNASKED])
    verdict = verdict_of(first, agreed, chance, params)
    pair = against_model(seen)
    return Finding(
        verdict, summary(seen, first, second, agreed, chance, pair),
        next_step(verdict, seen, first, agreed, chance, pair),
        figures(reading, seen, first, second, agreed, chance, pair), subjects(seen), charts(seen),
        value=percent(first.value), expected=f"above {percent(chance)} (always the largest class)",
        tables=tables(seen),
    )  # fmt: skip


def opened(reading: Reading) -> Seen:
    """The reading as codes; no model's prediction where none was read."""
    given = np.asarray(reading["given"], np.int64)
    return Seen(
        tuple(reading["class_names"]), np.asarray(reading["rows"], np.int64), given,
        np.asarray(reading["first"], np.int64), np.asarray(reading["second"], np.int64),
        np.asarray(reading.get("model", np.full(len(given), UNASKED)), np.int64),
        str(reading.get("split", "")),
    )  # fmt: skip


def largest_share(given: Codes) -> float:
    """What naming the largest class every time would reach."""
    return float(np.bincount(given).max() / len(given))


def verdict_of(first: Share, agreed: Share, chance: float, params: Params) -> Verdict:
    """Fail where people do no better than the largest class, warn where they do not agree."""
    if first.high <= chance:
        return "fail"
    unsure = agreed.n >= params.min_answers and agreed.high < params.min_kappa
    return "warn" if unsure else "pass"


@dataclass(frozen=True)
class Pair:
    """A net and the first pass on the same samples.

    p  McNemar's exact test of the difference
    """

    model: Share
    people: Share
    p: float


def against_model(seen: Seen) -> Pair | None:
    """The latest run's net beside people; None where it predicted none of these samples."""
    both = (seen.model != UNASKED) & (seen.first != UNASKED)
    if not both.any():
        return None
    given = seen.given[both]
    net, person = seen.model[both] == given, seen.first[both] == given
    p = sign_test(int((net & ~person).sum()), int((person & ~net).sum()))
    return Pair(accuracy(given, seen.model[both]), accuracy(given, seen.first[both]), p)


def summary(
    seen: Seen, first: Share, second: Share, agreed: Share, chance: float, pair: Pair | None
) -> str:
    where = f" of the {seen.split} split" if seen.split else ""
    parts = [f"On {counted(first.n, 'picture')}{where}, a person agrees with the labels in "
             f"{spoken(first)} (naming the largest class: {percent(chance)})"]  # fmt: skip
    if second.n:
        parts.append(f"the second pass in {spoken(second)}")
    if agreed.n and not np.isnan(agreed.value):
        parts.append(f"the two agree with kappa {agreed.value:.2f} "
                     f"({agreed.low:.2f} to {agreed.high:.2f}, n = {agreed.n:,})")  # fmt: skip
    elif not second.n:
        parts.append("without a second pass nobody knows how far people agree with themselves")
    if pair is not None:
        parts.append(f"the latest run is right in {spoken(pair.model)} of the same pictures "
                     f"(p = {pair.p:.2g})")  # fmt: skip
    return "; ".join(parts) + "."


def percent(share: float) -> str:
    """91.0 %."""
    return f"{100 * share:.1f} %"


def spoken(share: Share) -> str:
    """91.0 % (86.2 to 94.2 %)."""
    return f"{100 * share.value:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f} %)"


def next_step(
    verdict: Verdict, seen: Seen, first: Share, agreed: Share, chance: float, pair: Pair | None
) -> str:
    if verdict == "fail":
        return (
            "Look at the pictures as the net sees them: are they too small to tell, or do the "
            "labels belong to other pictures? Do not train before people can do it."
        )
    if verdict == "warn":
        return (
            "Write down what tells the classes apart that are mixed up (see the table), or merge "
            "them; then label again."
        )
    steps = []
    contradicted = int(doubted(seen).sum())
    if contradicted:
        them = "picture" if contradicted == 1 else "pictures"
        steps.append(f"Look at the {contradicted:,} {them} that both passes call otherwise than "
                     "the label: the label is likely wrong.")  # fmt: skip
    if pair is not None and pair.p < 0.05 and pair.model.value > pair.people.value:
        steps.append("The run agrees with the labels more often than a person does: look for a "
                     "shortcut or copies across splits before being glad.")  # fmt: skip
    if not agreed.n:
        steps.append("Make the second pass, best another day or by another person.")
    return " ".join(steps)


def doubted(seen: Seen) -> npt.NDArray[np.bool_]:
    """(n,) both passes gave the same class, and it is not the label."""
    same = seen.both & (seen.first == seen.second) & (seen.first >= 0)
    return np.asarray(same & (seen.first != seen.given))


def disputed(seen: Seen) -> npt.NDArray[np.bool_]:
    """(n,) some pass named another class than the label."""
    others = [(said >= 0) & (said != seen.given) for said in (seen.first, seen.second)]
    return np.asarray(others[0] | others[1])


def subjects(seen: Seen) -> Subjects:
    """Samples on which people name another class: 0 where both passes agree on it, else 0.4."""
    at = np.flatnonzero(disputed(seen))
    if not len(at):
        return NO_SUBJECTS
    scores = np.where(doubted(seen)[at], 0.0, 0.4).astype(np.float32)
    details = [_said(seen, int(i)) for i in at]
    return Subjects(seen.rows[at], scores, details)


def _said(seen: Seen, i: int) -> str:
    said = [int(codes[i]) for codes in (seen.first, seen.second) if codes[i] != UNASKED]
    named = ["“cannot tell”" if c == UNTOLD else seen.names[c] for c in said]
    called = f"{named[0]} twice" if len(named) == 2 and named[0] == named[1] else ", ".join(named)
    return f"{seen.names[seen.given[i]]}, called {called}"


def figures(
    reading: Reading, seen: Seen, first: Share, second: Share, agreed: Share, chance: float,
    pair: Pair | None,
) -> dict[str, Any]:  # fmt: skip
    found: dict[str, Any] = {
        "n": first.n, "accuracy": first.value, "accuracy_low": first.low,
        "accuracy_high": first.high, "largest_class": chance,
        "cannot_tell": int((seen.first == UNTOLD).sum()),
        "labels_doubted_by_both": int(doubted(seen).sum()),
        "labels_disputed": int(disputed(seen).sum()),
        "people": reading.get("people", []), "seconds_per_picture": reading.get("seconds", []),
        "image_size": reading.get("image_size", 0), "split": seen.split,
    }  # fmt: skip
    if second.n:
        found |= {
            "n_second": second.n, "accuracy_second": second.value,
            "accuracy_second_low": second.low, "accuracy_second_high": second.high,
        }  # fmt: skip
    if agreed.n:
        found |= {"kappa": agreed.value, "kappa_low": agreed.low, "kappa_high": agreed.high,
                  "n_twice": agreed.n}  # fmt: skip
    if pair is not None:
        found |= {"model": reading.get("model_run", ""), "model_accuracy": pair.model.value,
                  "model_accuracy_low": pair.model.low, "model_accuracy_high": pair.model.high,
                  "model_n": pair.model.n, "model_against_people_p": pair.p}  # fmt: skip
    return found


def charts(seen: Seen) -> tuple[Chart, ...]:
    """How often people name the label, per class; the hardest first."""
    asked = seen.first != UNASKED
    found = [
        (seen.of(np.where(seen.given == c, seen.first, UNASKED)).value, name)
        for c, name in enumerate(seen.names)
        if (asked & (seen.given == c)).any()
    ]
    found.sort(key=lambda pair: pair[0])
    shown = found[:MOST_CLASSES]
    more = f" (the {MOST_CLASSES} hardest)" if len(found) > MOST_CLASSES else ""
    return (
        Chart("bar", f"How often a person names the label{more}", "class", "share of its pictures",
              [name for _, name in shown], {"first pass": [share for share, _ in shown]}),
    )  # fmt: skip


def tables(seen: Seen) -> tuple[Table, ...]:
    """Label against the first pass's answer, for as many classes as a page takes."""
    if len(seen.names) > MOST_CLASSES:
        return ()
    asked = seen.first != UNASKED
    counts = confusion(seen.given[asked], seen.first[asked], len(seen.names))
    columns = ("label", *seen.names, "cannot tell")
    rows = tuple((name, *map(int, counts[c])) for c, name in enumerate(seen.names))
    return (Table("Label (line) and what a person said (column), first pass", columns, rows),)


CHECK = Check(
    id="human_baseline",
    stage="skeleton",
    question="How well does a person do it?",
    why="People who label part of the test set blind, twice, show what a net can be expected to "
    "reach, whether the classes are defined, and which labels are wrong. Without it, an accuracy "
    "is a number without a scale.",
    params=Params,
    judge=judge,
)
