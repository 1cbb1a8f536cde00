"""Does every engine keep the promise: each item back exactly once, whatever an item does?"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipe_core.execution.engines import engine, usable_cores
from recipe_core.execution.executor import (
    Attempt,
    Done,
    Executor,
    Job,
    again_after_crash,
)
from recipe_core.execution.here import Here
from recipe_core.execution.processes import LocalProcesses
from recipe_core.execution.sharing import Sharing
from recipe_core.kernel.errors import BadSetting, Misuse, RecipeError, UnknownName
from tests.contracts import executor_work as work
from tests.runs.waiting import living, until

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0
"""Seconds that a test waits for something before it calls it missing; no measure of speed."""


HANGS = 4.0
"""Seconds per item where one hangs: a fine item must not seem to on a machine with much to do."""


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[None]:
    ray = pytest.importorskip("ray", reason="Ray is not installed")
    for _ in range(3):  # Ray gives its own processes 30 s, which a machine with much to do exceeds
        with contextlib.suppress(Exception):
            ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        if ray.is_initialized():
            break
        ray.shutdown()
    assert ray.is_initialized(), "Ray does not start"
    yield
    ray.shutdown()


RAY = pytest.param("ray", marks=[pytest.mark.ray, pytest.mark.slow])


@pytest.fixture(params=["here", "local", RAY])
def any_engine(request: pytest.FixtureRequest) -> Executor:
    return _engine(request)


@pytest.fixture(params=["here", "local"])
def light_engine(request: pytest.FixtureRequest) -> Executor:
    """Those that start in no time; an actor of Ray takes seconds, and its tests ask for much."""
    return _engine(request)


@pytest.fixture(params=["local", RAY])
def protecting(request: pytest.FixtureRequest) -> Executor:
    return _engine(request)


def _engine(request: pytest.FixtureRequest) -> Executor:
    if request.param == "ray":
        request.getfixturevalue("ray_cluster")
    return engine(request.param, 2)


def _chunked(items: Sequence[Any], rng: random.Random) -> list[Sequence[Any]]:
    chunks, at = [], 0
    while at < len(items):
        size = rng.randint(1, 9)
        chunks.append(items[at : at + size])
        at += size
    return chunks


def _items(done: Sequence[Done[Any, Any]]) -> list[Any]:
    return sorted(item for d in done for item in d.items)


# --- every engine ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_every_item_comes_back_once_with_its_result(light_engine: Executor, seed: int) -> None:
    rng = random.Random(seed)
    items = list(range(rng.randint(1, 200)))
    done = list(light_engine.map(Job(work.squares, 30), _chunked(items, rng)))
    assert _items(done) == items
    assert all(d.result == [x * x for x in d.items] and not d.failure for d in done)


def test_nothing_in_nothing_out(any_engine: Executor) -> None:
    assert list(any_engine.map(Job(work.squares, 30), [])) == []
    assert list(any_engine.map(Job(work.squares, 30), [[], ()])) == []


def test_an_exception_costs_its_item_only(light_engine: Executor) -> None:
    items = ["fine 1", "raise 1", "fine 2", "raise 2"]
    done = list(light_engine.map(Job(work.troubled, 30), [items, ["fine 3"]]))
    assert _items(done) == sorted([*items, "fine 3"])
    raised = {d.items: d.detail for d in done if d.failure == "raised"}
    assert raised == {(x,): "ValueError: no way" for x in ("raise 1", "raise 2")}
    assert sum(d.failure == "" for d in done) >= 1


def test_chunks_are_taken_lazily(any_engine: Executor) -> None:
    taken = 0

    def source() -> Iterator[list[int]]:
        nonlocal taken
        for i in range(10_000):
            taken += 1
            yield [i]

    results = any_engine.map(Job(work.squares, 30), source())
    for got in range(1, 51):
        next(results)
        assert taken <= got + 6  # two for each of two workers, and answers already in the pipes
    results.close()  # type: ignore[attr-defined]


def test_an_error_in_the_source_reaches_the_caller(light_engine: Executor) -> None:
    def source() -> Iterator[list[int]]:
        yield [1]
        raise OSError("the folder went away")

    with pytest.raises(OSError, match="went away"):
        list(light_engine.map(Job(work.squares, 30), source()))


def test_tables_and_megabytes_pass_in_both_directions(any_engine: Executor) -> None:
    blobs = [bytes([i]) * 3_000_000 + b"end" for i in range(4)]
    done = list(any_engine.map(Job(work.bulky, 60), [[b] for b in blobs]))
    assert _items(done) == blobs
    assert all(d.result is not None and d.result[1] == [d.items[0][::-1]] for d in done)
    assert all(
        d.result is not None and d.result[0]["length"].to_pylist() == [3_000_003] for d in done
    )


# --- engines with processes -----------------------------------------------------------------


@pytest.mark.parametrize("trouble", ["segfault", "kill", "leave", "raise", "exit"])
def test_an_item_costs_itself_only(trouble: str) -> None:
    _costs_themselves_only(LocalProcesses(2), [trouble])


def test_bad_items_cost_themselves_only(protecting: Executor) -> None:
    _costs_themselves_only(protecting, ["kill", "hang", "raise", "secret"])


def _costs_themselves_only(engine: Executor, troubles: Sequence[str]) -> None:
    """Among fine items; the last of the bad ones in a chunk of its own."""
    items = [f"fine {i:02}" for i in range(8)]
    bad = {f"{trouble} {i}": work.OUTCOME[trouble] for i, trouble in enumerate(troubles)}
    *inside, apart = bad
    items[3:3] = inside
    chunks = [items, ["fine 90", "fine 91", apart]]
    done = list(engine.map(Job(work.troubled, HANGS), chunks))
    assert _items(done) == sorted(item for chunk in chunks for item in chunk)
    assert {d.items: d.failure for d in done if d.failure} == {(i,): f for i, f in bad.items()}
    assert all(d.result == list(d.items) for d in done if not d.failure)
    assert all(bool(d.detail) == bool(d.failure) for d in done)
    secrets = [d.detail for d in done if d.items[0].startswith("secret")]
    assert all("pickle" in detail for detail in secrets)


def test_a_hang_that_says_nothing_is_found() -> None:
    items = ["hang 1", "fine 1"]
    done = list(LocalProcesses(2).map(Job(work.silent_hang, HANGS), [items]))
    assert {d.items: d.failure for d in done if d.failure} == {("hang 1",): "timeout"}
    assert _items(done) == sorted(items)


def test_who_dies_once_by_bad_luck_is_not_blamed(protecting: Executor, tmp_path: Path) -> None:
    items = [str(tmp_path / f"{i}") for i in range(3)]
    done = list(protecting.map(Job(work.killed_once, 30), [items[:2], items[2:]]))
    assert _items(done) == items
    assert not [d for d in done if d.failure]


def test_closing_early_leaves_no_process(protecting: Executor, tmp_path: Path) -> None:
    results = protecting.map(Job(work.sign, 30), ([str(tmp_path)] for _ in range(1000)))
    for _ in range(20):
        next(results)
    results.close()  # type: ignore[attr-defined]
    pids = [int(p.name) for p in tmp_path.iterdir()]
    assert pids
    until(lambda: not any(map(living, pids)))


def test_workers_begin_before_anyone_asks_for_a_result(tmp_path: Path) -> None:
    """And a map that nobody listens to ends like any other."""
    results = LocalProcesses(2).map(Job(work.sign, 30), ([str(tmp_path)] for _ in range(1000)))
    until(lambda: len(list(tmp_path.iterdir())) == 2)
    pids = [int(p.name) for p in tmp_path.iterdir()]
    results.close()
    assert not any(map(living, pids))


def test_work_or_items_that_cannot_be_pickled_are_misuse(protecting: Executor) -> None:
    if isinstance(protecting, LocalProcesses):  # Ray's pickle takes functions from anywhere
        with pytest.raises(Misuse, match="the work cannot be pickled"):
            list(protecting.map(Job(lambda items, beat: 0, 30), [[1]]))
    with pytest.raises(Misuse, match="item cannot be pickled"):
        list(protecting.map(Job(work.squares, 30), [[sys._getframe()]]))


def test_one_thread_per_worker(protecting: Executor) -> None:
    (done,) = protecting.map(Job(work.environment, 30), [["OMP_NUM_THREADS"]])
    assert done.result == ["1"]


# --- local processes ------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_random_troubles_in_random_chunks(seed: int) -> None:
    rng = random.Random(seed)
    kinds = ["fine"] * 30 + ["segfault", "kill", "leave", "raise", "exit"]
    items = [f"{rng.choice(kinds)} {i}" for i in range(60)]
    done = list(LocalProcesses(2).map(Job(work.troubled, 30), _chunked(items, rng)))
    assert _items(done) == sorted(items)
    told = {item: d.failure for d in done for item in d.items}
    assert told == {item: work.OUTCOME[item.split()[0]] for item in items}


def test_all_items_of_a_chunk_may_be_bad() -> None:
    items = ["segfault 1", "kill 1", "leave 1", "raise 1"]
    done = list(LocalProcesses(2).map(Job(work.troubled, 30), [items]))
    assert {d.items[0]: d.failure for d in done} == {i: work.OUTCOME[i.split()[0]] for i in items}


def test_the_cause_of_death_is_told() -> None:
    items = [["segfault"], ["kill"], ["leave"]]
    done = {d.items[0]: d.detail for d in LocalProcesses(2).map(Job(work.troubled, 30), items)}
    assert done["segfault"].startswith("signal 11 (SIGSEGV)")
    assert done["kill"].startswith("signal 9 (SIGKILL)") and "memory" in done["kill"]
    assert done["leave"] == "exit code 3"


def test_last_words_are_passed_on() -> None:
    (done,) = LocalProcesses(1).map(Job(work.last_words, 30), [[1]])
    assert done.failure == "crashed"
    assert "SIGABRT" in done.detail and "heap is on fire" in done.detail


def test_workers_do_not_write_to_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    done = list(LocalProcesses(1).map(Job(work.chatter, 30), [[1, 2], [3]]))
    assert sum(d.result or 0 for d in done) == 3
    assert capfd.readouterr() == ("", "")


def test_a_slow_consumer_is_no_reason_to_give_up() -> None:
    results = LocalProcesses(2).map(Job(work.squares, 0.4), [[i] for i in range(6)])
    done = []
    for d in results:
        done.append(d)
        time.sleep(0.6)
    assert _items(done) == list(range(6))
    assert not [d for d in done if d.failure]


def test_a_worker_that_cannot_load_the_work_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "here_today.py"
    module.write_text("def work(items, beat):\n    return 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    import here_today  # type: ignore[import-not-found]

    job: Job[int, int] = Job(here_today.work, 30)
    assert [d.result for d in LocalProcesses(1).map(job, [[1]])] == [0]
    module.write_text("import gone_tomorrow\n")
    with pytest.raises(RecipeError, match="gone_tomorrow"):
        list(LocalProcesses(2).map(job, [[1], [2]]))


def test_a_worker_that_dies_while_it_loads_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "dies_on_import.py"
    module.write_text("def work(items, beat):\n    return 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    import dies_on_import  # type: ignore[import-not-found]

    module.write_text("import os\nos._exit(7)\n")
    job: Job[int, int] = Job(dies_on_import.work, 30)
    with pytest.raises(RecipeError, match="exit code 7"):
        list(LocalProcesses(2).map(job, [[1], [2]]))


DRIVER = """
    import signal, sys
    from recipe_core.execution.executor import Job
    from recipe_core.execution.processes import LocalProcesses
    from tests.contracts.executor_work import sign_and_sleep

    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a shell's background

    list(LocalProcesses(2).map(Job(sign_and_sleep, 1e6), [[sys.argv[1]]] * 5))
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_workers_end_with_their_driver(tmp_path: Path, how: signal.Signals) -> None:
    driver = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(DRIVER), str(tmp_path)],
        cwd=ROOT, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until(lambda: len(list(tmp_path.iterdir())) == 2)
        pids = [int(p.name) for p in tmp_path.iterdir()]
        assert all(map(living, pids))
        driver.send_signal(how)
        driver.wait(PATIENCE)
        until(lambda: not any(map(living, pids)))
    finally:
        driver.kill()
        driver.wait()


