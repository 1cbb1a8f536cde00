"""Does `recipe overfit` do what a person types, and is the same seen in the ledger?"""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from recipe_core import pipeline, recipe
from recipe_core.cli import main
from recipe_core.training.config import RunConfig

DIGITS = Path(__file__).resolve().parents[2] / "sample_data" / "digits"
SMALL = [
    "--model", "small_cnn", "--lr", "0.003", "--device", "cpu", "--set", "width=0.5",
    "--set", "image_size=16", "--set", "limit=40", "--set", "batch_size=20",
    "--set", "eval_split=test",
]  # fmt: skip


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("command") / "w"
    recipe.scan(DIGITS, place, check_ids=["corruption"], engine="here")
    return place


def test_two_seeds_of_a_run_are_one_setting_and_their_command_is_what_was_typed(
    workspace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["overfit", "-w", str(workspace), *SMALL, "--set", "epochs=3"]
    assert main([*words, "--repeat", "2", "--json"]) == 0
    said = json.loads(capfd.readouterr().out)
    assert [r["status"] for r in said["runs"]] == ["done", "done"]
    assert all(r["result"]["verdict"] in ("warn", "fail") for r in said["runs"])  # 3 epochs only

    assert main([*words, "--set", "dropout=0.5"]) == 0
    told = capfd.readouterr().out
    assert "training_fit" in told and "Switch off dropout 0.5" in told

    first, second, third = pipeline.ledger(workspace)
    assert first.setting == second.setting != third.setting
    (change,) = pipeline.changes(workspace, "train_accuracy")
    assert (set(change.fields), change.credit) == ({"dropout"}, "repeat it")

    typed = shlex.split(said["runs"][0]["command"])
    assert typed[:2] == ["recipe", "overfit"]
    assert {"epochs=3", "width=0.5", "small_cnn", "0.003"} <= set(typed)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model", "resnet-18"], "resnet18"),
        (["--set", "learning_rate=1"], "lr"),
        (["--set", "epochs=none"], "epochs"),
        (["--device", "cuda:7"], "cuda"),
    ],
)
def test_what_cannot_be_run_says_what_to_type(
    workspace: Path, words: list[str], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["overfit", "-w", str(workspace), *words]) == 2
    told = capfd.readouterr().err
    assert said in told and "Traceback" not in told


def test_the_batch_that_fits_is_found_by_a_run_and_remembered(workspace: Path) -> None:
    config = RunConfig(model="linear", image_size=8, device="cpu")
    assert pipeline.probed_batch(workspace, config) is None
    ended = pipeline.follow(workspace, pipeline.probe_batch(workspace, config))
    assert ended.status == "done", ended.message
    assert ended.result["batch_size"] == ended.result["tried_up_to"] == 512  # of 936 to train on
    known = pipeline.probed_batch(workspace, config.but(lr=1.0, batch_size=8))
    assert known is not None and known.id == ended.id
    assert pipeline.probed_batch(workspace, config.but(image_size=16)) is None


def test_the_rate_that_learns_is_found_on_copies_and_leaves_no_trace_among_the_checks(
    workspace: Path,
) -> None:
    config = RunConfig(model="linear", image_size=8, device="cpu", optimizer="sgd", lr=1e-4)
    ended = pipeline.follow(workspace, pipeline.probe_rates(workspace, config))
    assert ended.status == "done", ended.message
    # a linear net on pixels of about one: its loss falls ever faster until the step overshoots
    assert 1e-3 <= ended.result["fastest"] <= 1.0
    finding = pipeline.rate_finding(ended)
    assert finding.check == "learning_rate" and finding.charts
    again = pipeline.probed_rates(workspace, config.but(lr=3e-4, seed=5))
    assert again is not None and again.id == ended.id
    assert pipeline.probed_rates(workspace, config.but(momentum=0.5)) is None
    assert not any(f.check == "learning_rate" for f in pipeline.last_sanity(workspace).findings)
