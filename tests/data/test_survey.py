"""Does a scan that was killed, resumed, repeated or split among workers give the same tables?"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pytest
from PIL import Image

from recipe_core import recipe
from recipe_core.data import survey as survey_module
from recipe_core.execution.processes import LocalProcesses
from recipe_core.images.look import FileRef
from recipe_core.kernel.errors import Cancelled, UnknownName, WorkspaceBusy, WorkspaceError
from recipe_core.runs import scans
from recipe_core.store import results
from recipe_core.store.shards import read_shards
from recipe_core.store.workspace import Workspace, locked, prepare
from tests.store.disk import small_disk

PLACE = ("thumb_offset",)  # where a thumbnail lies depends on which chunk came first


def photos(folder: Path, n: int, seed: int = 0) -> Path:
    """n small JPEG photos of two classes."""
    rng = np.random.default_rng(seed)
    for i in range(n):
        path = folder / ("cat" if i % 3 else "dog") / f"{i:04d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8))
        coarse.resize((160, 120), Image.Resampling.BICUBIC).save(path, quality=85)
    return folder


def table(workspace: Path) -> pa.Table:
    found = recipe.evidence(workspace)
    return found.samples.drop_columns(list(PLACE)).replace_schema_metadata(None)


def thumbnails(workspace: Path) -> list[bytes | None]:
    return [recipe.thumbnail(workspace, row) for row in range(len(recipe.evidence(workspace)))]


def scan(source: Path, workspace: Path, **more: object) -> None:
    recipe.scan(source, workspace, check_ids=["corruption"], **{"engine": "here", **more})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = photos(tmp_path_factory.mktemp("source") / "photos", 300)
    (folder / "cat" / "broken.jpg").write_bytes((folder / "cat" / "0001.jpg").read_bytes()[:700])
    (folder / "cat" / "empty.jpg").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def undisturbed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = tmp_path_factory.mktemp("undisturbed") / "w"
    scan(source, workspace)
    return workspace


def test_the_number_of_workers_does_not_matter(
    source: Path, undisturbed: Path, tmp_path: Path
) -> None:
    for workers in (1, 3):
        workspace = tmp_path / f"w{workers}"
        scan(source, workspace, engine="local", workers=workers)
        assert table(workspace).equals(table(undisturbed))
        assert thumbnails(workspace) == thumbnails(undisturbed)


def _killed_after(source: Path, workspace: Path, seconds: float) -> bool:
    """Scans in a process of its own and kills it; whether it was still running."""
    words = ["scan", str(source), "-w", str(workspace), "--check", "corruption", "--workers", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "recipe_core.cli", *words],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        process.wait(seconds)
        return False
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True


@pytest.mark.slow
def test_kill_9_at_random_moments_loses_nothing(tmp_path: Path) -> None:
    many = photos(tmp_path / "many", 1500, seed=3)
    scan(many, tmp_path / "calm")
    workspace, rng, kills = tmp_path / "w", random.Random(5), 0
    while kills < 10:
        running = _killed_after(many, workspace, rng.uniform(0.4, 2.2))
        kills += running
        if not running:  # it finished: begin again, so that every kill hits a scan under way
            assert table(workspace).equals(table(tmp_path / "calm"))
            workspace = tmp_path / f"w{kills}"
    scan(many, workspace)
    assert table(workspace).equals(table(tmp_path / "calm"))
    assert thumbnails(workspace) == thumbnails(tmp_path / "calm")


class _Stop(Exception):
    pass


def test_stopping_after_every_chunk_gives_the_same_table(
    source: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recipe_core.data.survey.CHUNK", 50)
    workspace, stops = tmp_path / "w", 0
    while True:
        seen = []

        def stop_after_two(activity: str, done: int, total: int, seen: list[int] = seen) -> None:
            if activity == "reading images":
                seen.append(done)
            if len(seen) == 2:
                raise Cancelled("enough")

        try:
            scan(source, workspace, progress=stop_after_two)
            break
        except Cancelled:
            stops += 1
            assert not recipe.exists(workspace)
    assert stops >= 5
    assert table(workspace).equals(table(undisturbed))
    assert not (workspace / "shards").exists()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """Every file that a scan in this process opens."""
    names: list[bytes] = []
    real = survey_module.look

    def counting(files: list[FileRef], beat: object) -> object:
        names.extend(f.file for f in files)
        return real(files, beat)  # type: ignore[arg-type]

    monkeypatch.setattr(survey_module, "look", counting)
    yield names


def test_a_second_scan_opens_nothing(source: Path, tmp_path: Path, opened: list[bytes]) -> None:
    scan(source, tmp_path / "w")
    assert len(opened) == 302
    opened.clear()
    first = table(tmp_path / "w")
    scan(source, tmp_path / "w")
    assert opened == [] and table(tmp_path / "w").equals(first)


@pytest.mark.parametrize("wrong", ["check", "threshold", "file"])
def test_wrong_settings_are_said_before_anything_is_read(
    source: Path, tmp_path: Path, opened: list[bytes], wrong: str
) -> None:
    ways: dict[str, dict[str, Any]] = {
        "check": {"check_ids": ["corruptoin"]}, "threshold": {"overrides": {"corruptoin": {"x": 1}}}
    }  # fmt: skip
    if wrong == "file":
        (tmp_path / "recipe.toml").write_text("[corruptoin]\nx = 1\n")
    with pytest.raises(UnknownName, match="corruptoin"):
        recipe.scan(source, tmp_path / "w", engine="here", **ways.get(wrong, {}))
    assert opened == [] and not (tmp_path / "w").exists()


def test_no_worker_waits_for_the_checks(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    real = recipe.chosen
    monkeypatch.setattr(recipe, "chosen", lambda ids: told.append("chosen") or real(ids)[:1])
    recipe.scan(source, tmp_path / "w", workers=2, progress=lambda a, d, n: told.append(f"{a} {d}"))
    assert told.index("reading images 0") + 1 == told.index("chosen")
    assert told.index("chosen") < told.index("reading images 302")


def test_copies_are_planted_while_other_measures_are_made(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    real = LocalProcesses.map

    def heard(self: LocalProcesses, job: Any, chunks: Any) -> Any:
        told.append(getattr(getattr(job.work, "args", [job.work])[0], "__name__", "?"))
        return real(self, job, chunks)

    monkeypatch.setattr(LocalProcesses, "map", heard)
    said = recipe.scan(source, tmp_path / "w", workers=2,
                       progress=lambda activity, *_: told.append(activity))  # fmt: skip
    order = ("reading images", "recognised", "storing results", "measuring shortcut scores",
             "measuring pixel copies")  # fmt: skip
    assert sorted(order, key=told.index) == [*order]
    assert told.count("recognised") == 1
    plain = recipe.scan(source, tmp_path / "alone", engine="here")
    assert [f.numbers for f in said.findings] == [f.numbers for f in plain.findings]


@pytest.mark.parametrize("when", ["storing results", "measuring pixel copies"])
def test_a_scan_stopped_while_copies_are_planted_leaves_no_worker(
    source: Path, tmp_path: Path, when: str
) -> None:
    before = set(psutil.Process().children())

    def stop(activity: str, *_: int) -> None:
        if activity == when:
            assert len(set(psutil.Process().children()) - before) == 2
            raise Cancelled

    with pytest.raises(Cancelled) as kept:  # with the frames that the workers were begun in
        recipe.scan(source, tmp_path / "w", workers=2, progress=stop)
    assert set(psutil.Process().children()) <= before and kept.tb


def test_changed_added_and_removed_files_are_picked_up(tmp_path: Path, opened: list[bytes]) -> None:
    folder = photos(tmp_path / "photos", 30)
    scan(folder, tmp_path / "w")
    opened.clear()
    changed, removed = folder / "cat" / "0001.jpg", folder / "dog" / "0003.jpg"
    Image.new("RGB", (50, 40), "red").save(changed)
    os.utime(changed, ns=(1, 1))
    removed.unlink()
    photos(tmp_path / "other", 31)
    added = folder / "dog" / "0030.jpg"
    added.write_bytes((tmp_path / "other" / "dog" / "0030.jpg").read_bytes())
    scan(folder, tmp_path / "w")
    assert sorted(opened) == sorted([os.fsencode(changed), os.fsencode(added)])
    rows = {r["path"]: r for r in recipe.samples(tmp_path / "w").to_pylist()}
    assert len(rows) == 30 and "dog/0003.jpg" not in rows
    assert (rows["cat/0001.jpg"]["width"], rows["dog/0030.jpg"]["width"]) == (50, 160)
    scan(folder, tmp_path / "fresh")
    assert table(tmp_path / "w").equals(table(tmp_path / "fresh"))


def test_two_scans_of_one_workspace_do_not_mix(source: Path, tmp_path: Path) -> None:
    place = Workspace(tmp_path / "w")
    prepare(place)
    held = locked(place, command="recipe scan elsewhere")
    with held, pytest.raises(WorkspaceBusy, match="recipe scan elsewhere"):
        scan(source, place.path)


def test_another_version_of_the_pass_measures_anew(
    source: Path, tmp_path: Path, opened: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    scan(source, tmp_path / "w")
    opened.clear()
    monkeypatch.setattr(survey_module, "PASS_VERSION", 999)
    scan(source, tmp_path / "w")
    assert len(opened) == 302


def test_lost_thumbnails_are_made_again(tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos", 12)
    scan(folder, tmp_path / "w")
    before = thumbnails(tmp_path / "w")
    next((tmp_path / "w").glob("thumbs-*.pack")).write_bytes(b"")
    scan(folder, tmp_path / "w")
    assert thumbnails(tmp_path / "w") == before and None not in before


@pytest.mark.parametrize("at_once", [5, 1024])
def test_a_pack_that_is_mostly_leavings_is_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    folder = photos(tmp_path / "photos", 12)
    scan(folder, tmp_path / "w")
    before = thumbnails(tmp_path / "w")
    pack = next((tmp_path / "w").glob("thumbs-*.pack"))
    with pack.open("ab") as f:
        f.write(b"\0" * 300_000)
    monkeypatch.setattr("recipe_core.store.thumbnails.LEAVINGS_ALLOWED", 1000)
    monkeypatch.setattr("recipe_core.store.thumbnails.AT_ONCE", at_once)
    scan(folder, tmp_path / "w")
    packs = list((tmp_path / "w").glob("thumbs-*.pack"))
    assert len(packs) == 1 and packs[0] != pack and packs[0].stat().st_size < 200_000
    assert thumbnails(tmp_path / "w") == before


def test_a_full_disk_is_said_and_harms_nothing(tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos", 60)
    with small_disk(tmp_path / "disk", kilobytes=400) as disk:
        few = photos(tmp_path / "few", 5)
        scan(few, disk / "w")
        before = table(disk / "w")
        (disk / "ballast").write_bytes(b"\0" * 100_000)
        with pytest.raises(WorkspaceError, match="is full"):
            scan(photos(tmp_path / "lots", 400), disk / "w")
        assert table(disk / "w").equals(before)
    del folder


def test_measures_are_kept_while_their_inputs_are_the_same(source: Path, tmp_path: Path) -> None:
    recipe.scan(source, tmp_path / "w", engine="here")
    stored = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "w" / "tables").iterdir()}
    assert stored
    recipe.scan(source, tmp_path / "w", engine="here")
    assert {p.name: p.stat().st_mtime_ns for p in (tmp_path / "w" / "tables").iterdir()} == stored


def test_judging_again_opens_no_image(source: Path, tmp_path: Path, opened: list[bytes]) -> None:
    first = recipe.scan(source, tmp_path / "w", engine="here")
    opened.clear()
    again = recipe.check(tmp_path / "w")
    assert opened == []
    assert [(f.check, f.verdict, f.summary) for f in again.findings] == [
        (f.check, f.verdict, f.summary) for f in first.findings
    ]


def test_the_stored_report_reads_back_whole(source: Path, tmp_path: Path) -> None:
    said = recipe.scan(source, tmp_path / "w", engine="here")
    read = results.read_report(Workspace(tmp_path / "w"))
    assert read is not None and read.to_json() == said.to_json()
    for a, b in zip(read.findings, said.findings, strict=True):
        assert a.subjects.rows.tolist() == b.subjects.rows.tolist()
        assert list(a.subjects.details) == list(b.subjects.details)
        assert [c.title for c in a.charts] == [c.title for c in b.charts]


def test_ctrl_c_stops_soon_and_keeps_what_is_done(tmp_path: Path) -> None:
    many = photos(tmp_path / "many", 1500, seed=4)
    words = ["scan", str(many), "-w", str(tmp_path / "w"), "--workers", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "recipe_core.cli", *words],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not 0 < scans.watch(tmp_path / "w").done < 1500 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130 and "Stopped" in said
    assert scans.watch(tmp_path / "w").status == "stopped"
    (landed,) = (read_shards(p) for p in (tmp_path / "w" / "shards").iterdir())
    assert landed is not None and landed.num_rows > 0


def test_changes_on_disk_are_counted_without_opening_a_file(
    tmp_path: Path, opened: list[bytes]
) -> None:
    folder = photos(tmp_path / "photos", 20)
    scan(folder, tmp_path / "w")
    opened.clear()
    assert not recipe.changed_since(tmp_path / "w")
    (folder / "cat" / "0001.jpg").write_bytes(b"other")
    (folder / "cat" / "0002.jpg").unlink()
    (folder / "cat" / "new1.jpg").write_bytes(b"x")
    (folder / "cat" / "new2.jpg").write_bytes(b"y")
    found = recipe.changed_since(tmp_path / "w")
    assert (found.added, found.removed, found.changed) == (2, 1, 1)
    assert opened == []


def test_a_read_only_workspace_is_said_and_harms_nothing(tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos", 6)
    with small_disk(tmp_path / "disk", kilobytes=2000) as disk:
        scan(folder, disk / "w")
        before = table(disk / "w")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(WorkspaceError, match="cannot be written"):
            scan(folder, disk / "w")
        assert table(disk / "w").equals(before)