def test_workers_leave_ctrl_c_to_the_driver(tmp_path: Path) -> None:
    results = LocalProcesses(1).map(Job(work.sign, 30), ([str(tmp_path)] for _ in range(50)))
    pid = next(results).result
    assert pid is not None
    os.kill(pid, signal.SIGINT)
    assert {d.result for d in results} == {pid}


@pytest.mark.parametrize("n", [20, 0])
def test_workers_started_ahead_do_the_work_and_end_with_it(tmp_path: Path, n: int) -> None:
    early = engine("local", 2, ahead="tests.contracts.executor_work")
    assert isinstance(early, LocalProcesses)
    started = {m.process.pid for m in early.idle}
    assert len(started) == 2
    done = list(early.map(Job(work.sign, 30), ([str(tmp_path)] for _ in range(n))))
    assert len(done) == n and {d.result for d in done} <= started
    assert not early.idle
    until(lambda: not any(map(living, started)))


@pytest.mark.parametrize(("ahead", "times"), [("tests.contracts.executor_work", 1), ("", 0)])
def test_workers_started_ahead_are_warm_before_there_is_work(ahead: str, times: int) -> None:
    early = engine("local", 2, ahead=ahead)
    done = list(early.map(Job(work.times_warm, 30), ([k] for k in range(8))))
    assert [d.result for d in done] == 8 * [times]


