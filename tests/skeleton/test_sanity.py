"""Does `recipe sanity` examine a pipeline from the command line to the JSON that scripts read?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from recipe_core import cli, pipeline
from recipe_core.commands import printed
from recipe_core.kernel.errors import Misuse, UnknownName
from recipe_core.training.config import RunConfig
from tests.skeleton.bench import PLAIN

SORTED = (
    PLAIN
    + """
def train_loader(dataset, batch_size, seed):
    return torch.utils.data.DataLoader(dataset, batch_size)
"""
)
ASKED = ("--check", "batch_order", "--check", "loss_at_init")


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("task") / "sorted.py"
    path.write_text(SORTED, encoding="utf-8")
    return path


def test_the_json_is_that_of_the_contract_and_a_slider_judges_again(
    two: Path, task: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["sanity", "-w", str(two), "--task", str(task), "--device", "cpu", "--seed", "3"]
    code = cli.main([*words, *ASKED, "--json", "--fail-on", "fail"])
    document = json.loads(capsys.readouterr().out)
    assert code == printed.GATE
    assert (document["schema"], document["task"], document["device"], document["seed"]) == (
        1, str(task), "cpu", 3
    )  # fmt: skip
    found = {c["id"]: c for c in document["checks"]}
    assert {k: c["verdict"] for k, c in found.items()} == {
        "batch_order": "fail", "loss_at_init": "pass"
    }  # fmt: skip
    for row in found.values():
        assert {"id", "verdict", "value", "expected", "summary", "next_step", "seconds",
                "evidence"} == set(row)  # fmt: skip
        assert row["evidence"]["numbers"] and row["evidence"]["charts"]

    [run] = [r for r in pipeline.runs(two) if r.kind == "sanity"]
    assert run.status == "done" and run.title == "sorted.py" and "recipe sanity" in run.command
    told = [e["data"]["id"] for e in pipeline.events(two, run.id) if e["kind"] == "check"]
    assert told == ["batch_order", "loss_at_init"]  # fmt: skip
    again = pipeline.judge_sanity(two, "batch_order", {"excess": 1.0, "order": 1.0})
    assert "sorted by class" not in again.summary
    assert "sorted by class" in pipeline.judge_sanity(two, "batch_order").summary
    with pytest.raises(Misuse, match="has not been made"):
        pipeline.judge_sanity(two, "overfit_batch")


def test_what_cannot_be_asked_is_said_before_anything_runs(
    two: Path, task: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["sanity", "-w", str(two), "--task", str(task)]
    assert cli.main([*words, "--check", "corruption"]) == cli.MISUSE
    assert "recipe scan" in capsys.readouterr().err
    assert cli.main([*words, "--set", "batch_order.nothing=1"]) == cli.MISUSE
    assert cli.main([*words, "--set", "colour=1"]) == cli.MISUSE
    assert cli.main(["sanity", "-w", str(two), "--task", str(tmp_path / "none.py")]) == cli.MISUSE
    with pytest.raises(UnknownName):
        pipeline.start_sanity(two, RunConfig(), check_ids=["nonsense"])
