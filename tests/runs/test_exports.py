"""Do TensorBoard and MLflow read back what a run measured? Read by their own readers."""

from __future__ import annotations

import io
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from recipe_core import cli
from recipe_core.kernel.errors import UnknownName
from recipe_core.runs.exports import export
from recipe_core.runs.folder import RunFolder
from recipe_core.runs.job import opened
from recipe_core.store.workspace import write_json

CONFIG = {"lr": 3e-4, "model": "small_cnn"}


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "w" / "runs" / "train-20260102-030405-abcd")
    picture = io.BytesIO()
    Image.new("RGB", (3, 2), (255, 0, 0)).save(picture, "PNG")
    with opened(folder.path, CONFIG) as job:
        for step in range(2000):
            loss = math.nan if step == 7 else 2.0 / (step + 1)
            job.log.scalars(step, {"loss": loss})
        for epoch in range(3):
            job.log.epoch(epoch, {"loss": 0.5, "accuracy": epoch / 4}, step=epoch * 700)
        job.picture("grid", picture.getvalue(), step=9)
    asked = {"schema": 1, "kind": "train", "entry": "e:e", "title": "t", "config": CONFIG,
             "command": "recipe x", "created": 1.6e9, "device": "cpu"}  # fmt: skip
    write_json(folder.config, asked)
    write_json(folder.outcome, {
        "attempt": 1, "status": "done", "message": "", "traceback": "", "started": 1.6e9 + 1,
        "ended": 1.6e9 + 9, "pid": 1, "activity": "", "done": 0, "total": 0, "rate": 0.0,
        "resources": {}, "fits": None, "final": True,
    })  # fmt: skip
    return folder


def _read(folder: Path) -> Any:
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    ).EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    accumulator.Reload()
    return accumulator


def test_tensorboard_reads_every_point(run: RunFolder, tmp_path: Path) -> None:
    for _ in range(2):  # a second export replaces the first
        assert export(run, "tensorboard", tmp_path / "tb") == tmp_path / "tb"
    read = _read(tmp_path / "tb" / run.id)
    loss = read.Scalars("loss")
    assert [e.step for e in loss] == list(range(2000)) and math.isnan(loss[7].value)
    expected = np.float32(2.0 / (np.arange(2000) + 1))
    assert np.delete([e.value for e in loss], 7).tolist() == np.delete(expected, 7).tolist()
    assert [(e.step, e.value) for e in read.Scalars("accuracy")] == [
        (0, 0.0), (700, 0.25), (1400, 0.5),
    ]  # fmt: skip
    assert [e.value for e in read.Scalars("epoch/loss")] == [0.5] * 3
    (picture,) = read.Images("grid")
    assert (picture.step, picture.width, picture.height) == (9, 3, 2)
    with Image.open(io.BytesIO(picture.encoded_image_string)) as image:
        assert image.convert("RGB").getpixel((0, 0)) == (255, 0, 0)
    text = read.Tensors("config")[0].tensor_proto.string_val[0].decode()
    assert json.loads(text.strip("`").removeprefix("json")) == CONFIG


def test_mlflow_reads_the_epochs(run: RunFolder, tmp_path: Path) -> None:
    tracking = pytest.importorskip("mlflow.tracking")
    for _ in range(2):
        export(run, "mlflow", tmp_path / "ml")
    client = tracking.MlflowClient(tracking_uri=(tmp_path / "ml").as_uri())
    (found,) = client.search_runs([client.get_experiment_by_name("recipe").experiment_id])
    assert found.data.params == {"lr": "0.0003", "model": "small_cnn"}
    assert found.info.status == "FINISHED" and found.info.run_name == run.id
    assert found.info.end_time - found.info.start_time == 8000
    history = client.get_metric_history(found.info.run_id, "accuracy")
    assert [(m.step, m.value) for m in history] == [(0, 0.0), (1, 0.25), (2, 0.5)]


@pytest.mark.parametrize("kind", ["tensorboard", "mlflow"])
def test_a_missing_package_is_named(
    run: RunFolder, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    for name in list(sys.modules):
        if name.startswith((kind, f"recipe_core.runs.to_{kind}")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [_Without(kind), *sys.meta_path])
    words = ["runs", "export", run.id, "-w", str(run.workspace), "--as", kind, str(tmp_path / "x")]
    assert cli.main(words) == 2
    assert f"pip install 'recipe-workbench[{kind}]'" in capsys.readouterr().err


class _Without:
    """The import system of an environment without a package."""

    def __init__(self, name: str) -> None:
        self.name = name

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name.partition(".")[0] == self.name:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def test_another_kind(run: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="tensorboard"):
        export(run, "wandb", tmp_path)