COPYING = """
    import json, os, sys, threading, time
    from recipe_core.execution.executor import Job
    from recipe_core.execution.forked import Copy
    from recipe_core.execution.processes import LocalProcesses

    os.environ["MARK"] = "of the driver"
    if sys.argv[1] == "threads":
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    engine = LocalProcesses(2)
    engine.start_ahead("tests.contracts.executor_work", ("colorsys",))
    from tests.contracts import executor_work as work

    copies = [isinstance(m.process, Copy) for m in engine.idle]
    end = time.monotonic() + 30  # a copy closes what it does not need in a moment
    while True:
        files = [len(os.listdir(f"/proc/{m.process.pid}/fd")) for m in engine.idle]
        if max(files) < 8 or time.monotonic() > end:
            break
    told = json.loads(sys.argv[2])
    done = list(engine.map(Job(getattr(work, sys.argv[3]), 4.0), told))
    print(json.dumps([copies, files, [[d.items, d.result, d.failure, d.detail] for d in done]]))
"""
"""Loads nothing that starts a thread, so that workers started ahead are copies of it."""


def _copying(how: str, chunks: Sequence[Sequence[str]], what: str) -> list[Any]:
    said = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(COPYING), how, json.dumps(chunks), what],
        cwd=ROOT, capture_output=True, check=True, timeout=120, text=True,
    )  # fmt: skip
    assert said.stderr == ""
    found: list[Any] = json.loads(said.stdout)
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="copies are made on Linux only")
def test_a_driver_without_threads_is_copied_and_an_item_costs_itself_only() -> None:
    items = [f"{trouble} {k}" for k in range(2) for trouble in work.OUTCOME if trouble != "secret"]
    copies, files, done = _copying("alone", [items[:5], items[5:9], items[9:]], "troubled")
    assert copies == [True, True]
    assert max(files) < 8  # the standard streams, two pipes, the shared memory and its file
    assert sorted(i for d in done for i in d[0]) == sorted(items)
    for (item, *_), _, failure, _ in (d for d in done if d[2]):
        assert failure == work.OUTCOME[item.split()[0]]
    fine = [i for d in done if not d[2] for i in d[0]]
    assert sorted(fine) == ["fine 0", "fine 1"]


