"""Does a check's trouble stay its own, and does discovery refuse half a check?"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from recipe_core.kernel.check import Check, judged
from recipe_core.kernel.discovery import checks_in
from recipe_core.kernel.errors import MissingInput, Misuse, UnknownName
from recipe_core.kernel.evidence import Evidence
from recipe_core.kernel.nouns import Finding
from recipe_core.kernel.params import setting
from tests.making import make_evidence


@dataclass(frozen=True)
class Params:
    limit: int = setting(2, low=0, high=10, why="so many")


def _made(judge: object) -> Check:
    return Check("made", "data", "Is it so?", "because", Params, judge)  # type: ignore[arg-type]


def test_a_finding_carries_its_check_and_thresholds() -> None:
    check = _made(lambda e, p: Finding("pass", f"limit {p.limit}"))
    finding = judged(check, make_evidence({"label": ["a"]}), {"limit": 5})
    assert (finding.check, finding.stage, finding.thresholds) == ("made", "data", {"limit": 5})
    assert finding.summary == "limit 5"


def test_a_missing_input_skips_with_the_reason() -> None:
    def judge(e: Evidence, p: Params) -> Finding:
        raise MissingInput("there are no splits")

    finding = judged(_made(judge), make_evidence({"label": ["a"]}))
    assert finding.verdict == "skipped" and "no splits" in finding.summary


def test_an_unmeasured_column_skips() -> None:
    finding = judged(_made(lambda e, p: e.numbers("nothing")), make_evidence({"label": ["a"]}))
    assert finding.verdict == "skipped" and "nothing" in finding.summary


def test_a_bug_is_an_error_with_its_line() -> None:
    finding = judged(_made(lambda e, p: 1 / 0), make_evidence({"label": ["a"]}))
    assert finding.verdict == "error" and "ZeroDivisionError" in finding.summary
    assert "test_check.py" in finding.numbers["line"]


def test_a_wrong_override_is_misuse_not_an_error_finding() -> None:
    with pytest.raises(UnknownName):
        judged(
            _made(lambda e, p: Finding("pass", "")), make_evidence({"label": ["a"]}), {"limits": 1}
        )


@pytest.mark.parametrize(("id_", "question"), [("Made", "Is it?"), ("made", "It is.")])
def test_an_ill_formed_check_is_refused(id_: str, question: str) -> None:
    with pytest.raises(Misuse):
        Check(id_, "data", question, "", Params, lambda e, p: Finding("pass", ""))


ONE = """
from dataclasses import dataclass
from recipe_core.kernel.check import Check
from recipe_core.kernel.nouns import Finding
@dataclass(frozen=True)
class Params: pass
CHECK = Check({id!r}, "data", "Is it?", "", Params, lambda e, p: Finding("pass", ""))
"""


def _package(
    tmp_path: Path, name: str, files: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / name
    folder.mkdir()
    for file, text in {"__init__.py": "", **files}.items():
        (folder / file).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, name, raising=False)


def test_discovery_is_in_name_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"b.py": ONE.format(id="first"), "a.py": ONE.format(id="second")}
    _package(tmp_path, "stage_one", files, monkeypatch)
    assert [c.id for c in checks_in("stage_one")] == ["second", "first"]


@pytest.mark.parametrize(
    ("name", "files", "said"),
    [
        ("stage_two", {"a.py": "x = 1"}, "no CHECK"),
        (
            "stage_three",
            {"a.py": ONE.format(id="same"), "b.py": ONE.format(id="same")},
            "Two files",
        ),
    ],
)
def test_half_a_check_and_a_double_one_are_refused(
    name: str, files: dict[str, str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _package(tmp_path, name, files, monkeypatch)
    with pytest.raises(Misuse, match=said):
        checks_in(name)
