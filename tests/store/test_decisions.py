"""Do decisions survive undo, two writers at once, and a killed process?"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recipe_core.kernel.errors import Misuse, UnknownName, WorkspaceBusy, WorkspaceError
from recipe_core.store import database
from recipe_core.store import decisions as module
from recipe_core.store.decisions import Decisions

NOW = datetime(2025, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def log(tmp_path: Path) -> Decisions:
    return Decisions(tmp_path / "decisions.db")


def state(log: Decisions) -> dict[str, dict[str, Any]]:
    return {row.pop("sample_id"): row for row in log.current().to_pylist()}


def test_nothing_decided_makes_no_file(log: Decisions) -> None:
    assert log.current().num_rows == 0
    assert log.history("a").num_rows == 0
    assert log.state() == 0
    assert not log.path.exists()


def test_every_kind_shows_in_the_current_state(log: Decisions) -> None:
    log.record("exclude", ["a", "b"], "blurred", "eva", NOW)
    log.record("include", ["b"], None, "eva", NOW)
    log.record("relabel", ["c"], "cat", "eva", NOW)
    log.record("tag", ["c"], "odd", "eva", NOW)
    log.record("tag", ["c", "a"], "asked, twice", "eva", NOW)
    log.record("untag", ["c"], "odd", "eva", NOW)
    log.record("note", ["c"], "ask Bob\nabout it", "eva", NOW)
    nothing = {"excluded": None, "reason": None, "label": None, "tags": [], "note": None}
    assert state(log) == {
        "a": nothing | {"excluded": True, "reason": "blurred", "tags": ["asked, twice"]},
        "b": nothing | {"excluded": False},
        "c": nothing | {"label": "cat", "tags": ["asked, twice"], "note": "ask Bob\nabout it"},
    }


def test_a_label_and_a_note_can_be_taken_back(log: Decisions) -> None:
    for kind, value in (("relabel", "cat"), ("note", "hm")):
        log.record(kind, ["a"], value, "eva", NOW)  # type: ignore[arg-type]
        log.record(kind, ["a"], None, "eva", NOW)  # type: ignore[arg-type]
    assert state(log) == {}


def test_one_act_may_have_a_value_for_each_sample(log: Decisions) -> None:
    log.record_each("relabel", ["a", "b", "c"], ["cat", "dog", "cat"], "eva", NOW)
    assert {k: v["label"] for k, v in state(log).items()} == {"a": "cat", "b": "dog", "c": "cat"}
    back = log.undo("eva", NOW)
    assert back is not None and (back.kind, back.n, back.value) == ("relabel", 3, None)
    assert state(log) == {}
    again = log.redo("eva", NOW)
    assert again is not None and again.n == 3 and len(state(log)) == 3
    for values in (["cat", "", "dog"], ["cat"]):
        with pytest.raises(Misuse):
            log.record_each("relabel", ["a", "b", "c"], values, "eva", NOW)
    assert state(log)["b"]["label"] == "dog"


def test_undo_takes_back_the_last_batch_whole_and_redo_brings_it_back(log: Decisions) -> None:
    log.record("exclude", ["a"], "first", "eva", NOW)
    log.record("exclude", ["b", "c"], "second", "bob", NOW)
    undone = log.undo("eva", NOW)
    assert undone is not None
    assert (undone.kind, undone.value, undone.n, undone.who) == ("exclude", "second", 2, "bob")
    assert set(state(log)) == {"a"}
    log.undo("eva", NOW)
    assert log.undo("eva", NOW) is None
    assert log.redo("eva", NOW).value == "first"  # type: ignore[union-attr]
    assert log.redo("eva", NOW).value == "second"  # type: ignore[union-attr]
    assert log.redo("eva", NOW) is None
    assert set(state(log)) == {"a", "b", "c"}


def test_it_is_known_whether_there_is_something_to_undo_and_to_redo(log: Decisions) -> None:
    """Asked after each of many acts, and held against what undo and redo then do."""
    rng, known = random.Random(0), [log.reversible()]
    for _ in range(40):
        back, forth = known[-1]
        act = rng.choice(("undo", "redo", "tag"))
        if act == "tag":
            log.record("tag", ["a"], "x", "eva", NOW)
        else:
            did = (log.undo if act == "undo" else log.redo)("eva", NOW)
            assert (did is not None) == (back if act == "undo" else forth)
        known.append(log.reversible())
    assert known[0] == (False, False) and len(set(known)) >= 3


def test_a_new_decision_ends_what_can_be_redone(log: Decisions) -> None:
    log.record("tag", ["a"], "x", "eva", NOW)
    log.undo("eva", NOW)
    log.record("tag", ["a"], "y", "eva", NOW)
    assert log.redo("eva", NOW) is None
    assert state(log)["a"]["tags"] == ["y"]


def test_history_forgets_nothing(log: Decisions) -> None:
    log.record("tag", ["a"], "x", "eva", NOW)
    log.record("exclude", ["a", "b"], "why", "bob", NOW + timedelta(seconds=1))
    log.undo("eva", NOW)
    rows = log.history("a").to_pylist()
    assert [(r["kind"], r["value"], r["who"], r["undone"]) for r in rows] == [
        ("tag", "x", "eva", False),
        ("exclude", "why", "bob", True),
    ]
    assert datetime.fromisoformat(rows[1]["time"]) == NOW + timedelta(seconds=1)


ACTS = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(module.KINDS),
            st.lists(st.sampled_from("abc"), min_size=1, unique=True),
            st.sampled_from(["x", "y"]),
        ),
        st.sampled_from(["undo", "redo"]),
    ),
    max_size=25,
)


@settings(
    max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(acts=ACTS)
def test_any_order_of_acts_agrees_with_an_editor(tmp_path: Path, acts: list[Any]) -> None:
    """The oracle: two stacks in memory, and a replay of the acts that stand."""
    path = tmp_path / f"{time.monotonic_ns()}.db"
    log, done, undone = Decisions(path), [], []
    for act in acts:
        if act == "undo":
            assert (log.undo("eva", NOW) is None) == (not done)
            undone += [done.pop()] if done else []
        elif act == "redo":
            assert (log.redo("eva", NOW) is None) == (not undone)
            done += [undone.pop()] if undone else []
        else:
            log.record(act[0], act[1], act[2], "eva", NOW)
            done, undone = [*done, act], []
    assert state(log) == expected(done)


def expected(acts: list[Any]) -> dict[str, dict[str, Any]]:
    states: dict[str, dict[str, Any]] = {}
    for kind, ids, value in acts:
        for i in ids:
            s = states.setdefault(
                i, {"excluded": None, "reason": None, "label": None, "tags": [], "note": None}
            )
            if kind in ("exclude", "include"):
                s["excluded"], s["reason"] = kind == "exclude", value if kind == "exclude" else None
            elif kind == "tag":
                s["tags"] = sorted({*s["tags"], value})
            elif kind == "untag":
                s["tags"] = [t for t in s["tags"] if t != value]
            else:
                s["label" if kind == "relabel" else "note"] = value
    return {i: s for i, s in states.items() if any(v not in (None, []) for v in s.values())}


def test_a_large_batch_is_one_transaction(log: Decisions) -> None:
    ids = [f"{i:016x}" for i in range(50_000)]
    log.record("exclude", ids, "all", "eva", NOW)
    assert log.current().num_rows == len(ids)
    assert log.undo("eva", NOW).n == len(ids)  # type: ignore[union-attr]
    assert log.current().num_rows == 0


WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from recipe_core.store.decisions import Decisions
log, name = Decisions(Path(sys.argv[1])), sys.argv[2]
rounds, size = map(int, sys.argv[3:])
print("ready", flush=True)
sys.stdin.readline()
for i in range(rounds):
    log.record("exclude", [f"{name}-{i}-{k}" for k in range(size)], "r", name, datetime.now(UTC))
    print(i, flush=True)
"""


