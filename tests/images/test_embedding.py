"""Are pictures described once, by whom one asks for, and is no more kept than is needed?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from recipe_core import recipe
from recipe_core.images import embedding as embeddings
from recipe_core.images import embedding_patches, embedding_two_layers
from recipe_core.images.embedding import Compact, compact, embedding, resolved, tidied
from recipe_core.images.principal import directions
from recipe_core.kernel.errors import Cancelled, Misuse
from recipe_core.kernel.evidence import Evidence, Files
from recipe_core.kernel.progress import Progress, silent
from recipe_core.store.workspace import Workspace
from recipe_core.training.bench import open_bench
from recipe_core.training.config import RunConfig
from recipe_core.training.task import TaskError

N = 60
TASK = """
import torch
from torch import nn
def build_model(num_classes):
    net = nn.Sequential(nn.Conv2d(3, 4, 3, 4), nn.ReLU(), nn.Flatten(), nn.LazyLinear({hidden}),
                        nn.ReLU(), nn.Linear({hidden}, num_classes))
    net(torch.zeros(1, 3, 64, 64))
    return net
"""
OWN = """
from torchvision.transforms.v2 import functional as F
def build_transform(train):
    return lambda picture: F.to_dtype(F.pil_to_tensor(picture.resize((64, 64))), scale=True)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seen")
    for i in range(N):
        label = folder / "data" / ("a", "b", "c")[i % 3]
        label.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(i).integers(0, 255, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((48, 40)).save(label / f"{i:02}.png")
    recipe.scan(folder / "data", folder / "w", engine="here", check_ids=["corruption"])
    return folder / "w"


@pytest.fixture(autouse=True)
def few_filters(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as sixty pictures need, found in no time."""
    monkeypatch.setattr(embedding_patches, "DRAWN", 2000)
    monkeypatch.setattr(embedding_two_layers, "DRAWN", 2000)
    monkeypatch.setattr(embedding_two_layers, "FIRST_FILTERS", 40)
    monkeypatch.setattr(embeddings, "SMALL_SET", 40)
    monkeypatch.setattr(embeddings, "COMPACT_FILTERS", 40)


def opened(place: Path) -> tuple[Evidence, Files]:
    found = recipe.evidence(place)
    return found, recipe.files(Workspace(place), found)


def made(place: Path, folder: Path | None, kind: str = "patches", **more: object) -> Compact:
    options = {"progress": silent, **more}
    return compact(*opened(place), kind, folder=folder, **options)  # type: ignore[arg-type]


def test_a_stopped_description_goes_on_and_is_what_it_would_have_been(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embeddings, "BLOCK", 10)
    monkeypatch.setattr(embeddings, "FITTED_ON", 20)
    whole = made(place, tmp_path / "one go")
    assert whole.vectors.shape == (N, 20) and whole.file is not None

    def until(last: int) -> Progress:
        def progress(what: str, done: int, of: int) -> None:
            if what == "describing pictures" and of == N and done >= last:
                raise Cancelled("enough")

        return progress

    folder = tmp_path / "two goes"
    with pytest.raises(Cancelled):
        made(place, folder, progress=until(40))
    asked: list[int] = []
    real = embeddings._Patches.of
    monkeypatch.setattr(
        embeddings._Patches, "of", lambda s, p: (asked.append(len(p)), real(s, p))[1]
    )
    again = made(place, folder)
    assert sum(asked) == 20  # forty were described and kept before
    np.testing.assert_allclose(again.vectors, whole.vectors, atol=2e-2)
    assert (
        sum(p.stat().st_size for p in folder.iterdir() if "axes" not in p.name) < N * 20 * 2 + 500
    )
    made(place, folder)
    assert sum(asked) == 20


def test_further_pictures_lie_where_the_same_pictures_lie(place: Path) -> None:
    _, files = opened(place)
    found = made(place, None)
    assert found.describe is not None
    again = found.describe(lambda i: files.original(int(found.rows[i])), 5)
    np.testing.assert_allclose(again, found.vectors[:5], atol=1e-2)


def test_full_descriptions_and_older_ones_do_not_pile_up(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(3):
        full = embedding(*opened(place), "patches", folder=tmp_path, seed=seed, progress=silent)
        kept = made(place, tmp_path, seed=seed)
    assert full.vectors.shape[1] > 5 * kept.vectors.shape[1]
    tidied(tmp_path, kept.file)
    assert len(list(tmp_path.glob("*.npy"))) == 4  # few pictures: three full ones are small, too
    monkeypatch.setattr(embeddings, "KEPT_BYTES", 0)
    tidied(tmp_path, kept.file)
    assert list(tmp_path.glob("*.npy")) == [kept.file]
    assert made(place, tmp_path, seed=2).name == kept.name


def test_main_directions_are_those_of_the_covariance() -> None:
    rng = np.random.default_rng(0)
    spread = np.array([9.0, 4.0, 1.0, 0.1, 0.1, 0.1])
    turned, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    vectors = (rng.normal(size=(3000, 6)) * spread) @ turned + 5
    found = directions(vectors.astype(np.float32), 3)
    axes = found.axes / np.linalg.norm(found.axes, axis=0)
    assert np.abs(np.diag(axes.T @ turned[:3].T)) == pytest.approx(1, abs=0.01)
    laid = found.of(vectors.astype(np.float32))
    assert laid.std(0) / laid.std(0)[2] == pytest.approx([3, 2, 1], rel=0.05)  # the roots
    assert np.linalg.norm(laid, axis=1).mean() == pytest.approx(1, rel=1e-3)


# -- the user's own model -----------------------------------------------------------------------


@pytest.mark.parametrize("own_transform", [True, False])
def test_a_task_describes_by_what_its_last_layer_is_given(
    place: Path, tmp_path: Path, own_transform: bool
) -> None:
    file = tmp_path / "my.py"
    file.write_text(TASK.format(hidden=7) + (OWN if own_transform else ""))
    torch.manual_seed(3)
    bench = open_bench(place, RunConfig(task=str(file), device="cpu"))
    model = bench.model(seed=5)
    torch.save(model.state_dict(), tmp_path / "trained.pt")
    random = embedding(*opened(place), f"task:{file}", folder=None, progress=silent)
    assert "RANDOM weights" in random.name and random.vectors.shape == (N, 7)
    kind = resolved(f"task:{file}:{tmp_path / 'trained.pt'}", place)
    found = embedding(*opened(place), kind, folder=tmp_path, progress=silent)
    assert found.name == "my.py, before its last layer, weights of trained.pt"
    x, _ = bench.at(np.arange(N))
    with torch.no_grad():
        expected = model[:-1](x).numpy()
    order = np.argsort(bench.images.rows)
    np.testing.assert_allclose(found.vectors, expected[order], atol=5e-3)
    assert not np.allclose(random.vectors, found.vectors, atol=5e-2)
    again = embedding(*opened(place), kind, folder=tmp_path, progress=silent)
    assert again.name == found.name  # read, not described again


def test_what_a_task_does_wrong_is_told_with_its_own_line(place: Path, tmp_path: Path) -> None:
    file = tmp_path / "bad.py"
    file.write_text("def build_transform(train):\n    return lambda picture: 1 / 0\n")
    with pytest.raises(TaskError, match=r"bad.py:2: return lambda picture: 1 / 0\n"):
        embedding(*opened(place), f"task:{file}", folder=None, progress=silent)
    file.write_text(TASK.format(hidden=7))
    torch.save({"0.weight": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(Misuse, match="does not fit"):
        made(place, None, f"task:{file}:{tmp_path / 'other.pt'}")
    for kind in (f"task:{tmp_path / 'none.py'}", "run:overfit-1", "backbone:resnet18:none.pth"):
        with pytest.raises(Misuse, match="There is no file"):
            resolved(kind, place)
