"""Can results be lost, mixed up or written over foreign files?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from recipe_core.kernel.errors import Misuse, WorkspaceBusy, WorkspaceError
from recipe_core.store.workspace import Workspace, commit, locked, prepare, replaced, write_json

HOLD = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    from recipe_core.store.workspace import Workspace, locked
    with locked(Workspace(Path(sys.argv[1])), command="recipe scan there"):
        print("held", flush=True)
        time.sleep(60)
""")


def _holder(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def test_a_second_scan_is_told_who_holds_it_and_a_kill_frees_it(tmp_path: Path) -> None:
    place = Workspace(tmp_path / "w")
    prepare(place)
    holder = _holder(place.path)
    try:
        said = rf"process {holder.pid}.*recipe scan there"
        with pytest.raises(WorkspaceBusy, match=said), locked(place, command="second"):
            pytest.fail("two holders")
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    with locked(place, command="third"):
        pass


def test_waiting_gets_it_when_the_other_ends(tmp_path: Path) -> None:
    place = Workspace(tmp_path / "w")
    prepare(place)
    holder = _holder(place.path)
    started = time.monotonic()
    subprocess.Popen(["sh", "-c", f"sleep 0.5; kill -9 {holder.pid}"])
    with locked(place, command="patient", wait_s=30):
        assert time.monotonic() - started > 0.3
    holder.wait()


def test_foreign_files_are_never_written_among(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(Misuse, match=r"thesis\.tex"):
        prepare(Workspace(tmp_path))
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_is_no_workspace(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"x")
    with pytest.raises(Misuse, match="is a file"):
        prepare(Workspace(path))


def test_a_later_schema_is_refused(tmp_path: Path) -> None:
    place = Workspace(tmp_path / "w")
    prepare(place)
    write_json(place.path / "workspace.json", {"schema": 99})
    with pytest.raises(WorkspaceError, match="another version"):
        prepare(place)


def test_a_failed_commit_leaves_the_old_results_in_force(tmp_path: Path) -> None:
    place = Workspace(tmp_path / "w")
    prepare(place)
    first = commit(place, lambda f: (f / "x").write_text("1") and None)

    def fail(folder: Path) -> None:
        (folder / "x").write_text("2")
        raise OSError(28, "No space left on device")

    with pytest.raises(WorkspaceError, match=r"disk .* is full"):
        commit(place, fail)
    assert place.current() == first and (first / "x").read_text() == "1"
    assert [p.name for p in (place.path / "results").iterdir()] == [first.name]


def test_a_new_commit_replaces_and_tidies(tmp_path: Path) -> None:
    place = Workspace(tmp_path / "w")
    prepare(place)
    commit(place, lambda f: None)
    before = place.state()
    second = commit(place, lambda f: None)
    assert place.current() == second and place.state() != before
    assert [p.name for p in (place.path / "results").iterdir()] == [second.name]


def test_a_half_written_file_never_has_its_name(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    target.write_text("old")

    def half(path: Path) -> None:
        path.write_text("ha")
        raise ValueError

    with pytest.raises(ValueError):
        replaced(target, half)
    assert target.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["a.json"]
