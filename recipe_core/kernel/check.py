"""What is a check? A question, what it measures, and a judge with its thresholds."""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import pyarrow as pa

from recipe_core.kernel.errors import MissingInput, Misuse, ProbeFailed
from recipe_core.kernel.evidence import Evidence, Files
from recipe_core.kernel.nouns import Finding, Verdict
from recipe_core.kernel.params import Setting, Value, resolve, settings_of
from recipe_core.kernel.progress import Progress
from recipe_core.kernel.readings import Reading, Readings

Finish = Callable[[Evidence, Progress], pa.Table]
"""Waits for what was begun; the evidence has the tables of measures made meanwhile."""


@dataclass(frozen=True)
class Measure:
    """Numbers that need the whole table: slow, pure, without thresholds, cached.

    inputs    the sample columns it reads: its result is kept while their content is the same
    function  (evidence, files, progress) -> Arrow table; may raise MissingInput
    columns   columns of the table that are shown with the samples (it has `row` then)
    asked     it takes minutes: measured only where a check that needs it is asked for by name
    by        the command that makes it; a scan only reads what that has left ('': the scan does)
    pictures  it looks at pictures, of which workers take their share: made after those that do not,
              for which workers that have begun do not wait
    begin     (evidence, files) -> what then does the same as `function`: has workers begin while
              the measures that come before it, whose tables it has not, are made
    """

    name: str
    version: int
    inputs: tuple[str, ...]
    function: Callable[[Evidence, Files, Progress], pa.Table]
    columns: tuple[str, ...] = ()
    asked: bool = False
    by: str = ""
    pictures: bool = False
    begin: Callable[[Evidence, Files], Finish] | None = None


@dataclass(frozen=True)
class Probe:
    """Numbers that need the training pipeline itself: slow, without thresholds, stored.

    function  "package.module:function", (bench, progress) -> Reading; named and not imported,
              for its module loads torch; may raise MissingInput
    seconds   time limit: a probe that takes longer hangs
    """

    name: str
    version: int
    function: str
    seconds: float = 120.0


@dataclass(frozen=True)
class Check:
    """One question about the data or the training, answered by a Finding.

    why           the recipe's point, and what a bad answer looks like (shown on the card)
    params        frozen dataclass of the thresholds, every field made by `params.setting`
    judge         (evidence, params) -> Finding; fast, pure, opens no file; may raise MissingInput;
                  a check with probes gets Readings for evidence
    measures      whole-table measures that must have run before it
    probes        probes of the training pipeline that must have run before it
    explained_by  ids of checks that come before it, whose bad finding explains a bad one of this
    mended_by     how its samples are put right without leaving them out; '' where they cannot be
    """

    id: str
    stage: str
    question: str
    why: str
    params: type
    judge: Callable[[Any, Any], Finding]
    measures: tuple[Measure, ...] = ()
    probes: tuple[Probe, ...] = ()
    explained_by: tuple[str, ...] = ()
    mended_by: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", self.id):
            raise Misuse(f"a check's id is lower_case_words, not {self.id!r}")
        if not self.question.endswith("?"):
            raise Misuse(f"the question of {self.id} must end with a question mark")

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Its thresholds with defaults, ranges and reasons."""
        return settings_of(self.params)


def judged(
    check: Check, evidence: Evidence | Readings, overrides: Mapping[str, Value] | None = None
) -> Finding:
    """The check's finding; a missing input makes it `skipped`, a bug in the judge `error`.

    A probe that raised in the user's task file, or hung, makes it `fail`; a probe that broke by
    itself makes it `error`; one that did not fit the device's memory `skipped`.

    Raises UnknownName or BadSetting for overrides that the check does not take.
    """
    params = resolve(check.id, check.params, overrides or {})
    start = time.perf_counter()
    try:
        finding = check.judge(evidence, params)
    except MissingInput as e:
        finding = Finding("skipped", f"Not judged: {e}.")
    except ProbeFailed as e:
        finding = without_reading(e.probe, e.reading)
    except Exception as e:
        finding = broken(e)
    seconds = time.perf_counter() - start
    return replace(
        finding, check=check.id, stage=check.stage, thresholds=asdict(params), seconds=seconds
    )


def broken(error: Exception) -> Finding:
    """The finding of a check that broke: the others go on."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return Finding(
        "error",
        f"The check itself broke: {type(error).__name__}: {error}",
        REPORT_IT,
        {
            "traceback": "".join(traceback.format_exception(error)),
            "line": f"{place.filename}:{place.lineno}",
        },
    )


REPORT_IT = "This is a bug in Recipe: please report it with the text above."
_UNREAD: Mapping[str, tuple[Verdict, str, str]] = {
    "task": ("fail", "The task file raised", "Mend the line named in the traceback."),
    "time": (
        "fail", "It hung", "Look for an endless loop, a deadlock or a loader that waits; or use a "
        "smaller model, smaller pictures, or fewer samples.",
    ),
    "memory": (
        "skipped", "Not judged: the memory did not suffice",
        "Use a smaller batch or smaller pictures.",
    ),
    "crash": (
        "error", "The process of the probe died",
        "Run this check alone; if it dies again, look for native code in the task.",
    ),
    "recipe": ("error", "The probe itself broke", REPORT_IT),
}  # fmt: skip
"""Whose fault -> verdict, beginning of the sentence, next step."""


def without_reading(probe: str, reading: Reading) -> Finding:
    """The finding of a check whose probe raised, hung or died: whose fault, and what to do."""
    verdict, said, step = _UNREAD[reading.whose or "recipe"]
    numbers: dict[str, Any] = {"probe": probe, "seconds": reading.seconds}
    if reading.traceback:
        numbers["traceback"] = reading.traceback
    text = f"{said}: {reading.error.rstrip('.')}."
    return Finding(verdict, text, step, numbers, value=reading.error)
