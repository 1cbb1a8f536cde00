"""Does what users install work: the wheel in an empty environment, `make app` in a fresh clone?

What the wheel asks for is lent to it; `make app` downloads it from the package index that this
machine is configured for.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.lending import lend_requirements, lend_torch
from tests.serving import clean_environment, free_port, scan_ended, served, status_of

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the sdist and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    _done([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)])
    return folder


@pytest.fixture(scope="module")
def bin_folder(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that holds the wheel and foreign `app` and `pages`."""
    venv = tmp_path_factory.mktemp("installed") / "venv"
    wheel = next(built.glob("*.whl"))
    if shutil.which("uv"):
        _done(["uv", "venv", "-q", "--python", sys.executable, str(venv)])
        lend_requirements(venv, wheel)
        _done(["uv", "pip", "install", "-q", "--python", str(venv / "bin/python"), str(wheel)])
    else:
        _done([sys.executable, "-m", "venv", str(venv)])
        lend_requirements(venv, wheel)
        _done([str(venv / "bin/python"), "-m", "pip", "install", "-q", "--no-compile",
               str(wheel)])  # fmt: skip
    site = next(venv.glob("lib/python3*/site-packages"))
    for foreign in ("app", "pages"):
        (site / foreign).mkdir()
        (site / foreign / "__init__.py").write_text("raise RuntimeError('a foreign package')\n")
    return venv / "bin"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve pictures in two class folders, the last a byte copy of the first."""
    rng = np.random.default_rng(7)
    for i in range(12):
        path = tmp_path / "photos" / ("cat", "dog")[i % 2] / f"{i:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        coarse.resize((160, 120), Image.Resampling.BICUBIC).save(path)
    shutil.copy(tmp_path / "photos/cat/00.png", tmp_path / "photos/dog/11.png")
    return tmp_path / "photos"


def test_the_wheel_carries_the_app_and_the_sample_data(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = wheel.namelist()
    top = {n.partition("/")[0] for n in names}
    assert {n for n in top if not n.endswith(".dist-info")} == {"recipe_core"}
    for place in ("app", "pages", "sample_data/digits"):
        held = {n for n in names if n.startswith(f"recipe_core/_web/{place}/")}
        assert held >= {f"recipe_core/_web/{n}" for n in _files_below(ROOT / place)}


def _files_below(folder: Path) -> set[str]:
    wanted = (p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return {p.relative_to(ROOT).as_posix() for p in wanted}


def test_the_sdist_is_a_checkout_and_nothing_more(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        names = {n.name.partition("/")[2] for n in sdist}
    assert names >= {"Makefile", ".ci/run", "LICENSE", "requirements.lock", "tests/serving.py"}
    assert names >= _files_below(ROOT / "app") | _files_below(ROOT / "sample_data")
    hidden = {n for n in names if {".venv", ".git", ".envs", ".work", ".recipe"} & {*n.split("/")}}
    assert hidden == set()


def test_the_installed_command_scans_from_another_folder(
    bin_folder: Path, photos: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert "scan" in _done([str(bin_folder / "recipe"), "--help"], elsewhere)
    words = ["scan", str(photos), "-w", str(tmp_path / "w"), "--workers", "2", "--json"]
    report = json.loads(_done([str(bin_folder / "recipe"), *words], elsewhere))
    assert report["schema"] == 1
    assert report["dataset"]["n_samples"] == 12
    verdicts = {c["id"]: c["verdict"] for c in report["checks"]}
    assert verdicts["exact_duplicates"] in ("warn", "fail")
    assert "error" not in verdicts.values()


def test_the_installed_app_shows_pictures(bin_folder: Path, tmp_path: Path) -> None:
    """The page, our own routes, and a thumbnail as a browser asks for it."""
    command = [str(bin_folder / "recipe"), "app", "--port", str(free_port())]
    environment = clean_environment(XDG_CACHE_HOME=str(tmp_path / "cache"))
    with scan_ended(tmp_path), served(command, tmp_path, environment) as address:
        assert status_of(f"{address}/api/thumbnail/not-a-token/0") == 410
        place = tmp_path / "cache" / "recipe" / "sample"
        _until_scanned(bin_folder / "recipe", place)
        # A thread of its own: the browser tests' Playwright holds the event loop of this one.
        with ThreadPoolExecutor(1) as thread:
            kind, start = thread.submit(_first_thumbnail, address).result()
    assert (kind, start) == ("image/jpeg", b"\xff\xd8\xff")


def _first_thumbnail(address: str) -> tuple[str, bytes]:
    """Content type and first bytes of the first thumbnail that the overview asks for."""
    from playwright.sync_api import sync_playwright

    names = ("chromium", "chromium-browser", "google-chrome")
    chromium = next(filter(None, map(shutil.which, names)), None)
    with sync_playwright() as play:
        options = {"executable_path": chromium} if chromium else {}
        browser = play.chromium.launch(args=["--no-sandbox"], **options)  # type: ignore[arg-type]
        page = browser.new_page()
        with page.expect_response(lambda r: "/api/thumbnail/" in r.url, timeout=60_000) as caught:
            page.goto(address)
        answer = caught.value
        found = answer.headers["content-type"], answer.body()[:3]
        browser.close()
    return found


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What a fresh clone of this working tree holds."""
    folder = tmp_path / "clone"
    for name in _tracked():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


def _tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode:
        pytest.skip("not a git checkout: what a clone would hold is unknown")
    return [n for n in listed.stdout.split("\0") if n and (ROOT / n).is_file()]


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port that another program listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        yield int(s.getsockname()[1])


def test_make_app_in_a_fresh_clone(clone: Path, taken_port: int) -> None:
    """It installs, takes the next free port, says so, answers and scans; again it only starts."""
    _done([sys.executable, "-m", "venv", str(clone / ".venv")])
    assert lend_torch(clone / ".venv")
    command = ["make", "app", f"PORT={taken_port}"]
    with (
        scan_ended(clone / ".recipe"),
        served(command, clone, clean_environment()) as address,
    ):
        assert int(address.rpartition(":")[2]) > taken_port
        assert status_of(f"{address}/api/thumbnail/not-a-token/0") == 410
        (place,) = (clone / ".recipe").iterdir()
        _until_scanned(clone / ".venv/bin/recipe", place)
    said = (clone / "served.log").read_text(encoding="utf-8", errors="replace")
    assert f"Port {taken_port} is taken" in said
    again = _done(["make", "install"], clone)
    assert "Installing" not in again


def _until_scanned(recipe: Path, workspace: Path) -> None:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        done = subprocess.run(
            [recipe, "findings", "-w", workspace, "-o", workspace.parent / "findings.csv"],
            env=clean_environment(), capture_output=True, check=False,
        )  # fmt: skip
        if done.returncode == 0:
            return
        time.sleep(3)
    raise AssertionError(f"no findings in {workspace}: {done.stderr.decode()}")


def _done(command: list[str], folder: Path | None = None) -> str:
    """What a command prints; fails with its output where it does."""
    done = subprocess.run(
        command, cwd=folder, env=clean_environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout
