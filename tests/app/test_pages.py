"""Does every page draw itself, with results and without?"""

from __future__ import annotations

import html
import shutil
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app import opened, words
from recipe_core import recipe
from recipe_core.kernel.params import Setting
from tests.app.making import HOSTILE_CLASS, HOSTILE_FILE, picture

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(p.stem for p in (ROOT / "pages").glob("[a-z]*.py"))


def drawn(page: str, **query: str) -> AppTest:
    """The page as it is drawn first, with these query parameters."""
    test = AppTest.from_file(str(ROOT / "app" / "router.py"), default_timeout=60).run()
    for name, value in query.items():
        test.query_params[name] = value
    return test.switch_page(f"../pages/{page}.py").run()


def said(test: AppTest) -> str:
    """All markup of the page but the style sheet."""
    bodies = [str(e.proto.body) for e in test.get("html")]
    return "\n".join(b for b in bodies if not b.startswith("<style>"))


@pytest.mark.parametrize("page", PAGES)
def test_with_results(page: str, workspace: Path) -> None:
    test = drawn(page)
    assert not test.exception
    assert "r-title" in said(test)


@pytest.mark.parametrize("page", PAGES)
def test_before_the_first_scan(page: str, empty: Path) -> None:
    test = drawn(page)
    assert not test.exception
    wanted = "Look at the data first" if page == "overview" else "after the first scan"
    assert wanted in said(test)


def test_every_page_is_in_the_navigation() -> None:
    router = (ROOT / "app" / "router.py").read_text(encoding="utf-8")
    assert PAGES and all(f'"{page}.py"' in router for page in PAGES)


def test_the_overview_shows_the_worst_and_every_stage(workspace: Path) -> None:
    markup = said(drawn("overview"))
    last = opened.report()
    assert last is not None
    for stage in ("1 · ", "2 · ", "3 · ", "4 · ", "5 · ", "6 · "):
        assert f"<h4>{stage}" in markup
    assert any(words.escaped(f.summary) in markup for f in last.findings if f.verdict == "fail")


def test_every_finding_is_on_the_findings_page(workspace: Path) -> None:
    markup = said(drawn("findings"))
    for finding in opened.findings().values():
        assert words.escaped(finding.summary) in markup, finding.check


def test_one_finding_can_be_linked_to(workspace: Path) -> None:
    markup = said(drawn("findings", check=words.spoken("corruption")))
    assert words.escaped(opened.findings()["corruption"].summary) in markup
    assert words.escaped(opened.findings()["class_balance"].summary) not in markup


def test_a_slider_judges_again_and_reset_goes_back(workspace: Path) -> None:
    check = next(c for c in recipe.checks() if any(_slidable(s) for s in c.settings))
    setting = next(s for s in check.settings if _slidable(s))
    test = drawn("findings", check=words.spoken(check.id))
    slider = test.slider(key=f"set:{check.id}:{setting.name}")
    before = slider.value
    end = setting.low if before == setting.high else setting.high
    slider.set_value(type(before)(end)).run()
    assert not test.exception
    moved = test.session_state["thresholds"][check.id]
    assert moved[setting.name] == end
    assert recipe.judge(workspace, check.id, moved).summary in html.unescape(said(test))
    assert "The report says" in said(test)
    test.button(key=f"reset:{check.id}").click().run()
    assert test.slider(key=f"set:{check.id}:{setting.name}").value == before
    assert check.id not in test.session_state["thresholds"]
    assert "The report says" not in said(test)


def _slidable(s: Setting) -> bool:
    whole = isinstance(s.default, int) and not isinstance(s.default, bool)
    return whole and s.low is not None and s.high is not None and s.high - s.low <= 1000


def test_no_name_becomes_markup_or_markdown(workspace: Path) -> None:
    for page in PAGES:
        test = drawn(page)
        for kind in ("markdown", "caption", "header", "title"):
            for element in test.get(kind):
                assert HOSTILE_CLASS not in str(element.proto), (page, kind)
        assert HOSTILE_FILE not in said(test) and HOSTILE_CLASS not in said(test)


@pytest.mark.parametrize("path", ["/no/such/folder", "\0", "x" * 4000])
def test_a_bad_path_is_refused_before_anything_starts(path: str, empty: Path) -> None:
    test = drawn("overview")
    test.text_input(key="scan-path").set_value(path).run()
    assert not test.exception
    assert "r-problem" in said(test) and not empty.exists()
    assert next(b for b in test.button if b.label == "Scan").disabled


def test_the_command_is_the_one_a_person_would_type(empty: Path, tmp_path: Path) -> None:
    test = drawn("overview")
    test.text_input(key="scan-path").set_value(str(tmp_path)).run()
    assert f"recipe scan {tmp_path} -w {empty}" in test.code[0].value


@pytest.fixture(scope="module")
def one_picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results for a single picture in a flat folder: no labels, no splits, nothing to compare."""
    folder = tmp_path_factory.mktemp("one")
    (folder / "flat").mkdir()
    picture(np.random.default_rng(3)).save(folder / "flat" / "only.png")
    recipe.scan(folder / "flat", folder / "workspace", engine="here")
    return folder / "workspace"


@pytest.mark.parametrize("page", PAGES)
def test_one_picture_without_labels_and_splits(
    page: str, one_picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECIPE_WORKSPACE", str(one_picture))
    test = drawn(page)
    assert not test.exception
    assert "r-problem" not in said(test)


def test_a_workspace_that_cannot_be_read_is_said_in_words(
    scanned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(scanned, damaged)
    for table in damaged.rglob("samples.parquet"):
        table.write_bytes(b"not a table")
    monkeypatch.setenv("RECIPE_WORKSPACE", str(damaged))
    test = AppTest.from_file(str(ROOT / "app" / "router.py"), default_timeout=60).run()
    assert not test.exception
    assert "r-problem" in said(test)
