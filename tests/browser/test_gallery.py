"""Can one select, command and walk through the grid, by mouse and by keyboard alone?"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from recipe_core import recipe
from recipe_core.kernel.nouns import BOX_FIELDS
from recipe_core.store.workspace import Workspace, write_table
from tests.app.making import N_SAMPLES, write_source
from tests.browser.conftest import PATIENCE_MS, ROOT, undecided
from tests.serving import clean_environment, free_port, served

CELL = "[role=gridcell][aria-label]"
LAUNCH = """
import sys, streamlit as st
from app.main import guards
from app.routes import ROUTES
app = st.App(sys.argv[1], routes=ROUTES, middleware=guards(["127.0.0.1"]))
print("http://127.0.0.1:" + sys.argv[2], flush=True)
app.run(config={"server.address": "127.0.0.1", "server.port": int(sys.argv[2]),
                "server.headless": True, "browser.gatherUsageStats": False})
"""
BOX = [0.25, 0.5, 0.75, 1.0]
"""Shares of the 96 x 80 picture."""


def expect(locator: Any) -> Any:
    from playwright.sync_api import expect as expected

    return expected(locator)


@pytest.fixture(scope="module")
def boxed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scanned workspace with a box on every picture."""
    place = tmp_path_factory.mktemp("boxed")
    recipe.scan(write_source(place / "pictures"), place / "workspace", engine="here")
    n, corners = N_SAMPLES, np.array(BOX) * [96, 80, 96, 80]
    columns = {
        "row": pa.array(range(n)), "label": pa.array(["<i>cat</i>"] * n),
        **dict(zip(("xmin", "ymin", "xmax", "ymax"), (pa.array([c] * n) for c in corners),
                   strict=True)),
        "relative": pa.array([False] * n), "place": pa.array(["here"] * n),
    }  # fmt: skip
    table = [columns.get(f.name, pa.nulls(n, f.type)) for f in BOX_FIELDS]
    folder = Workspace(place / "workspace").current()
    assert folder is not None
    write_table(folder / "boxes.parquet", pa.table(table, schema=BOX_FIELDS))
    return place / "workspace"


def grid_on(workspace: Path, folder: Path) -> Any:
    """A page that holds the grid and says what it was told, until the block ends."""
    launch = folder / "launch.py"
    launch.write_text(LAUNCH, encoding="utf-8")
    script = ROOT / "tests" / "browser" / "grid_page.py"
    command = [sys.executable, str(launch), str(script), str(free_port())]
    environment = clean_environment(PYTHONPATH=str(ROOT), RECIPE_WORKSPACE=str(workspace))
    return served(command, folder, environment)


