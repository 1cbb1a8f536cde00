"""Does an overfit run judge itself rightly, and tell the samples what it learned of them?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recipe_core import recipe
from recipe_core.overfit import run as overfit
from recipe_core.runs.job import opened
from recipe_core.training.config import RunConfig

DIGITS = Path(__file__).resolve().parents[2] / "sample_data" / "digits"
LEARNS = RunConfig(
    model="small_cnn", width=0.5, image_size=16, batch_size=16, limit=60, epochs=30, lr=3e-3,
    device="cpu", eval_split="test", per_sample=True,
)  # fmt: skip


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("overfit") / "w"
    recipe.scan(DIGITS, place, check_ids=["corruption"], engine="here")
    return place


def carried_out(workspace: Path, config: RunConfig, name: str) -> dict[str, Any]:
    folder = workspace / "runs" / name
    with opened(folder, config.to_json()) as job:
        overfit.run(job)
    found: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return found


def test_a_net_that_can_learn_its_samples_by_heart_passes(workspace: Path) -> None:
    found = carried_out(workspace, LEARNS, "learns")
    assert found["verdict"] == "pass", found["summary"]
    assert found["train_accuracy"] == 1.0
    assert found["floor"] == pytest.approx(0, abs=1e-2)
    assert found["train_loss"] < 0.05

    (look,) = (workspace / "runs/learns/looks").glob("*.npz")
    with np.load(look) as seen:
        k = len(seen["rows"])
        assert k == 12 and seen["saliency"].shape == (k, 16, 16) == seen["inputs"].shape[:3]
        assert seen["probabilities"].sum(1) == pytest.approx(np.ones(k), abs=1e-5)
        names = np.array(recipe.evidence(workspace).texts("label"))[seen["rows"]]
        classes = recipe.evidence(workspace).dataset.class_names
        assert [classes[t] for t in seen["targets"]] == list(names)
        assert len(seen["filters"]) and len(seen["layers"])

    table = recipe.samples(workspace, "training_loss IS NOT NULL")
    assert table.num_rows == 60
    assert set(table["split"].to_pylist()) == {"train"}
    confidence = np.array(table["training_confidence"].to_pylist())
    assert ((confidence > 0) & (confidence <= 1)).all()
    assert min(table["first_learned_epoch"].to_pylist()) >= 0


def test_a_linear_net_on_shuffled_labels_is_stuck_and_names_the_samples(workspace: Path) -> None:
    rng = np.random.default_rng(0)
    rows = recipe.rows(workspace, "split = 'train' AND error IS NULL OR error = ''")
    names = recipe.evidence(workspace).dataset.class_names
    for label in names:
        some = rng.choice(rows, 60, replace=False)
        recipe.decide(workspace, "relabel", some, label)
    config = LEARNS.but(model="linear", width=1.0, limit=200, epochs=15, image_size=8)
    found = carried_out(workspace, config, "stuck")
    assert found["verdict"] in ("warn", "fail"), found["summary"]
    assert found["train_accuracy"] < 0.9
    assert found["next_step"]


def test_what_was_learned_from_is_part_of_the_run(workspace: Path) -> None:
    from recipe_core.training.bench import open_bench

    small = RunConfig(limit=30, image_size=8, device="cpu", model="linear", eval_split="test")
    before = overfit.data_fingerprint(open_bench(workspace, small))
    assert before == overfit.data_fingerprint(open_bench(workspace, small.but(lr=1.0)))
    assert before != overfit.data_fingerprint(open_bench(workspace, small.but(limit=31)))
