"""Can someone find samples, look at them, decide about them and come back to it, in a browser?"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from recipe_core import recipe
from recipe_core.data.browse import Filter
from tests.app.making import HOSTILE_CLASS, HOSTILE_FILE, N_SAMPLES
from tests.browser.conftest import PATIENCE_MS
from tests.browser.test_app import CELL, expect

TAG = "<img src=x onerror=document.title='hacked'>"
GRID_STATUS = "[role=status]"


def opened(page: Any, address: str) -> None:
    page.goto(address)
    page.locator(CELL).first.wait_for()


def shown(page: Any, n: int) -> None:
    expect(page.locator(GRID_STATUS).first).to_contain_text(re.compile(rf"^{n} samples?\b"))


def test_facets_filter_and_the_address_brings_them_back(page: Any, site: str) -> None:
    opened(page, f"{site}/browse")
    page.get_by_role("checkbox", name="dog").check()
    shown(page, 12)
    page.wait_for_url(re.compile(r"label=dog"))
    splits = page.get_by_role("group", name="Split")
    expect(splits.locator("label", has_text="test")).to_contain_text("4")
    splits.get_by_role("checkbox", name="test").check()
    shown(page, 4)
    page.reload()
    shown(page, 4)
    expect(page.get_by_role("checkbox", name="dog")).to_be_checked()
    page.get_by_role("button", name="Label: dog").click()
    shown(page, 8)
    page.get_by_role("button", name="Clear all").click()
    shown(page, N_SAMPLES)
    expect(page).not_to_have_url(re.compile(r"\?."))


def brighter(page: Any, scanned: Path) -> int:
    """How many samples are as bright as the address asks for."""
    found = re.search(r"brightness=([\d.]+)\.\.", page.url)
    low = float(found.group(1)) if found else None
    return len(recipe.browser(scanned).rows(Filter().with_range("brightness", low, None)))


def said(page: Any) -> str:
    """What the grid says about its view."""
    return str(page.locator(GRID_STATUS).first.inner_text())


def test_a_range_is_set_with_the_keyboard(page: Any, site: str, scanned: Path) -> None:
    opened(page, f"{site}/browse")
    page.get_by_role("slider", name="Brightness, least", exact=True).focus()
    for _ in range(3):
        page.keyboard.press("PageUp")
    page.wait_for_url(re.compile(r"brightness=[\d.]+\.\."))
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while not (n := brighter(page, scanned)) or not said(page).startswith(f"{n} sample"):
        assert time.monotonic() < deadline, f"{page.url} shows {said(page)}, not {n}"
        page.wait_for_timeout(100)  # three keys may be three answers: the last one counts
    assert 0 < n < N_SAMPLES
    page.get_by_label("Brightness, most, typed").fill("0")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No sample fits")).to_be_visible()


def test_a_brush_filters_the_grid(page: Any, site: str) -> None:
    opened(page, f"{site}/browse?beside=plots")
    plot = page.get_by_role("application", name="Distribution of Brightness")
    box = plot.bounding_box()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.3 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.5 * box["height"], steps=5)
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.7 * box["height"], steps=5)
    page.mouse.up()
    page.wait_for_url(re.compile(r"brightness=[\d.]+\.\.[\d.]+"))
    expect(page.get_by_role("button", name=re.compile("^Brightness: "))).to_be_visible()
    expect(page.locator(GRID_STATUS).first).not_to_contain_text(f"{N_SAMPLES} samples")
    brushed = page.url
    plot.focus()
    for key in ("ArrowRight", "Shift+ArrowRight", "Enter"):
        page.keyboard.press(key)
    page.wait_for_url(lambda url: "brightness=" in url and url != brushed)
    page.keyboard.press("Escape")
    shown(page, N_SAMPLES)


def test_a_number_of_the_table_sets_both_facets(page: Any, site: str) -> None:
    opened(page, f"{site}/browse?beside=plots")
    for name, value in (("Across", "Label"), ("Up", "Split")):
        page.get_by_role("combobox", name=name, exact=True).click()
        page.get_by_role("option", name=value, exact=True).click()
        page.wait_for_timeout(500)
    page.get_by_role("button", name="dog, test: 4").click()
    shown(page, 4)
    page.wait_for_url(re.compile(r"label=dog.*split=test|split=test.*label=dog"))


def test_an_expression_is_tried_where_it_is_typed(page: Any, site: str) -> None:
    opened(page, f"{site}/browse")
    field = page.get_by_label("SQL condition", exact=True)
    field.fill("width >")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("does not work")
    expect(field).to_have_value("width >")
    shown(page, N_SAMPLES)
    field.fill("split = 'test' and label = 'dog'")
    page.keyboard.press("Enter")
    shown(page, 4)
    expect(page.get_by_role("alert")).to_have_count(0)


def test_select_leave_out_and_undo(own_site: str, page: Any, own: Path) -> None:
    opened(page, f"{own_site}/browse?label=dog")
    shown(page, 12)
    page.get_by_role("grid", name="Samples").focus()
    page.keyboard.press("Control+a")
    expect(page.get_by_text("12 samples selected")).to_be_visible()
    page.get_by_role("button", name="Leave out").click()
    expect(page.get_by_text("12 left out")).to_be_visible()
    dogs = recipe.browser(own).rows(Filter().with_values("label", ("dog",)))
    left_out = Filter().with_values("decision", ("excluded",))
    assert recipe.browser(own).rows(left_out).tolist() == dogs.tolist()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("12 left out")).to_have_count(0)
    assert len(recipe.browser(own).rows(left_out)) == 0
    page.get_by_role("grid", name="Samples").focus()
    page.keyboard.press("Home")
    page.keyboard.press("Escape")
    page.keyboard.press("x")
    expect(page.get_by_text(re.compile(r"\b\d+ left out"))).to_be_visible()


def test_a_tag_that_is_markup_stays_text(own_site: str, page: Any, own: Path) -> None:
    recipe.decide(own, "tag", [0, 1, 2], TAG)
    recipe.decide(own, "note", [0], TAG, who=TAG)
    opened(page, f"{own_site}/browse")
    page.get_by_role("checkbox", name=TAG).check()
    shown(page, 3)
    page.locator(CELL).first.click()
    expect(page.get_by_role("dialog")).to_contain_text(TAG)
    page.wait_for_timeout(500)
    assert page.locator("img[src=x]").count() == 0 and page.title() != "hacked"


FOCUSED = """() => {
  let e = document.activeElement;
  while (e?.shadowRoot?.activeElement) e = e.shadowRoot.activeElement;
  return e.getAttribute("aria-label") || e.textContent;
}"""


def test_from_a_filter_to_details_and_back_by_keyboard(page: Any, site: str) -> None:
    opened(page, f"{site}/browse")
    page.get_by_role("checkbox", name="dog").focus()
    page.keyboard.press("Space")
    shown(page, 12)
    page.keyboard.press("Escape")
    grid = page.get_by_role("grid", name="Samples")
    expect(grid).to_be_focused()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("1 of 12 in this view")
    expect(dialog).to_contain_text("Measured")
    for key, place in (("ArrowRight", 2), ("ArrowRight", 3), ("ArrowLeft", 2)):
        page.keyboard.press(key)
        expect(dialog).to_contain_text(f"{place} of 12 in this view")
    zoom = dialog.get_by_role("button", name=re.compile("1 : 1|One picture pixel"))
    expect(zoom).to_be_visible()
    tabbed(page, zoom)
    page.keyboard.press("Enter")
    expect(dialog.locator(".scale")).to_contain_text("100 %")
    tabbed(page, dialog.locator("button.sample").first)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(grid).to_be_focused()


def test_a_sample_opens_though_its_picture_was_still_on_its_way(page: Any, site: str) -> None:
    held: list[Any] = []
    page.route("**/api/window/**", lambda route: held.append(route))  # noqa: PLW0108 - needs a function
    page.goto(f"{site}/browse?label=dog")
    shown(page, 12)
    grid = page.get_by_role("grid", name="Samples")
    grid.focus()
    page.keyboard.press("Enter")
    page.wait_for_timeout(500)
    expect(page.get_by_role("dialog")).to_have_count(0)
    for route in held:
        route.continue_()
    expect(page.get_by_role("dialog")).to_contain_text("1 of 12 in this view")


def tabbed(page: Any, wanted: Any, most: int = 40) -> None:
    """Press Tab until the element has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if wanted.evaluate("e => e.getRootNode().activeElement === e"):
            return
    raise AssertionError(f"the Tab key never comes to {wanted}, now at {page.evaluate(FOCUSED)}")


