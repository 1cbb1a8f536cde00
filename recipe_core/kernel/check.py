"""What is a check? A question, what it measures, and a judge with its thresholds."""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import pyarrow as pa

from recipe_core.kernel.errors import MissingInput, Misuse
from recipe_core.kernel.evidence import Evidence, Files
from recipe_core.kernel.nouns import Finding
from recipe_core.kernel.params import Setting, Value, resolve, settings_of
from recipe_core.kernel.progress import Progress


@dataclass(frozen=True)
class Measure:
    """Numbers that need the whole table: slow, pure, without thresholds, cached.

    inputs    the sample columns it reads: its result is kept while their content is the same
    function  (evidence, files, progress) -> Arrow table; may raise MissingInput
    """

    name: str
    version: int
    inputs: tuple[str, ...]
    function: Callable[[Evidence, Files, Progress], pa.Table]


@dataclass(frozen=True)
class Check:
    """One question about the data or the training, answered by a Finding.

    why       the recipe's point, and what a bad answer looks like (shown on the card)
    params    frozen dataclass of the thresholds, every field made by `params.setting`
    judge     (evidence, params) -> Finding; fast, pure, opens no file; may raise MissingInput
    measures  whole-table measures that must have run before it
    """

    id: str
    stage: str
    question: str
    why: str
    params: type
    judge: Callable[[Evidence, Any], Finding]
    measures: tuple[Measure, ...] = ()

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
    check: Check, evidence: Evidence, overrides: Mapping[str, Value] | None = None
) -> Finding:
    """The check's finding; a missing input makes it `skipped`, a bug in the judge `error`.

    Raises UnknownName or BadSetting for overrides that the check does not take.
    """
    params = resolve(check.id, check.params, overrides or {})
    start = time.perf_counter()
    try:
        finding = check.judge(evidence, params)
    except MissingInput as e:
        finding = Finding("skipped", f"Not judged: {e}.")
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
        "This is a bug in Recipe: please report it with the text above.",
        {
            "traceback": "".join(traceback.format_exception(error)),
            "line": f"{place.filename}:{place.lineno}",
        },
    )
