"""Does a run live as a process of its own, and does everyone learn the truth about it?

Each state is brought about with real processes.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from recipe_core import pipeline
from recipe_core.kernel.errors import Misuse, UnknownName
from recipe_core.runs import launching, watching
from recipe_core.runs.folder import RunFolder
from recipe_core.runs.heartbeat import read_beat
from recipe_core.runs.leftovers import leftovers
from recipe_core.runs.watching import Run
from recipe_core.store.workspace import write_json
from tests.runs.waiting import ended, living, under_way, until
from tests.store.disk import small_disk

LONG = {"n": 100_000, "pause": 0.02}


@pytest.fixture(autouse=True)
def _allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECIPE_ENTRIES", "tests.runs")


def _launch(place: Path, name: str, config: dict[str, object] | None = None, **more: str) -> str:
    module = "hungry" if name == "trains" else "entries"
    return pipeline.launch(place, "train", f"tests.runs.{module}:{name}", config or {}, **more)


def _group(run: Run) -> int:
    beat = read_beat(RunFolder(run.folder))
    assert beat is not None
    return beat.group


def _gone(pids: list[int]) -> bool:
    return not any(map(living, pids))


def _without_last_words(run: Run) -> tuple[RunFolder, dict[str, object]]:
    """The folder of a run that has ended, as if nobody had said so; and its last beat.

    The guardian says how the worker died and ends itself after that: as long as it lives, the run
    does.
    """
    folder = RunFolder(run.folder)
    until(lambda: folder.exit.exists() and _gone([_group(run)]))
    folder.outcome.unlink()
    folder.exit.unlink()
    return folder, json.loads(folder.heartbeat.read_text())


# -- the states ---------------------------------------------------------------------------------


def test_done(tmp_path: Path) -> None:
    run_id = _launch(tmp_path, "counts", {"n": 7}, title="seven", command="recipe count")
    run = ended(tmp_path, run_id)
    assert (run.status, run.message, run.traceback) == ("done", "", "")
    assert (run.kind, run.title, run.command) == ("train", "seven", "recipe count")
    assert run.result == {"counted": 7, "attempts": 1} and run.config == {"n": 7}
    assert run.created <= run.started <= run.ended
    assert (run.progress.done, run.progress.total) == (7, 7)
    assert [r.id for r in pipeline.runs(tmp_path)] == [run_id]
    loss, accuracy = pipeline.curves(tmp_path, run_id)
    assert loss.values.tolist() == [1 / (i + 1) for i in range(7)]
    assert loss.epochs.tolist() == [i / 7 for i in range(7)]
    assert (accuracy.per, accuracy.steps.tolist()) == ("epoch", [6])
    assert [e["kind"] for e in pipeline.events(tmp_path, run_id)] == ["started", "done"]
    with pytest.raises(Misuse, match="is done"):
        pipeline.resume(tmp_path, run_id)


def test_lost_when_killed_with_its_children(tmp_path: Path) -> None:
    """Pool, spawned, plain and own-session children: none outlives the worker."""
    run_id = _launch(tmp_path, "has_children")
    run = under_way(tmp_path, run_id)
    children = json.loads((run.folder / "children.json").read_text())
    assert len(children) == 5 and not _gone(children)
    at = time.monotonic()
    os.kill(run.pid, signal.SIGKILL)
    until(lambda: not pipeline.run(tmp_path, run_id).live, 10)
    lost = pipeline.run(tmp_path, run_id)
    until(lambda: _gone([*children, _group(run)]), 10 - (time.monotonic() - at))
    assert lost.status == "lost" and "SIGKILL" in lost.message and "Resume" in lost.message
    assert leftovers(RunFolder(run.folder)) == []


def test_no_child_stays_when_nobody_looks(tmp_path: Path) -> None:
    """The guardian ends the group by itself; only the child that left it waits for a reader."""
    run_id = _launch(tmp_path, "has_children")
    run = under_way(tmp_path, run_id)
    *children, apart = json.loads((run.folder / "children.json").read_text())
    os.kill(run.pid, signal.SIGKILL)
    until(lambda: _gone([*children, _group(run)]), 10)
    assert not _gone([apart])
    assert pipeline.run(tmp_path, run_id).status == "lost"
    until(lambda: _gone([apart]), 10)


def test_lost_when_its_guardian_was_killed_too(tmp_path: Path) -> None:
    run_id = _launch(tmp_path, "has_children")
    run = under_way(tmp_path, run_id)
    children = json.loads((run.folder / "children.json").read_text())
    os.kill(_group(run), signal.SIGKILL)
    assert pipeline.run(tmp_path, run_id).status == "running"  # it does not need its guardian
    os.kill(run.pid, signal.SIGKILL)
    until(lambda: pipeline.run(tmp_path, run_id).status == "lost", 10)
    until(lambda: _gone(children), 10)


def test_failed_shows_the_users_own_lines_first(tmp_path: Path) -> None:
    task = tmp_path / "my_model.py"
    task.write_text(
        textwrap.dedent("""
        import json

        def forward(x):
            return json.loads(x)

        def train():
            forward("{")
    """)
    )
    run = ended(tmp_path / "w", _launch(tmp_path / "w", "runs_the_users_file", {"task": str(task)}))
    assert run.status == "failed"
    assert run.message.startswith("JSONDecodeError: ") and "(my_model.py, line 5)" in run.message
    lines = run.traceback.splitlines()
    own = [line for line in lines[: lines.index("The whole traceback:")] if "File" in line]
    assert [line.strip().partition(", line ")[2] for line in own if str(task) in line] == [
        "8, in train", "5, in forward",
    ]  # fmt: skip
    assert not any("json" in line and "lib" in line for line in own)
    assert "json/decoder.py" in run.traceback  # further below
    assert "my_model.py" in pipeline.log_tail(tmp_path / "w", run.id)


def test_oom_names_a_batch_that_fits(tmp_path: Path) -> None:
    """200 MB, of which Python takes 100: a batch of 32 takes 128 MB, one of 16 takes 64 MB."""
    config = {"batch_size": 64, "memory_limit_mb": 200}
    run = ended(tmp_path, _launch(tmp_path, "trains", config))
    assert run.status == "oom" and run.fits == 16
    assert f"A batch of {run.fits} fits (this one was 64)" in run.message
    assert run.progress.done == 3, "it ran out at the fourth step"
    assert len(pipeline.curves(tmp_path, run.id)[0]) == 4
    assert "_batch" in run.traceback
    fitting = ended(tmp_path, _launch(tmp_path, "trains", {**config, "batch_size": run.fits}))
    assert fitting.status == "done"


def test_oom_without_a_hook(tmp_path: Path) -> None:
    run = ended(tmp_path, _launch(tmp_path, "allocates", {"memory_limit_mb": 300}))
    assert (run.status, run.fits) == ("oom", None)
    assert run.message.startswith("Memory ran out.") and 0 < run.progress.done < 60
    assert len(pipeline.curves(tmp_path, run.id)[0]) == run.progress.done + 1


def test_an_error_that_speaks_of_memory_is_no_oom(tmp_path: Path) -> None:
    assert ended(tmp_path, _launch(tmp_path, "lies_about_memory")).status == "failed"


def test_a_full_disk_is_said_and_earlier_points_stay(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", 6000) as disk:
        run = ended(disk / "w", _launch(disk / "w", "fills_the_disk"))
        assert run.status == "failed" and "disk" in run.message and "is full" in run.message
        loss = pipeline.curves(disk / "w", run.id, ["loss"])[0]
        assert loss.values.tolist() == [1.0]
        metrics = pipeline.curves(disk / "w", run.id, most=10**9)[1:]
        assert len(metrics) == 20 and len({len(c) for c in metrics}) == 1  # whole rows only
        assert all((c.values == c.steps / 7).all() for c in metrics)


def test_a_crash_is_a_failure_not_a_loss(tmp_path: Path) -> None:
    run = ended(tmp_path, _launch(tmp_path, "crashes"))
    assert run.status == "failed" and "SIGSEGV" in run.message
    assert "in crashes" in pipeline.log_tail(tmp_path, run.id)


@pytest.mark.parametrize(("name", "said"), [("leaves", "exit code 3"), ("says_goodbye", "enough")])
def test_an_entry_that_ends_the_process_has_failed(tmp_path: Path, name: str, said: str) -> None:
    run = ended(tmp_path, _launch(tmp_path, name))
    assert run.status == "failed" and said in run.message


def test_a_worker_that_cannot_begin_has_failed(tmp_path: Path) -> None:
    run = ended(tmp_path, pipeline.launch(tmp_path, "train", "os.path:exists", {}))
    assert run.status == "failed" and "below recipe_core" in run.message


def test_running_in_another_machine_is_judged_by_its_heartbeat(tmp_path: Path) -> None:
    run = ended(tmp_path, _launch(tmp_path, "counts", {"n": 1}))
    folder, beat = _without_last_words(run)
    for age, status in ((1.0, "running"), (60.0, "lost")):
        write_json(folder.heartbeat, {
            **beat, "machine": "elsewhere 1234", "pid": os.getpid(), "updated": time.time() - age,
        })  # fmt: skip
        assert pipeline.run(tmp_path, run.id).status == status


def test_a_number_used_again_is_not_the_run(tmp_path: Path) -> None:
    """The pid of a living process, with another start time."""
    run = ended(tmp_path, _launch(tmp_path, "counts", {"n": 1}))
    folder, beat = _without_last_words(run)
    write_json(folder.heartbeat, {**beat, "pid": os.getpid(), "updated": time.time()})
    assert pipeline.run(tmp_path, run.id).status == "lost"


# -- stopping -----------------------------------------------------------------------------------


def test_stop_finishes_the_step(tmp_path: Path) -> None:
    run_id = _launch(tmp_path, "counts", LONG)
    under_way(tmp_path, run_id)
    run = pipeline.stop(tmp_path, run_id)
    assert run.status == "stopped" and run.progress.done > 0
    until(lambda: _gone([run.pid]))
    assert pipeline.stop(tmp_path, run_id) == run  # a second one changes nothing


def test_stop_before_the_first_word(tmp_path: Path) -> None:
    run_id = _launch(tmp_path, "counts", LONG)
    assert pipeline.stop(tmp_path, run_id).status == "stopped"


def test_stop_during_the_first_batch(tmp_path: Path) -> None:
    """It does not look for the flag; SIGTERM reaches it."""
    run_id = _launch(tmp_path, "is_deaf_in_its_first_batch")
    run = under_way(tmp_path, run_id)
    stopped = launching.stop(tmp_path, run_id, finish_s=0.3, unwind_s=30)
    assert stopped.status == "stopped" and _gone([run.pid])


def test_stop_ends_what_hears_nothing(tmp_path: Path) -> None:
    """SIGKILL by the guardian, also when nobody waits for it."""
    run_id = _launch(tmp_path, "ignores_a_stop")
    run = under_way(tmp_path, run_id)
    children = json.loads((run.folder / "children.json").read_text())
    launching.stop(tmp_path, run_id, wait=False, finish_s=0.2, unwind_s=0.3)
    until(lambda: _gone([run.pid, *children, _group(run)]), 10)
    assert pipeline.run(tmp_path, run_id).status == "stopped"


def test_stop_works_without_a_guardian(tmp_path: Path) -> None:
    run_id = _launch(tmp_path, "ignores_a_stop")
    run = under_way(tmp_path, run_id)
    children = json.loads((run.folder / "children.json").read_text())
    os.kill(_group(run), signal.SIGKILL)
    stopped = launching.stop(tmp_path, run_id, finish_s=0.0, unwind_s=0.0)
    assert stopped.status == "stopped" and _gone([run.pid, *children])


def test_a_signal_from_elsewhere_stops_it(tmp_path: Path) -> None:
    run_id = _launch(tmp_path, "counts", LONG)
    os.kill(under_way(tmp_path, run_id).pid, signal.SIGTERM)
    assert ended(tmp_path, run_id).status == "stopped"


# -- going on -----------------------------------------------------------------------------------


def test_resume_goes_on_in_the_same_folder(tmp_path: Path) -> None:
    run_id = _launch(tmp_path, "counts", {"n": 60, "pause": 0.02})
    os.kill(under_way(tmp_path, run_id).pid, signal.SIGKILL)
    assert ended(tmp_path, run_id).status == "lost"
    pipeline.resume(tmp_path, run_id)
    with pytest.raises(Misuse, match="already"):
        pipeline.resume(tmp_path, run_id)  # another browser
    run = ended(tmp_path, run_id)
    assert run.status == "done" and run.attempt == 2 and run.result["attempts"] == 2
    loss = pipeline.curves(tmp_path, run_id)[0]
    assert loss.values.tolist() == [1 / (i + 1) for i in range(60)]


def test_a_folder_has_one_worker(tmp_path: Path) -> None:
    run_id = _launch(tmp_path, "counts", LONG)
    run = under_way(tmp_path, run_id)
    second = subprocess.run(
        [sys.executable, "-m", "recipe_core.runs.worker", str(run.folder)],
        capture_output=True, text=True, check=False, start_new_session=True,
    )  # fmt: skip
    assert "Another process" in second.stderr
    assert pipeline.run(tmp_path, run_id).status == "running"
    assert pipeline.stop(tmp_path, run_id).status == "stopped"


def test_delete_and_restore_also_twice(tmp_path: Path) -> None:
    run_id = _launch(tmp_path, "counts", LONG)
    under_way(tmp_path, run_id)
    with pytest.raises(Misuse, match="stop it first"):
        pipeline.delete(tmp_path, run_id)
    stopped = pipeline.stop(tmp_path, run_id)
    pipeline.delete(tmp_path, run_id)
    pipeline.delete(tmp_path, run_id)
    assert pipeline.runs(tmp_path) == ()
    assert [r.id for r in pipeline.runs(tmp_path, trash=True)] == [run_id]
    with pytest.raises(UnknownName):
        pipeline.run(tmp_path, run_id)
    pipeline.restore(tmp_path, run_id)
    pipeline.restore(tmp_path, run_id)
    assert pipeline.runs(tmp_path) == (stopped,)
    pipeline.delete(tmp_path, run_id)
    assert pipeline.empty_trash(tmp_path) == 1
    with pytest.raises(UnknownName):
        pipeline.restore(tmp_path, run_id)


@pytest.mark.parametrize("name", ["../../etc", "train-20260101-000000-abcd", "", "."])
def test_a_run_that_does_not_exist(tmp_path: Path, name: str) -> None:
    for ask in (pipeline.run, pipeline.stop, pipeline.resume, pipeline.delete, pipeline.restore,
                pipeline.curves):  # fmt: skip
        with pytest.raises(UnknownName):
            ask(tmp_path, name)


# -- independence -------------------------------------------------------------------------------

LAUNCHER = """
import sys, time
from recipe_core import pipeline
print(pipeline.launch(sys.argv[1], "train", "tests.runs.entries:counts", {"n": 40, "pause": 0.02}))
sys.stdout.flush()
time.sleep(600)
"""


def test_it_outlives_the_process_that_launched_it(tmp_path: Path) -> None:
    server = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(tmp_path)], stdout=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert server.stdout is not None
    run_id = server.stdout.readline().strip()
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()
    server.stdout.close()
    assert ended(tmp_path, run_id).status == "done"


def test_its_environment_is_fixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMLIT_SERVER_PORT", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    results = []
    for _ in range(2):
        run = ended(tmp_path, _launch(tmp_path, "prints_its_environment", device="cpu"))
        results.append(run.result)
    found = results[0]["environment"]
    assert found["OMP_NUM_THREADS"] == "3" and found["PYTHONHASHSEED"] == "0"
    assert found["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8" and found["CUDA_VISIBLE_DEVICES"] == ""
    assert "STREAMLIT_SERVER_PORT" not in found
    assert results[0]["hash"] == results[1]["hash"]
    assert results[0]["session"] == results[0]["parent"] == results[0]["group"] != os.getsid(0)


# -- reading ------------------------------------------------------------------------------------


def test_odd_values_are_kept_apart(tmp_path: Path) -> None:
    run = ended(tmp_path, _launch(tmp_path, "logs_odd_things"))
    assert run.status == "done" and run.result == {"loss": None, "path": "x"}
    loss, up = pipeline.curves(tmp_path, run.id)
    assert repr(loss.values.tolist()) == "[nan, 2.0]" and up.values.tolist() == [float("inf"), 3.0]
    kinds = {e["kind"]: e for e in pipeline.events(tmp_path, run.id)}
    assert "'words' at step 0 is no number" in kinds["problem"]["text"]
    assert kinds["picture"]["data"] == {"name": "a/b: c", "file": "a_b_c.000000003.png", "step": 3}
    assert (run.folder / "pictures" / "a_b_c.000000003.png").read_bytes() == b"png"


def test_ended_runs_are_opened_once(tmp_path: Path) -> None:
    """Counted by an audit hook: a page that looks at 1,000 runs every second must not read them."""
    run = ended(tmp_path, _launch(tmp_path, "counts", {"n": 1}))
    for i in range(50):
        copy = run.folder.with_name(f"train-20260101-000000-{i:04x}")
        copy.mkdir()
        for name in ("config.json", "outcome.json", "launch.json", "heartbeat.json", "result.json"):
            (copy / name).write_bytes((run.folder / name).read_bytes())
    opened: list[str] = []
    sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
    assert len(pipeline.runs(tmp_path)) == 51
    first = [p for p in opened if str(tmp_path) in p]
    opened.clear()
    assert len(pipeline.runs(tmp_path)) == 51
    assert len(first) <= 3 * 51 and [p for p in opened if str(tmp_path) in p] == []
    assert len(watching._ended) >= 51


def test_lost_runs_are_opened_once_too_until_they_go_on(tmp_path: Path) -> None:
    run_id = _launch(tmp_path, "counts", {"n": 60, "pause": 0.02})
    os.kill(under_way(tmp_path, run_id).pid, signal.SIGKILL)
    lost = ended(tmp_path, run_id)
    assert pipeline.run(tmp_path, run_id) is pipeline.run(tmp_path, run_id)
    assert lost.status == "lost"
    pipeline.resume(tmp_path, run_id)
    assert pipeline.run(tmp_path, run_id).live
    assert ended(tmp_path, run_id).status == "done"