def test_a_copy_is_compared_and_the_picture_zooms(page: Any, site: str) -> None:
    opened(page, f"{site}/browse?finding=Exact+duplicates")
    page.locator(CELL).first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Copies and group members")
    scale = dialog.locator(".scale")
    expect(scale).to_contain_text("96 × 80 px")
    dialog.get_by_role("button", name="1 : 1").or_(
        dialog.get_by_role("button", name="One picture pixel per screen pixel")
    ).first.click()
    expect(scale).to_contain_text("100 %")
    dialog.locator("button.sample").first.click()
    expect(dialog).to_contain_text("Stop comparing")
    expect(dialog.locator(".pane")).to_have_count(2)
    dialog.get_by_text("Difference", exact=True).click()
    expect(dialog.locator(".pane")).to_have_count(1)
    expect(dialog.locator(".pane img")).to_have_count(2)


def pale(page: Any) -> dict[str, str]:
    """Texts that are too pale to be read by everybody, with their contrast."""
    script = Path(__file__).with_name("contrast.js").read_text(encoding="utf-8")
    return dict(page.evaluate(script))


@pytest.mark.parametrize("beside", ["plots", "differences"])
def test_hostile_names_beside_the_pictures(page: Any, site: str, beside: str) -> None:
    """And nothing sticks out of a narrow window, and every text is read on its ground."""
    page.set_viewport_size({"width": 900, "height": 900})
    opened(page, f"{site}/browse?beside={beside}&split=train")
    expect(page.get_by_role("checkbox", name=HOSTILE_CLASS)).to_be_visible()
    expect(page.locator(f'{CELL}[title*="hacked"]')).to_contain_text(HOSTILE_FILE)
    page.wait_for_load_state("networkidle")
    assert page.title() != "hacked" and page.locator("img[src=x]").count() == 0
    wide = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert wide <= 0, "nothing sticks out at 900 px"
    assert not pale(page)
    page.emulate_media(color_scheme="dark")
    expect(page.locator(".stApp")).to_have_css("background-color", "rgb(20, 23, 26)")
    page.wait_for_timeout(300)  # the page's own sheet follows with the next run
    assert not pale(page)
    page.locator(".r-title").evaluate("e => { e.style.opacity = 0.3 }")
    assert "Browse" in pale(page), "a paler title is noticed"