@pytest.mark.skipif(sys.platform != "linux", reason="copies are made on Linux only")
def test_a_copy_has_one_thread_hides_modules_and_says_nothing_aloud() -> None:
    asked = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MARK"]
    _, _, done = _copying("alone", [asked], "environment")
    assert done[0][1] == ["1", "1", "of the driver"]
    _, _, done = _copying("alone", [["1", "2"]], "chatter")
    assert done[0][1] == 2
    _, _, done = _copying("alone", [["colorsys"], ["wave"]], "importable")
    assert {d[0][0]: d[1] for d in done} == {"colorsys": False, "wave": True}


def test_a_driver_with_threads_is_never_copied() -> None:
    copies, _, done = _copying("threads", [["fine 1"], ["segfault 1"]], "troubled")
    assert copies == [False, False]
    assert {d[0][0]: d[2] for d in done} == {"fine 1": "", "segfault 1": "crashed"}


def test_kept_workers_do_the_next_maps_work_until_they_are_closed(tmp_path: Path) -> None:
    kept = engine("local", 2, keep=True)
    assert isinstance(kept, LocalProcesses)
    try:
        first = {d.result for d in kept.map(Job(work.sign, 30), [[str(tmp_path)]] * 20)}
        assert first <= {m.process.pid for m in kept.idle} and len(kept.idle) == 2
        assert sorted(d.result[0] for d in kept.map(Job(work.squares, 30), [[3], [4], [5]])
                      if d.result) == [9, 16, 25]  # fmt: skip
        again = {d.result for d in kept.map(Job(work.sign, 30), [[str(tmp_path)]] * 20)}
        assert again | first == {m.process.pid for m in kept.idle}
        for pid in first:  # who dies while it waits is replaced
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
        last = {d.result for d in kept.map(Job(work.sign, 30), [[str(tmp_path)]] * 20)}
        assert last and not last & first
        pids = {m.process.pid for m in kept.idle}
    finally:
        kept.close()
    assert not kept.idle and not any(map(living, pids))
    assert [d.result for d in kept.map(Job(work.squares, 30), [[6]])] == [[36]]
    kept.close()


