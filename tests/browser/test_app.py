"""Can someone find out what is wrong with their data in a browser, and nothing leaks?"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from app.thresholds import slider_step
from app.words import spoken
from recipe_core import recipe
from recipe_core.kernel.params import Setting
from recipe_core.runs import scans
from tests.app.making import HOSTILE_FILE, N_SAMPLES, write_long_source, write_source
from tests.browser.conftest import is_elsewhere

CELL = "[role=gridcell][aria-label]"


def expect(locator: Any) -> Any:
    from playwright.sync_api import expect as expected

    return expected(locator)


def open_scan_form(page: Any, site: str, source: Path) -> None:
    page.goto(site)
    page.get_by_label("Folder or file").fill(str(source))
    page.keyboard.press("Enter")


def test_the_first_scan_from_the_page(
    new_site: str, page: Any, new_workspace: Path, tmp_path: Path
) -> None:
    source = write_source(tmp_path / "pictures")
    open_scan_form(page, new_site, tmp_path / "nowhere")
    expect(page.get_by_role("alert")).to_contain_text("There is no file or folder")
    expect(page.get_by_role("button", name="Scan")).to_be_disabled()
    page.get_by_label("Folder or file").fill(str(source))
    page.keyboard.press("Enter")
    expect(page.locator("code")).to_contain_text(f"recipe scan {source}")
    page.get_by_role("button", name="Scan").click()
    expect(page.get_by_role("heading", name="Worst first")).to_be_visible(timeout=60_000)
    expect(page.locator(".r-lead").first).to_contain_text(f"{N_SAMPLES} pictures in 2 classes")
    assert recipe.exists(new_workspace)


def test_a_scan_outlives_the_tab_and_can_be_cancelled(
    new_site: str, page: Any, new_workspace: Path, tmp_path: Path
) -> None:
    source = write_long_source(tmp_path / "many", 6000)
    open_scan_form(page, new_site, source)
    page.get_by_role("button", name="Scan").click()
    expect(page.get_by_text(" of 6,008")).to_be_visible()
    page.goto("about:blank")
    assert scans.watch(new_workspace).status == "running"
    page.goto(new_site)
    expect(page.get_by_role("progressbar").first).to_be_visible()
    expect(page.locator("code")).to_contain_text("recipe scan")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Scan")).to_be_visible()
    expect(page.get_by_text("Stopped.").first).to_be_visible()
    assert scans.watch(new_workspace).status == "stopped"


def has_slider(s: Setting) -> bool:
    if isinstance(s.default, bool | str) or s.low is None or s.high is None:
        return False
    whole = isinstance(s.default, int) and s.high - s.low <= 1000
    return s.default < s.high and (whole or slider_step(s.low, s.high, (s.default,)) is not None)


def test_a_slider_judges_again_in_place(page: Any, site: str, scanned: Path) -> None:
    last = recipe.last_report(scanned)
    drawn = {f.check for f in last.findings if f.charts} if last else set()
    check = next(
        c for c in recipe.checks("data")
        if c.id in drawn and any(has_slider(s) for s in c.settings)
    )  # fmt: skip
    page.goto(f"{site}/findings?check={spoken(check.id)}")
    card = page.locator(f".st-key-card-{check.id}")
    before = card.locator(".r-saw").first.inner_text()
    slider = card.get_by_role("slider").first
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(card.locator(".r-changed")).to_contain_text("The report says")
    card.get_by_role("button", name="Reset").click()
    expect(card.locator(".r-changed")).to_have_count(0)
    assert card.locator(".r-saw").first.inner_text() == before


def test_from_a_finding_to_its_samples_and_one_of_them(page: Any, site: str, scanned: Path) -> None:
    report = recipe.last_report(scanned)
    assert report is not None
    finding = next(f for f in report.findings if f.check == "corruption")
    page.goto(f"{site}/findings")
    page.locator(".st-key-card-corruption").get_by_role("link", name="See th").click()
    page.wait_for_url(re.compile(r"/browse\?.*finding=Corruption"))
    expect(page.locator("[role=status]")).to_contain_text(
        f"{len(set(finding.subjects.rows.tolist()))} sample"
    )
    page.locator(CELL).first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("broken.jpg")
    expect(dialog).to_contain_text("Corruption")


def test_the_grid_is_walked_with_the_keyboard(page: Any, site: str) -> None:
    page.goto(f"{site}/browse")
    page.locator(CELL).first.wait_for()
    grid = page.get_by_role("grid", name="Samples")
    grid.focus()
    last = N_SAMPLES - 1
    walk = [("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", last),
            ("ArrowRight", last), ("Home", 0)]  # fmt: skip
    for key, place in walk:
        page.keyboard.press(key)
        assert grid.get_attribute("aria-activedescendant") == f"cell-{place}"
    name = page.locator("#cell-0").get_attribute("title")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text(name)


def test_the_address_holds_the_filter(page: Any, site: str) -> None:
    page.goto(f"{site}/browse?text=dog&sort=brightness")
    expect(page.locator("[role=status]")).to_contain_text("12 samples")
    expect(page.get_by_label("Name or label contains")).to_have_value("dog")
    page.get_by_label("Name or label contains").fill("dog/003")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"text=dog(%2F|/)003"))
    expect(page.locator("[role=status]")).to_contain_text("2 samples")
    page.reload()
    expect(page.locator("[role=status]")).to_contain_text("2 samples")


def test_pictures_are_really_drawn(page: Any, site: str) -> None:
    page.goto(f"{site}/browse?text=dog")
    page.locator(CELL).first.wait_for()
    pictures = page.locator("[role=gridcell] img[src]")
    expect(pictures).to_have_count(12)
    widths = pictures.evaluate_all(
        "all => Promise.all(all.map(i => i.decode().then(() => i.naturalWidth)))"
    )
    assert all(width > 0 for width in widths)


@pytest.mark.parametrize("path", ["/", "/findings", "/browse"])
def test_hostile_names_do_nothing(page: Any, site: str, path: str) -> None:
    page.goto(site + path)
    page.locator(".r-title").wait_for()
    page.wait_for_load_state("networkidle")
    assert page.title() != "hacked"
    assert page.locator("img[src=x]").count() == 0
    if path == "/browse":
        expect(page.locator(f'{CELL}[title*="hacked"]')).to_contain_text(HOSTILE_FILE)


def test_the_report_is_shown_and_comes_down(
    page: Any, site: str, scanned: Path, tmp_path: Path
) -> None:
    page.goto(f"{site}/report")
    expect(page.frame_locator("iframe").locator("body")).to_contain_text("pictures")
    assert page.title() != "hacked" and page.locator("img[src=x]").count() == 0
    for kind, ending in (("HTML", "html"), ("Markdown", "md"), ("JSON", "json")):
        with page.expect_download() as waiting:
            page.get_by_role("button", name=kind).click()
        waiting.value.save_as(tmp_path / "report")
        content = (tmp_path / "report").read_bytes()
        assert waiting.value.suggested_filename == f"pictures-report.{ending}"
        assert content == recipe.report_bytes(scanned, ending)
    assert json.loads(content)["dataset"]["n_samples"] == N_SAMPLES


def test_the_watch_sees_other_hosts() -> None:
    assert is_elsewhere("https://fonts.example/x") and is_elsewhere("http://127.0.0.1.evil:80/")
    assert not is_elsewhere("http://127.0.0.1:8501/x") and not is_elsewhere("data:image/png,")


def test_the_policy_stops_a_picture_from_elsewhere(page: Any, site: str, chromium: Any) -> None:
    context = chromium.new_context()
    tab = context.new_page()
    asked: list[str] = []
    tab.on("response", lambda r: asked.append(r.url) if is_elsewhere(r.url) else None)
    tab.goto(site)
    refused = tab.evaluate(
        "() => new Promise(done => {"
        " document.addEventListener('securitypolicyviolation', e => done(e.effectiveDirective));"
        " const i = new Image(); i.src = 'http://192.0.2.1/x.png';"
        " setTimeout(() => done(''), 5000) })"
    )
    context.close()
    assert refused == "img-src" and not asked