def writer(path: Path, name: str, rounds: int, size: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), name, str(rounds), str(size)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def started(*processes: subprocess.Popen[str]) -> None:
    for p in processes:
        assert p.stdout and p.stdout.readline().strip() == "ready"
    for p in processes:
        assert p.stdin
        p.stdin.write("go\n")
        p.stdin.flush()


def test_two_processes_at_once_lose_nothing(log: Decisions) -> None:
    """Both begin on a file that does not exist yet."""
    processes = [writer(log.path, name, 60, 7) for name in ("eva", "bob")]
    started(*processes)
    assert [p.wait(timeout=60) for p in processes] == [0, 0]
    for p in processes:
        assert p.stdin and p.stdout
        p.stdin.close()
        p.stdout.close()
    assert set(state(log)) == {
        f"{n}-{i}-{k}" for n in ("eva", "bob") for i in range(60) for k in range(7)
    }
    with sqlite3.connect(log.path) as db:
        batches = db.execute(
            "SELECT batch, COUNT(*), COUNT(DISTINCT who) FROM events GROUP BY batch"
        )
        assert {row[1:] for row in batches} == {(7, 1)}
    db.close()


@pytest.mark.parametrize("round_", range(4))
def test_a_killed_process_leaves_whole_batches_only(log: Decisions, round_: int) -> None:
    size = 2000
    process = writer(log.path, "eva", 10_000, size)
    started(process)
    assert process.stdout and process.stdin
    for _ in range(1 + 2 * round_):
        process.stdout.readline()
    time.sleep(0.003 * round_)
    os.kill(process.pid, signal.SIGKILL)
    told = 1 + 2 * round_ + len(process.stdout.read().split())
    process.wait()
    process.stdin.close()
    process.stdout.close()
    n = log.current().num_rows
    assert n % size == 0
    assert told <= n // size <= told + 1
    assert log.record("exclude", ["later"], None, "bob", NOW) == n // size + 1
    with sqlite3.connect(log.path) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()


