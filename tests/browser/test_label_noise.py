"""Can one work through the suspected labels by keys alone, and take the last one back?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from recipe_core import recipe
from tests.browser.conftest import app_on

MOVED = 6


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Light and dark pictures, six of each in the other's folder; described by their vectors."""
    folder = tmp_path_factory.mktemp("noisy")
    rng = np.random.default_rng(0)
    for i in range(120):
        light = i % 2 == 0
        wrong = i < 2 * MOVED
        place = folder / "data" / ("light" if light != wrong else "dark")
        place.mkdir(parents=True, exist_ok=True)
        level = rng.integers(150, 250) if light else rng.integers(5, 100)
        pixels = np.clip(level + rng.integers(-20, 20, (24, 24, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(place / f"{'light' if light else 'dark'}{i:03}.png")
    workspace = folder / "workspace"
    recipe.scan(folder / "data", workspace, engine="here", check_ids=["corruption"])
    names = recipe.evidence(workspace).texts("path")
    means = np.array([[1.0 if "/light" in n else -1.0] for n in names])
    np.save(folder / "vectors.npy", (means + rng.normal(size=(120, 4)) * 0.4).astype(np.float32))
    recipe.noise(workspace, embedding=str(folder / "vectors.npy"))
    return workspace


@pytest.fixture(scope="module")
def noisy_site(noisy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with app_on(noisy, tmp_path_factory.mktemp("noisy-site")) as address:
        yield address


def decided(workspace: Path) -> list[dict[str, Any]]:
    return list(recipe.decided(workspace).to_pylist())


def press(page: Any, key: str) -> None:
    """A key once the page stands: until its buttons are those of the picture shown, it is lost."""
    expect(
        page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]')
    ).to_be_visible()
    page.keyboard.press(key)


def test_the_queue_is_worked_through_by_keys(noisy_site: str, noisy: Path, page: Any) -> None:
    page.goto(f"{noisy_site}/label-noise")
    place = page.locator("#noise-place")
    expect(place).to_contain_text("1 of 120")
    expect(page.get_by_text("Nobody has judged a picture yet.")).to_be_visible()
    expect(page.get_by_text("What is labelled as what")).to_be_visible()  # drawn to the end
    first = int(np.argmax(recipe.evidence(noisy).numbers("label_error_probability")))
    suggested = recipe.evidence(noisy).texts("suggested_label")[first]
    # keys work from when their buttons are there: Streamlit fetches the buttons' code last
    expect(page.get_by_role("button", name="Skip")).to_be_enabled()
    expect(page.get_by_role("button", name=f"It is {suggested}")).to_be_enabled()
    page.get_by_role("heading", name="Label noise").click()

    press(page, "s")
    expect(place).to_contain_text("2 of 120")
    (act,) = decided(noisy)
    assert act["row"] == first
    assert act["label"] == suggested
    expect(page.get_by_text("1 of 1")).to_be_visible()

    press(page, "k")
    expect(place).to_contain_text("3 of 120")
    press(page, "u")
    expect(place).to_contain_text("4 of 120")
    press(page, "x")
    expect(place).to_contain_text("5 of 120")
    kinds = sorted((a["label"] is not None, a["excluded"], tuple(a["tags"])) for a in decided(noisy)
                   if a["excluded"] is not None)  # fmt: skip
    assert kinds == [(False, False, ()), (False, True, ())]
    assert [a["tags"] for a in decided(noisy) if a["tags"]] == [["unsure"]]

    press(page, "z")
    expect(place).to_contain_text("4 of 120")
    assert len(decided(noisy)) == 3
