"""Does an embedding find the kin, the groups and the stranger that were planted in it?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recipe_core import recipe
from recipe_core.data.clusters import clusters
from recipe_core.data.flat_map import flat
from recipe_core.images import neighbours
from recipe_core.kernel.errors import Cancelled, Misuse, UnknownName
from recipe_core.kernel.progress import silent

N, GROUPS, STRANGER = 90, 3, 45


def group_of(i: int) -> int:
    return i * GROUPS // N


def vectors(d: int = 12) -> np.ndarray:
    """Three groups, and one picture far from all of them."""
    rng = np.random.default_rng(0)
    found = 4 * np.eye(GROUPS, d)[[group_of(i) for i in range(N)]] + rng.normal(size=(N, d)) * 0.4
    found[STRANGER] = -6 * np.eye(1, d, d - 1)[0]
    return found.astype(np.float32)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("embedded")
    (folder / "data").mkdir()
    for i in range(N):
        pixels = np.random.default_rng(i).integers(0, 255, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "data" / f"{i:03}.png")
    recipe.scan(folder / "data", folder / "w", engine="here", check_ids=["corruption"])
    np.save(folder / "v.npy", vectors())
    made = recipe.embed(folder / "w", embedding=str(folder / "v.npy"), clusters=GROUPS)
    assert (made["pictures"], made["recall"], made["exact"]) == (N, 1.0, True)
    return folder / "w"


def test_columns_hold_the_planted_groups_and_the_stranger(place: Path) -> None:
    found = recipe.samples(place)
    group = np.array([group_of(i) for i in range(N)])
    others = np.arange(N) != STRANGER
    names = np.array(found["embedding_cluster"].to_pylist())
    assert set(names[others]) == {"01", "02", "03"}
    assert all(len(set(names[others & (group == g)])) == 1 for g in range(GROUPS))
    assert int(np.argmax(found["embedding_outlier"].to_numpy())) == STRANGER
    where = np.stack([found[c].to_numpy() for c in ("map_x", "map_y")], 1)
    apart = np.linalg.norm(where[:, None] - where, axis=2) + 1e9 * np.eye(N)
    nearest = apart.argmin(1)
    assert (group[nearest] == group)[others].mean() == 1
    assert len(recipe.rows(place, "embedding_cluster = '01'")) == (names == "01").sum() >= 30


def test_browse_says_by_what_pictures_are_alike(place: Path) -> None:
    browser = recipe.browser(place)
    assert browser.likeness_by(0) == "vectors of v.npy"
    rows, apart = browser.similar(0, 10)
    assert {group_of(r) for r in rows.tolist()} == {0} and (np.diff(apart) >= 0).all()
    unit = neighbours.unit(vectors() - vectors().mean(0))
    assert set(rows.tolist()) & set(np.argsort(-unit @ unit[0])[1:11].tolist())
    assert "embedding_cluster" in browser.categorical
    assert {"map_x", "map_y", "embedding_outlier"} <= set(browser.numeric)


def test_a_scan_keeps_it_and_another_picture_ends_it(place: Path) -> None:
    data = place.parent / "data"
    again = place.parent / "again"
    recipe.scan(data, again, engine="here", check_ids=["near_duplicates"])
    assert recipe.browser(again).likeness_by(0) == ""
    recipe.embed(again, map="pca", embedding=str(place.parent / "v.npy"))
    report = recipe.scan(data, again, engine="here")
    assert recipe.browser(again).likeness_by(0) == "vectors of v.npy"
    assert next(f for f in report.findings if f.check == "near_duplicates").verdict == "pass"
    Image.new("RGB", (6, 6), "red").save(data / "999.png")
    recipe.scan(data, again, engine="here", check_ids=["near_duplicates"])
    (data / "999.png").unlink()
    browser = recipe.browser(again)
    assert browser.likeness_by(0) == "" and len(browser.similar(0, 5)[0]) == 5
    assert recipe.samples(again)["map_x"].null_count == 1  # of the others it still holds


def test_what_cannot_be_asked_and_a_stop(place: Path) -> None:
    with pytest.raises(UnknownName, match="tsne"):
        recipe.embed(place, map="umap")
    with pytest.raises(Misuse, match="is no embedding"):
        recipe.embed(place, embedding="stickers")

    def stop(what: str, done: int, of: int) -> None:
        if what == "laying out the map" and done >= 50:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        flat(np.tile(vectors(), (2, 1)), "tsne", 0, stop)
    assert recipe.browser(place).likeness_by(0)


def test_a_crowd_is_laid_out_in_part_and_the_others_among_their_kin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from recipe_core.data import flat_map

    monkeypatch.setattr(flat_map, "MOST", 60)
    monkeypatch.setattr(flat_map, "ROUNDS", 100)
    places = flat(vectors(), "tsne", 0, silent)
    middles = np.stack([np.median(places[g * 30 : g * 30 + 30], axis=0) for g in range(GROUPS)])
    nearest = np.linalg.norm(places[:, None] - middles, axis=2).argmin(1)
    right = nearest == [group_of(i) for i in range(N)]
    assert right[np.arange(N) != STRANGER].all()


def test_beyond_the_limit_neighbours_are_nearly_the_true_ones() -> None:
    rng = np.random.default_rng(0)
    middles = rng.normal(size=(40, 16)) * 2
    many = (middles[rng.integers(0, 40, 4000)] + rng.normal(size=(4000, 16))).astype(np.float32)
    exact, _ = neighbours.nearest(many, 10)
    assert neighbours.recall(many, exact) == 1
    near, cosines = neighbours.nearest(many, 10, exact=1000)
    assert (near != exact).any(), "the search was exact"
    assert neighbours.recall(many, near) > 0.95
    assert (near != np.arange(4000)[:, None]).all() and (np.diff(cosines) <= 0).all()
    assert clusters(many, 40).max() == 39