def test_reading_goes_on_while_someone_writes(log: Decisions) -> None:
    log.record("exclude", ["a"], None, "eva", NOW)
    other = sqlite3.connect(log.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        assert set(state(log)) == {"a"}
    finally:
        other.close()


def test_a_lock_that_stays_is_told(log: Decisions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    log.record("exclude", ["a"], None, "eva", NOW)
    other = sqlite3.connect(log.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(WorkspaceBusy, match="locked"):
            log.record("exclude", ["b"], None, "eva", NOW)
    finally:
        other.close()
    assert set(state(log)) == {"a"}


def test_a_file_that_is_no_database_is_told_and_kept(log: Decisions) -> None:
    log.path.write_bytes(b"this is no database at all" * 100)
    for act in (log.current, lambda: log.record("exclude", ["a"], None, "eva", NOW)):
        with pytest.raises(WorkspaceError, match="damaged"):
            act()
    assert log.path.read_bytes().startswith(b"this is no database")


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="cannot be stored"):
        Decisions(tmp_path / "no" / "d.db").record("exclude", ["a"], None, "eva", NOW)


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (("delete", ["a"], None, "eva", NOW), UnknownName),
        (("exclude", [], None, "eva", NOW), Misuse),
        (("exclude", "abc", None, "eva", NOW), Misuse),
        (("exclude", [""], None, "eva", NOW), Misuse),
        (("tag", ["a"], "", "eva", NOW), Misuse),
        (("untag", ["a"], None, "eva", NOW), Misuse),
        (("relabel", ["a"], "", "eva", NOW), Misuse),
        (("note", ["a"], "\ud800", "eva", NOW), Misuse),
        (("note", ["a", "b\udcff"], "x", "eva", NOW), Misuse),
        (("exclude", ["a"], None, "eva", datetime(2025, 1, 31)), Misuse),
    ],
)
def test_misuse_writes_nothing(log: Decisions, act: Any, error: Any) -> None:
    log.record("tag", ["z"], "x", "eva", NOW)
    before = log.state()
    with pytest.raises(error):
        log.record(*act)
    assert log.state() == before


def test_state_changes_with_every_act(log: Decisions) -> None:
    seen = [log.state()]
    log.record("tag", ["a"], "x", "eva", NOW)
    seen.append(log.state())
    log.undo("eva", NOW)
    seen.append(log.state())
    log.redo("eva", NOW)
    seen.append(log.state())
    assert len(set(seen)) == 4
