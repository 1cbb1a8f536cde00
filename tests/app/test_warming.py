"""Is everything there when the first visitor comes, and does nothing break where nothing is?"""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from app import warming
from recipe_core import recipe
from tests.app.making import N_SAMPLES
from tests.app.test_pages import drawn

CONFIG = Path(warming.__file__).parent / ".streamlit" / "config.toml"


def refused(*_: object) -> None:
    raise AssertionError("read once more")


def test_a_warm_server_reads_nothing_for_its_first_visitor(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe._cache.clear()
    with monkeypatch.context() as cold:
        cold.setattr("recipe_core.store.results.read_evidence", refused)
        with pytest.raises(AssertionError, match="read once more"):
            warming.warm()
    warming.warm()
    monkeypatch.setattr("recipe_core.store.results.read_evidence", refused)
    test = drawn("browse")
    assert not test.exception and len(recipe.browser(workspace).rows()) == N_SAMPLES


def test_nothing_scanned_yet_is_no_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECIPE_WORKSPACE", str(tmp_path / "none"))
    warming.warm()


def test_a_damaged_workspace_is_no_trouble(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "damaged"
    (place / "results" / "1").mkdir(parents=True)
    (place / "current").write_text("1")
    (place / "results" / "1" / "samples.parquet").write_bytes(b"no table")
    (place / "results" / "1" / "dataset.json").write_text("{}")
    monkeypatch.setenv("RECIPE_WORKSPACE", str(place))
    warming.warm()


def test_no_full_collection_after_every_run() -> None:
    assert tomllib.loads(CONFIG.read_text(encoding="utf-8"))["runner"]["postScriptGC"] is False
