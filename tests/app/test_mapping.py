"""Does the map's panel start what it needs, refuse what it must, and show what came of it?"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app import grouping, opened, sample
from app.grouping import Grouping
from recipe_core import pipeline, recipe
from recipe_core.data.browse import Filter
from recipe_core.data.embedded import CLUSTER
from tests.app.test_pages import drawn, said


def test_from_no_map_to_a_map(
    scanned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "own"
    shutil.copytree(scanned, place)
    monkeypatch.setenv("RECIPE_WORKSPACE", str(place))
    monkeypatch.chdir(tmp_path)
    started: list[dict[str, object]] = []
    monkeypatch.setattr(pipeline, "launch", lambda *a, **k: started.append(a[3]) or "embed-1")
    test = drawn("browse", beside="map")
    assert "stand together" in said(test) and not test.exception
    _describe_by(test, f"task:{Path(__file__)}")  # code from outside the app's folder
    assert "below" in said(test) and not started
    np.save(tmp_path / "v.npy", _vectors(len(recipe.evidence(place))))
    _describe_by(test, "v.npy")
    assert started[0]["embedding"] == str(tmp_path / "v.npy") and started[0]["map"] == "tsne"
    recipe.embed(place, map="pca", clusters=2, embedding=str(tmp_path / "v.npy"))
    test = drawn("browse", beside="map")
    captions = " ".join(c.value for c in test.caption)
    assert "by vectors of v.npy" in captions and "Drag a box" in captions and not test.exception
    kin = sample.neighbours_of(0)
    assert set(kin.rows.tolist()) & set(range(0, 24, 2)) and kin.details[0].startswith("cosine")
    place_ = recipe.browser(place)
    rows = place_.rows(Filter())
    titles = grouping.sections(
        place_, grouping.grouped(place_, rows, Grouping(CLUSTER), None), Grouping(CLUSTER), None
    )
    assert [t.split(":")[0] for t, _ in titles][:2] == ["Cluster 1", "Cluster 2"]
    assert sum(n for _, n in titles) == len(opened.evidence())
    like = drawn("browse", like="0")
    assert any("by vectors of v.npy" in c.value for c in like.caption) and not like.exception


def _describe_by(test: AppTest, kind: str) -> None:
    test.text_input(key="map-embedding").set_value(kind).run()
    test.button(key="map-start").click().run()


def _vectors(n: int) -> np.ndarray:
    """Even rows are one kind, odd ones another."""
    noise = np.random.default_rng(0).normal(size=(n, 4)) * 0.1
    return (np.eye(2, 4)[np.arange(n) % 2] * 3 + noise).astype(np.float32)