def test_closing_early_ends_kept_workers_too(tmp_path: Path) -> None:
    kept = LocalProcesses(2, keep=True)
    list(kept.map(Job(work.sign, 30), [[str(tmp_path)]] * 8))
    pids = {m.process.pid for m in kept.idle}
    results = kept.map(Job(work.sign, 30), [[str(tmp_path)]] * 50)
    next(results)
    results.close()
    assert pids and not kept.idle and not any(map(living, pids))


@pytest.mark.parametrize("n", [0, 1, 60])
def test_parts_come_back_in_their_order(light_engine: Executor, n: int) -> None:
    random_waits = random.Random(n)
    parts = [(k, random_waits.choice([0.0, 0.0, 0.02])) for k in range(n)]
    assert list(Sharing(light_engine).shared_out(work.late, iter(parts))) == list(range(n))


def test_a_job_begun_ahead_keeps_its_results_while_the_next_is_done() -> None:
    kept = LocalProcesses(2, keep=True)
    sharing = Sharing(kept)
    try:
        list(sharing.shared_out(work.late, [(k, 0.0) for k in range(8)]))
        workers = {m.process.pid for m in kept.idle}
        ahead = sharing.shared_out(work.late, ((k, 0.01) for k in range(20)))
        assert next(ahead) == 0
        then = sharing.shared_out(work.late, [(k, 0.0) for k in (5, 6, 7)])
        assert list(then) == [5, 6, 7]
        assert list(ahead) == list(range(1, 20))
        assert {m.process.pid for m in kept.idle} == workers, "no further ones were started"
    finally:
        kept.close()


def test_a_job_begun_ahead_works_before_it_is_asked(tmp_path: Path) -> None:
    ahead = Sharing(LocalProcesses(1)).shared_out(work.leave, [str(tmp_path)])
    until(lambda: len(list(tmp_path.iterdir())) == 1)
    assert list(ahead) == [str(tmp_path)]


