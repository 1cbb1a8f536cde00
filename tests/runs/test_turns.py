"""Do runs take turns on a device in the order of arrival, and does nobody wait for the dead?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from recipe_core import pipeline
from recipe_core.runs.turns import physical, taken, turn
from tests.runs.waiting import ended, under_way, until

COUNTS = "tests.runs.entries:counts"
LONG = {"n": 100_000, "pause": 0.02}


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RECIPE_ENTRIES", "tests.runs")
    monkeypatch.setenv("RECIPE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "w"
    for run in pipeline.runs(tmp_path / "w"):
        pipeline.stop(tmp_path / "w", run.id, now=True)


def _launch(place: Path, device: str = "fake:0", queue: str = "auto") -> str:
    return pipeline.launch(place, "train", COUNTS, LONG, device=device, queue=queue)


def _queued(place: Path, run_id: str) -> None:
    until(lambda: pipeline.run(place, run_id).status == "queued")


def test_the_order_of_arrival_also_past_a_killed_and_a_cancelled_one(place: Path) -> None:
    first = _launch(place)
    pid = under_way(place, first).pid
    second = _launch(place)
    _queued(place, second)
    third = _launch(place)
    _queued(place, third)
    fourth = _launch(place)
    _queued(place, fourth)
    waits = pipeline.run(place, fourth)
    assert waits.waiting == (first, second, third)
    assert waits.message == f"Waiting for {first}, then {second}, then {third}."
    assert waits.progress.activity == f"waiting for {third}"
    assert pipeline.stop(place, second).status == "stopped"  # cancelled while queued
    until(lambda: pipeline.run(place, fourth).waiting == (first, third))
    os.kill(pid, signal.SIGKILL)  # the kernel lets go of its device
    under_way(place, third)
    assert ended(place, first).status == "lost"
    until(lambda: pipeline.run(place, fourth).waiting == (third,))
    pipeline.stop(place, third)
    assert under_way(place, fourth).status == "running"


def test_devices_and_the_processor_do_not_wait_for_each_other(place: Path) -> None:
    under_way(place, _launch(place))
    for device, queue in (("fake:1", "auto"), ("cpu", "auto"), ("fake:0", "never")):
        under_way(place, _launch(place, device, queue))


def test_the_processor_has_turns_when_asked(place: Path) -> None:
    first = _launch(place, "cpu", "always")
    under_way(place, first)
    second = _launch(place, "cpu", "always")
    _queued(place, second)
    assert pipeline.run(place, second).waiting == (first,)


HOLDER = """
import os, signal, sys
from pathlib import Path
from recipe_core.runs.turns import turn
with turn("fake", "a", lambda before: None, Path(sys.argv[1])):
    child = os.fork()
    if child:
        print(child, flush=True)
    signal.pause()
"""


def test_a_child_that_outlives_the_worker_does_not_keep_the_device(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    child = int(holder.stdout.readline())
    told: list[tuple[str, ...]] = []

    def waiting(before: tuple[str, ...]) -> None:
        told.append(before)
        holder.kill()

    try:
        with turn("fake", "b", waiting, tmp_path):
            assert told and set(told) == {("a",)}
            os.kill(child, 0)  # it lives
    finally:
        os.kill(child, signal.SIGKILL)
        holder.wait()
        holder.stdout.close()


def test_many_at_once_are_never_two(tmp_path: Path) -> None:
    """Threads hold their own tickets: flock belongs to the open file."""
    inside, most, lock = [0], [0], threading.Lock()

    def take() -> None:
        with turn("fake", "x", lambda before: None, tmp_path):
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            with lock:
                inside[0] -= 1

    threads = [threading.Thread(target=take) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert most[0] == 1
    assert list(tmp_path.rglob("*.ticket")) == []


@pytest.mark.parametrize(
    ("device", "visible", "expected"),
    [
        ("cpu", None, ""), ("", None, ""), ("mps", None, "mps"), ("cuda", None, "cuda:0"),
        ("cuda:1", None, "cuda:1"), ("cuda", "2,3", "cuda:2"), ("cuda:1", "2, 3", "cuda:3"),
        ("cuda:0", "GPU-5ebe9f43", "cuda:GPU-5ebe9f43"), ("cuda:7", "2", "cuda:7"),
    ],
)  # fmt: skip
def test_the_machines_own_name_of_a_device(
    monkeypatch: pytest.MonkeyPatch, device: str, visible: str | None, expected: str
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert physical(device) == expected


@pytest.mark.parametrize(
    ("device", "processes", "visible", "expected"),
    [
        ("cuda", 1, "0,1,2", ("cuda:0",)),
        ("cuda", 0, "0,1,2", ("cuda:0", "cuda:1", "cuda:2")),
        ("cuda", 2, "3,1,2", ("cuda:1", "cuda:3")),
        ("cuda:1", 0, "0,1,2", ("cuda:1",)),
        ("cuda", 0, "5", ("cuda:5",)),
        ("cpu", 2, "0,1", ()),
        ("mps", 0, "", ("mps",)),
    ],
)
def test_a_run_of_several_processes_takes_a_gpu_for_each(
    monkeypatch: pytest.MonkeyPatch, device: str, processes: int, visible: str,
    expected: tuple[str, ...],
) -> None:  # fmt: skip
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert taken(device, processes) == expected
