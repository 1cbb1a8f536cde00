"""One small real scan that every test of the app reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from recipe_core import recipe
from tests.app.making import write_source


@pytest.fixture(scope="session")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the results of a real scan; nobody writes to it."""
    folder = tmp_path_factory.mktemp("app")
    source = write_source(folder / "pictures")
    recipe.scan(source, folder / "workspace", engine="here")
    return folder / "workspace"


@pytest.fixture
def workspace(scanned: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The scanned workspace, open in this process."""
    monkeypatch.setenv("RECIPE_WORKSPACE", str(scanned))
    monkeypatch.delenv("RECIPE_SOURCE", raising=False)
    yield scanned


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace that nothing was scanned into, open in this process."""
    monkeypatch.setenv("RECIPE_WORKSPACE", str(tmp_path / "none"))
    monkeypatch.delenv("RECIPE_SOURCE", raising=False)
    return tmp_path / "none"
