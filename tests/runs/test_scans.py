"""Does the page learn the truth about a scan that it started, whatever becomes of it?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from recipe_core import recipe
from recipe_core.kernel.errors import Misuse
from recipe_core.runs import scans, watched
from recipe_core.runs.progress_file import read_state
from recipe_core.runs.watched import Identity, alive, myself
from tests.data.test_survey import photos
from tests.runs.waiting import living, until


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photos(tmp_path_factory.mktemp("many") / "photos", 800, seed=9)


def _pid(workspace: Path) -> int:
    state = read_state(workspace / "scan" / "progress.json")
    assert state is not None
    return state.pid


def test_nothing_has_run_yet(tmp_path: Path) -> None:
    assert scans.watch(tmp_path / "w").status == "none"


def test_it_runs_to_its_end_and_says_how_far_it_is(many: Path, tmp_path: Path) -> None:
    place = tmp_path / "w"
    scans.start(str(many), place)
    with pytest.raises(Misuse, match="running already"):
        scans.start(str(many), place)
    seen = set()

    def ended() -> bool:
        scan = scans.watch(place)
        seen.add((scan.activity, scan.total))
        return scan.status != "running"

    until(ended, 120)
    scan = scans.watch(place)
    assert scan.status == "done", scan.log_tail
    assert ("reading images", 800) in seen
    assert scan.command == f"recipe scan {many} -w {place}" and scan.source == str(many)
    assert len(recipe.evidence(place)) == 800


def test_a_stopped_scan_says_so_and_the_next_goes_on(many: Path, tmp_path: Path) -> None:
    place = tmp_path / "w"
    scans.start(str(many), place)
    until(lambda: 0 < scans.watch(place).done < 800)
    scans.stop(place)
    assert scans.watch(place).status == "stopped"
    scans.start(str(many), place)
    until(lambda: scans.watch(place).status != "running", 120)
    assert scans.watch(place).status == "done"


def test_a_scan_stopped_before_its_first_word_is_stopped_not_failed(
    many: Path, tmp_path: Path
) -> None:
    place = tmp_path / "w"
    scans.start(str(many), place)
    scans.stop(place)
    assert scans.watch(place).status == "stopped"


def test_a_killed_scan_is_lost_and_leaves_no_process(many: Path, tmp_path: Path) -> None:
    place = tmp_path / "w"
    scans.start(str(many), place)
    until(lambda: 0 < scans.watch(place).done < 800)
    workers = psutil.Process(_pid(place)).children(recursive=True)
    os.kill(_pid(place), signal.SIGKILL)
    until(lambda: scans.watch(place).status != "running")
    assert scans.watch(place).status == "lost"
    until(lambda: not any(living(w.pid) for w in workers))


def test_a_failed_scan_says_why(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    scans.start(str(tmp_path / "empty"), tmp_path / "w")
    until(lambda: scans.watch(tmp_path / "w").status != "running")
    scan = scans.watch(tmp_path / "w")
    assert scan.status == "failed" and "empty" in scan.message


def test_a_source_that_does_not_exist_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="no file or folder"):
        scans.start(str(tmp_path / "nowhere"), tmp_path / "w")


def test_a_number_used_again_is_another_process() -> None:
    me = myself()
    assert alive(me) and not alive(Identity(me.pid, me.started - 100))


def test_psutil_says_the_same_of_a_process_where_there_is_no_proc() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert watched._asked(child.pid) == (psutil.Process(child.pid).create_time(), False)
    child.kill()
    until(lambda: watched._seen(child.pid)[1])
    assert watched._asked(child.pid)[1]
    child.wait()
    for ask in (watched._seen, watched._asked):
        with pytest.raises(OSError):
            ask(child.pid)