@pytest.mark.parametrize("name", ["here", "local"])
def test_an_error_of_a_job_begun_ahead_is_raised_where_its_result_is_due(name: str) -> None:
    sharing = Sharing(engine(name, 1))
    ahead = sharing.shared_out(work.in_trouble, ["fine", "raise", "fine"])
    assert list(sharing.shared_out(work.late, [(1, 0.0)])) == [1]
    assert next(ahead) == "fine"
    with pytest.raises(RecipeError, match=work.OUTCOME["raise"]):
        next(ahead)


def test_closing_ends_a_job_begun_ahead() -> None:
    local = LocalProcesses(2, keep=True)
    sharing = Sharing(local)
    before = {p.pid for p in psutil.Process().children()}
    ahead = sharing.shared_out(work.late, [(k, 30.0) for k in range(8)])
    workers = {p.pid for p in psutil.Process().children()} - before
    sharing.close()
    assert len(workers) == 2 and not any(map(living, workers))
    assert list(ahead) == []


@pytest.mark.parametrize("trouble", ["raise", "segfault"])
def test_a_part_without_a_result_is_an_error(trouble: str) -> None:
    with pytest.raises(RecipeError, match=work.OUTCOME[trouble]):
        list(Sharing(LocalProcesses(2)).shared_out(work.in_trouble, ["fine", trouble, "fine"]))


def test_what_cannot_be_imported_ahead_is_no_matter(tmp_path: Path) -> None:
    early = engine("local", 1, ahead="no.such.module")
    assert [d.result for d in early.map(Job(work.squares, 30), [[3]])] == [[9]]


def test_open_files_do_not_pile_up() -> None:
    def opened() -> int:
        return len(list(Path("/dev/fd").iterdir()))

    list(LocalProcesses(2).map(Job(work.troubled, 30), [["segfault"], ["fine"]]))
    before = opened()
    for _ in range(3):
        list(LocalProcesses(2).map(Job(work.troubled, 30), [["segfault"], ["fine"]]))
    assert opened() == before


# --- what to run again ----------------------------------------------------------------------


@given(st.integers(1, 40), st.randoms(use_true_random=False), st.booleans())
@settings(deadline=None)
def test_running_again_blames_exactly_the_guilty(n: int, rng: random.Random, known: bool) -> None:
    """Simulated: guilty items always kill; with `known` the index is told, else it is not."""
    guilty = {i for i in range(n) if rng.random() < 0.3}
    todo, blamed, fine = [Attempt(tuple(range(n)))], [], []
    while todo:
        attempt = todo.pop()
        at = next((k for k, item in enumerate(attempt.items) if item in guilty), None)
        if at is None:
            fine.extend(attempt.items)
            continue
        again = again_after_crash(attempt, at if known else None)
        blamed.extend(attempt.items if not again else ())
        todo.extend(again)
    assert sorted(blamed) == sorted(guilty)
    assert sorted(fine) == sorted(set(range(n)) - guilty)


# --- engines by name ------------------------------------------------------------------------


def test_engines_by_name() -> None:
    assert isinstance(engine("here", None), Here)
    assert engine("local", 3) == LocalProcesses(3)
    assert engine("local", 1) == LocalProcesses(1)
    assert engine("local", None) == LocalProcesses(usable_cores())
    with pytest.raises(UnknownName, match="Did you mean 'local'"):
        engine("locla", 2)
    with pytest.raises(BadSetting, match="at least 1"):
        engine("local", 0)


def test_without_ray_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(Misuse, match="pip install"):
        engine("ray", 2)


def test_cores_respect_the_containers_quota(tmp_path: Path) -> None:
    own = tmp_path / "cgroup"
    own.write_text("0::/outer/inner\n")
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    free = usable_cores(tmp_path, own)
    (inner / "cpu.max").write_text("max 100000\n")
    assert usable_cores(tmp_path, own) == free
    (inner.parent / "cpu.max").write_text("100000 100000\n")
    assert usable_cores(tmp_path, own) == 1
    (inner.parent / "cpu.max").write_text("10000000 100000\n")
    assert usable_cores(tmp_path, own) == free
    (inner / "cpu.max").write_text("50000 100000\n")
    assert usable_cores(tmp_path, own) == 1
