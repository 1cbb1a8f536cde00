"""Do extra columns reach whoever looks at samples, and never say anything about another picture?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from recipe_core import recipe
from recipe_core.data.browse import Filter
from recipe_core.kernel.errors import Misuse, UnknownName
from recipe_core.store import columns
from recipe_core.store.workspace import Workspace


def scanned(folder: Path, workspace: Path) -> Path:
    recipe.scan(folder, workspace, check_ids=["corruption"], engine="here")
    return workspace


def picture(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for i in range(6):
        picture(tmp_path / "data" / ("cat" if i < 3 else "dog") / f"{i}.png", i)
    return scanned(tmp_path / "data", tmp_path / "w")


def risk(rows: list[int], values: list[float]) -> pa.Table:
    return pa.table({"row": rows, "risk": pa.array(values, pa.float32())})


def test_filters_queries_and_samples_see_them(place: Path) -> None:
    recipe.add_columns(place, "guess", risk([4, 1], [0.75, 0.5]))
    assert recipe.samples(place)["risk"].to_pylist() == [None, 0.5, None, None, 0.75, None]
    assert recipe.rows(place, "risk > 0.6").tolist() == [4]
    assert recipe.rows(place, sort="-risk").tolist()[:2] == [4, 1]
    browser = recipe.browser(place)
    assert browser.rows(Filter().with_range("risk", 0.6, None)).tolist() == [4]
    assert recipe.evidence(place).numbers("risk")[1] == 0.5


def test_writing_again_replaces_and_removing_forgets(place: Path) -> None:
    recipe.add_columns(place, "guess", risk([0], [0.25]))
    before = recipe.state(place)
    assert recipe.evidence(place).numbers("risk")[0] == 0.25
    recipe.add_columns(place, "guess", risk([5], [0.5]))
    assert recipe.state(place) != before
    assert recipe.samples(place)["risk"].to_pylist() == [None] * 5 + [0.5]
    assert columns.remove(Workspace(place), "guess") is True
    assert columns.remove(Workspace(place), "guess") is False
    with pytest.raises(UnknownName):
        recipe.rows(place, sort="risk")


def test_a_value_goes_with_the_picture_and_label_it_was_about(place: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    recipe.add_columns(place, "guess", risk(list(range(6)), [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]))
    picture(data / "cat" / "1.png", 100)  # another picture under the same name
    (data / "cat" / "2.png").rename(data / "dog" / "2.png")  # another label (and name)
    picture(data / "aaa" / "new.png", 200)  # every row moves by one
    scanned(data, place)
    shown = recipe.samples(place).select(["path", "risk"]).to_pylist()
    known = {r["path"]: r["risk"] for r in shown if r["risk"] is not None}
    assert {p: round(v, 3) for p, v in known.items()} == {
        "cat/0.png": 0.0, "dog/3.png": 0.3, "dog/4.png": 0.4, "dog/5.png": 0.5,
    }  # fmt: skip


def test_a_label_that_changed_under_the_same_name_is_noticed(tmp_path: Path) -> None:
    for i in range(2):
        picture(tmp_path / "data" / f"{i}.png", i)
    manifest = tmp_path / "data" / "labels.csv"
    manifest.write_text("path,label\n0.png,cat\n1.png,dog\n", encoding="utf-8")
    place = scanned(manifest, tmp_path / "w")
    recipe.add_columns(place, "guess", risk([0, 1], [0.25, 0.5]))
    manifest.write_text("path,label\n0.png,dog\n1.png,dog\n", encoding="utf-8")
    scanned(manifest, place)
    assert recipe.samples(place)["risk"].to_pylist() == [None, 0.5]


@pytest.mark.parametrize(
    ("source", "table"),
    [
        ("guess", pa.table({"row": [0], "width": [1]})),
        ("guess", pa.table({"row": [0], "decision": [1]})),
        ("other", pa.table({"row": [0], "risk": [1.0]})),
        ("guess", pa.table({"row": [0, 0], "new": [1, 2]})),
        ("guess", pa.table({"row": [6], "new": [1]})),
        ("../guess", pa.table({"row": [0], "new": [1]})),
    ],
)
def test_what_cannot_be_stored_is_refused(place: Path, source: str, table: pa.Table) -> None:
    recipe.add_columns(place, "guess", risk([0], [0.25]))
    with pytest.raises(Misuse):
        recipe.add_columns(place, source, table)
    assert recipe.samples(place)["risk"].to_pylist()[0] == 0.25
