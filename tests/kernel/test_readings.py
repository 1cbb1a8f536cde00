"""Is a probe's trouble told as what it is, and by the one whose fault it is?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from recipe_core.kernel.check import Check, judged
from recipe_core.kernel.errors import MissingInput, ProbeFailed
from recipe_core.kernel.nouns import Finding, Verdict
from recipe_core.kernel.params import setting
from recipe_core.kernel.readings import Reading, Readings, Whose, as_picture


@dataclass(frozen=True)
class Params:
    most: float = setting(1.0, low=0.0, high=9.0, why="no more than this")


def judge(readings: Readings, params: Params) -> Finding:
    loss = readings.need("short")["loss"]
    return Finding("pass" if loss <= params.most else "fail", f"Loss {loss}.", value=loss)


CHECK = Check("made", "skeleton", "Is it so?", "because", Params, judge)


def told(reading: Reading) -> Finding:
    return judged(CHECK, Readings({"short": reading}))


def test_readings_are_judged_like_evidence() -> None:
    assert told(Reading({"loss": 0.5})).verdict == "pass"
    finding = judged(CHECK, Readings({"short": Reading({"loss": 0.5})}), {"most": 0.1})
    assert (finding.verdict, finding.value, finding.thresholds) == ("fail", 0.5, {"most": 0.1})


@pytest.mark.parametrize(
    ("whose", "verdict"),
    [("task", "fail"), ("time", "fail"), ("memory", "skipped"), ("crash", "error"),
     ("recipe", "error")],
)  # fmt: skip
def test_trouble_is_told_by_whose_fault_it_is(whose: Whose, verdict: Verdict) -> None:
    finding = told(Reading(error="it went wrong", traceback="line 3", whose=whose))
    assert finding.verdict == verdict
    assert "it went wrong" in finding.summary and finding.next_step
    assert finding.numbers["traceback"] == "line 3"


def test_what_did_not_run_or_had_nothing_to_read_is_skipped_with_the_reason() -> None:
    assert "'short' has not run" in judged(CHECK, Readings()).summary
    finding = told(Reading(missing="build_model takes no width"))
    assert finding.verdict == "skipped" and "takes no width" in finding.summary
    assert told(Reading({"other": 1})).verdict == "skipped"


def test_found_is_need_without_raising() -> None:
    good, bad = Reading({"a": 1}), Reading(error="x", whose="task")
    readings = Readings({"good": good, "bad": bad, "none": Reading(missing="no")})
    assert readings.found("good") is good
    assert [readings.found(n) for n in ("bad", "none", "absent")] == [None] * 3
    with pytest.raises(ProbeFailed):
        readings.need("bad")
    with pytest.raises(MissingInput):
        readings.need("none")


def test_arrays_and_numbers_are_read_by_name() -> None:
    reading = Reading({"n": 3}, {"losses": np.arange(3)})
    assert reading["n"] == 3 and reading["losses"].sum() == 3 and reading.get("absent", 7) == 7


def test_a_picture_is_clipped_rounded_and_coloured() -> None:
    pixels = as_picture(np.array([[-1.0, 0.5], [2.0, np.nan]]))
    assert pixels.shape == (2, 2, 3) and pixels.dtype == np.uint8
    assert pixels[..., 0].tolist() == [[0, 128], [255, 0]]
    assert as_picture(np.full((2, 2, 3), 7, np.uint8)).max() == 7
