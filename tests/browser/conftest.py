"""A real server, a real browser, and a watch over what the page asks for and complains about."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recipe_core import recipe
from tests.app.making import write_source
from tests.serving import clean_environment, free_port, scan_ended, served

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
PATIENCE_MS = 90_000
"""A busy machine is no fault: waiting costs nothing where nothing is wrong."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the results of a real scan."""
    folder = tmp_path_factory.mktemp("scanned")
    recipe.scan(write_source(folder / "pictures"), folder / "workspace", engine="here")
    return folder / "workspace"


def app_on(workspace: Path, folder: Path) -> Any:
    """The app as a user starts it, on this workspace, until the block ends."""
    command = [sys.executable, "-m", "recipe_core.cli", "app", "-w", str(workspace),
               "--port", str(free_port())]  # fmt: skip
    return served(command, folder, clean_environment(PYTHONPATH=str(ROOT)))


@pytest.fixture(scope="session")
def site(scanned: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the app on the scanned workspace."""
    with app_on(scanned, tmp_path_factory.mktemp("site")) as address:
        yield address


@pytest.fixture(scope="session")
def shared(scanned: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the scanned workspace that tests write decisions to, one after the other."""
    place = tmp_path_factory.mktemp("shared") / "workspace"
    shutil.copytree(scanned, place)
    return place


@pytest.fixture(scope="session")
def shared_site(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the app on the workspace that tests write to."""
    with app_on(shared, tmp_path_factory.mktemp("shared-site")) as address:
        yield address


@pytest.fixture
def own(shared: Path) -> Path:
    """The workspace to write to, without anything decided or saved so far."""
    return undecided(shared)


@pytest.fixture
def own_site(own: Path, shared_site: str) -> str:
    """The address of the app on it."""
    return shared_site


def undecided(workspace: Path) -> Path:
    """The workspace with everything taken back that was decided, and without saved views.

    Taken back, not deleted: a server knows what it read by the number of the last decision.
    """
    while recipe.undo(workspace) is not None:
        pass
    for name in recipe.views(workspace):
        recipe.forget_view(workspace, name)
    return workspace


@pytest.fixture
def new_workspace(tmp_path: Path) -> Path:
    """Where a test's own scan will put its results."""
    return tmp_path / "workspace"


@pytest.fixture
def new_site(new_workspace: Path, tmp_path: Path) -> Iterator[str]:
    """The address of the app on a workspace that nothing was scanned into."""
    with scan_ended(new_workspace), app_on(new_workspace, tmp_path) as address:
        yield address


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless Chromium. Skipped only when asked for: what CI can run it does not skip."""
    if os.environ.get("RECIPE_SKIP_BROWSER") == "1":
        pytest.skip("RECIPE_SKIP_BROWSER=1")
    if not CHROMIUM.exists():
        pytest.fail(
            f"There is no {CHROMIUM}: apt-get install chromium, or name one in CHROMIUM, "
            "or leave these tests out with RECIPE_SKIP_BROWSER=1.",
            pytrace=False,
        )
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE_MS)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def profile(chromium: Any) -> Iterator[Any]:
    """One profile for all tests: Streamlit's scripts are fetched and compiled once, not each time.

    What the app keeps in a browser it keeps in the tab (session storage), and every test has its
    own.
    """
    context = chromium.new_context(accept_downloads=True)
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


@pytest.fixture
def page(profile: Any) -> Iterator[Any]:
    """A tab that must ask no other host for anything and have nothing to complain about.

    Name it after the server among a test's arguments: it must be closed first.
    """
    tab = profile.new_page()
    tab.set_viewport_size({"width": 1440, "height": 900})
    elsewhere: list[str] = []
    complaints: list[str] = []
    tab.on("request", lambda r: elsewhere.append(r.url) if is_elsewhere(r.url) else None)
    tab.on("pageerror", lambda e: complaints.append(str(e)))
    tab.on("console", lambda m: complaints.append(f"{m.text} {m.location}") if is_bad(m) else None)
    yield tab
    tab.close()
    assert not elsewhere, f"asked another host: {elsewhere}"
    assert not complaints, complaints


def is_elsewhere(url: str) -> bool:
    """Whether the address is on another host than this machine's own."""
    return not re.match(r"(https?|wss?)://127\.0\.0\.1:\d+/|data:|blob:|about:", url)


def is_bad(message: Any) -> bool:
    """Whether a console message is an error of ours.

    Opened on a page other than the first, Streamlit looks for its own base address by asking
    below the page's path first: those two 404s are its way.
    """
    where = str(message.location.get("url", ""))
    own = re.search(r"/[\w-]+/_stcore/(health|host-config)$", where)
    return message.type == "error" and not own