@pytest.fixture(scope="module")
def grid_site(boxed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page on it."""
    with grid_on(boxed, tmp_path_factory.mktemp("grid")) as address:
        yield address


@pytest.fixture
def taken(boxed: Path) -> Path:
    """The workspace with nothing decided about it."""
    return undecided(boxed)


def opened_grid(page: Any, address: str) -> Any:
    page.goto(address)
    page.locator(CELL).first.wait_for()
    grid = page.get_by_role("grid", name="Samples")
    grid.focus()
    return grid


def said(page: Any, **wanted: Any) -> dict[str, Any]:
    """What the page was told, as soon as it agrees with `wanted`."""
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while True:
        told: dict[str, Any] = json.loads(page.locator("code").inner_text())
        if all(told.get(k) == v for k, v in wanted.items()) or time.monotonic() > deadline:
            assert {k: told.get(k) for k in wanted} == wanted
            return told
        page.wait_for_timeout(50)


def cell(page: Any, place: int) -> Any:
    return page.locator(f"#cell-{place}")


def test_selecting_with_the_mouse(grid_site: str, page: Any) -> None:
    opened_grid(page, grid_site)
    cell(page, 2).click(modifiers=["Control"])
    cell(page, 4).locator(".check").click()
    said(page, rows=[2, 4], inspect=None)
    cell(page, 7).click(modifiers=["Shift"])
    said(page, rows=[2, 4, 5, 6, 7])
    cell(page, 5).click(modifiers=["Control"])
    said(page, rows=[2, 4, 6, 7])
    expect(cell(page, 6)).to_have_attribute("aria-selected", "true")
    expect(cell(page, 5)).to_have_attribute("aria-selected", "false")
    expect(page.get_by_text("4 selected")).to_be_visible()
    cell(page, 1).click()
    said(page, inspect=1, place=1, rows=[2, 4, 6, 7])
    page.get_by_role("button", name="Clear selection").click()
    said(page, rows=[])


def test_selecting_with_the_keyboard(grid_site: str, page: Any) -> None:
    opened_grid(page, grid_site)
    for key in ("ArrowRight", "Space", "Shift+ArrowRight", "Shift+ArrowRight"):
        page.keyboard.press(key)
    said(page, rows=[1, 2, 3])
    page.keyboard.press("Shift+ArrowLeft")
    said(page, rows=[1, 2])
    page.keyboard.press("Control+a")
    said(page, n=N_SAMPLES, all=True)
    page.keyboard.press("Space")
    said(page, n=N_SAMPLES - 1, all=False)
    page.keyboard.press("Escape")
    said(page, rows=[])


def test_a_million_are_selected_as_one_range(grid_site: str, page: Any) -> None:
    opened_grid(page, f"{grid_site}/?times=40000")
    page.keyboard.press("Control+a")
    said(page, n=40_000 * N_SAMPLES, all=True)
    page.keyboard.press("End")
    last = 40_000 * N_SAMPLES - 1
    expect(cell(page, last)).to_have_attribute("aria-selected", "true")


def test_scrolling_to_the_end_of_a_million_and_back_by_wheel(grid_site: str, page: Any) -> None:
    total = 40_000 * N_SAMPLES
    grid = opened_grid(page, f"{grid_site}/?times=40000")
    grid.evaluate("e => { e.scrollTop = e.scrollHeight / 2 }")
    expect(page.locator("[role=status]")).to_contain_text(re.compile("showing 5[12]"))
    before = topmost(page)
    columns = int(grid.get_attribute("aria-colcount"))
    grid.hover()
    for _ in range(10):  # ten ticks are 1,000 px of pictures, however long the view is
        page.mouse.wheel(0, 100)
    page.wait_for_timeout(400)
    lines = (topmost(page) - before) / columns
    height = grid.evaluate("e => e.querySelector('.line:not([style*=none])').offsetHeight")
    assert abs(lines - 1000 / height) <= 1
    page.keyboard.press("End")
    expect(cell(page, total - 1)).to_be_visible()
    expect(page.locator(f"#cell-{total - 1}[aria-label]")).to_be_visible()


def topmost(page: Any) -> int:
    text = page.locator("[role=status]").inner_text()
    return int(re.search(r"showing ([\d,]+)", text)[1].replace(",", ""))  # type: ignore[index]


def test_commands_are_about_the_selection_or_the_cursor(
    grid_site: str, page: Any, taken: Path
) -> None:
    opened_grid(page, grid_site)
    for key in ("x", "ArrowRight", "x", "ArrowRight", "3", "ArrowRight", "x"):  # as fast as can be
        page.keyboard.press(key)
    said(page, done=[["exclude", [0]], ["exclude", [1]], ["tag3", [2]], ["exclude", [3]]])
    expect(cell(page, 3)).to_have_class(re.compile("excluded"))
    expect(cell(page, 3)).to_have_attribute("aria-label", re.compile("excluded"))
    expect(cell(page, 2).locator(".tag")).to_have_text("<b>tag3</b>")
    page.keyboard.press("u")
    expect(cell(page, 3)).not_to_have_class(re.compile("excluded"))
    page.keyboard.press("Shift+U")
    expect(cell(page, 3)).to_have_class(re.compile("excluded"))
    excluded = recipe.decisions(taken).current()["excluded"].to_pylist()
    assert excluded.count(True) == 3


def test_the_grid_stays_where_it_was_when_something_leaves_the_view(
    grid_site: str, page: Any, taken: Path
) -> None:
    opened_grid(page, f"{grid_site}/?hide=1&size=220")
    page.keyboard.press("End")
    page.keyboard.press("ArrowUp")
    place = int(current(page).removeprefix("cell-"))
    name = page.locator(f"#cell-{place + 1}[aria-label]").get_attribute("title")
    page.keyboard.press("x")
    expect(page.locator("[role=status]")).to_contain_text(f"{N_SAMPLES - 1} samples")
    expect(page.locator(f"#cell-{place}[aria-label]")).to_have_attribute("title", name)
    assert current(page) == f"cell-{place}" and topmost(page) > 1


def current(page: Any) -> str:
    return str(page.get_by_role("grid", name="Samples").get_attribute("aria-activedescendant"))


def test_selection_and_place_survive_another_page_and_a_reload(grid_site: str, page: Any) -> None:
    opened_grid(page, grid_site)
    for key in ("ArrowRight", "Space", "End"):
        page.keyboard.press(key)
    said(page, rows=[1])
    page.wait_for_timeout(500)
    page.get_by_role("link", name="Elsewhere").click()
    page.get_by_role("heading", name="Elsewhere").wait_for()
    page.get_by_role("link", name="Grid").click()
    page.locator(CELL).first.wait_for()
    said(page, rows=[1])
    assert current(page) == f"cell-{N_SAMPLES - 1}"
    page.reload()
    page.locator(CELL).first.wait_for()
    said(page, rows=[1])
    assert current(page) == f"cell-{N_SAMPLES - 1}" and topmost(page) > 1


def test_the_keyboard_goes_on_after_a_dialog_was_closed(grid_site: str, page: Any) -> None:
    grid = opened_grid(page, f"{grid_site}/?dialog=1")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("row 1")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(grid).to_be_focused()
    page.keyboard.press("ArrowRight")
    assert current(page) == "cell-2"


def test_groups_have_headings_and_are_walked_across(grid_site: str, page: Any) -> None:
    grid = opened_grid(page, f"{grid_site}/?groups=1")
    expect(grid.get_by_role("rowheader").first).to_have_text("<b>cat<b> & ![x](http:) · 14")
    expect(grid.get_by_role("rowheader").nth(1)).to_have_text("dog · 12")
    columns = int(grid.get_attribute("aria-colcount"))
    assert int(grid.get_attribute("aria-rowcount")) == 2 - (-14 // columns) - (-12 // columns)
    lines = -(-14 // columns)
    for _ in range(lines):
        page.keyboard.press("ArrowDown")
    assert current(page) == "cell-14"  # the first dog, right below the first cat
    page.keyboard.press("ArrowUp")
    assert current(page) == f"cell-{(lines - 1) * columns}"


def test_the_heading_stays_while_its_group_is_on_screen(grid_site: str, page: Any) -> None:
    grid = opened_grid(page, f"{grid_site}/?groups=1&times=50")
    page.keyboard.press("End")
    expect(grid.locator(".stuck")).to_have_text("dog · 600")
    page.keyboard.press("Home")
    expect(grid.locator(".stuck")).to_have_text("<b>cat<b> & ![x](http:) · 700")


def test_boxes_lie_on_the_letterboxed_picture(grid_site: str, page: Any) -> None:
    opened_grid(page, f"{grid_site}/?boxes=1&size=200")
    drawn = cell(page, 0).locator("rect.over")
    expect(drawn).to_have_count(1)
    box, frame = drawn.bounding_box(), cell(page, 0).locator(".frame").bounding_box()
    side, high = frame["width"], frame["width"] * 80 / 96
    top = frame["y"] + (frame["height"] - high) / 2
    expected = [frame["x"] + BOX[0] * side, top + BOX[1] * high,
                (BOX[2] - BOX[0]) * side, (BOX[3] - BOX[1]) * high]  # fmt: skip
    shown = [box["x"], box["y"], box["width"], box["height"]]
    assert shown == pytest.approx(expected, abs=2.5)


def test_the_tree_of_roles(grid_site: str, page: Any) -> None:
    grid = opened_grid(page, grid_site)
    assert grid.get_attribute("aria-multiselectable") == "true"
    rows = grid.locator("[role=row]")
    assert rows.first.get_attribute("aria-rowindex") == "1"
    cells = grid.locator("[role=row] > [role=gridcell][aria-label]")
    assert cells.count() == grid.locator("[role=gridcell][aria-label]").count() > 0
    assert {c.get_attribute("aria-selected") for c in cells.all()} == {"false"}
    label = cell(page, 0).get_attribute("aria-label")
    assert cell(page, 0).get_attribute("title") in label and "test" in label


def test_a_caption_appears_under_the_pointer(grid_site: str, page: Any) -> None:
    opened_grid(page, f"{grid_site}/?size=64")
    path = cell(page, 3).get_attribute("title")
    cell(page, 3).hover()
    expect(page.locator(".tip")).to_contain_text(path)
    page.mouse.move(5, 5)
    expect(page.locator(".tip")).to_be_hidden()
    assert cell(page, 3).get_attribute("title") == path
