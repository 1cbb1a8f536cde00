"""Is every text readable on its ground, light and dark, and does the theme match the report's?"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from app.style import SHEET, sheet
from app.words import badge
from recipe_core.kernel.nouns import VERDICTS
from recipe_core.reporting.palette import DARK, LIGHT, Palette

CONFIG = tomllib.loads(
    (Path(SHEET).parent / ".streamlit" / "config.toml").read_text(encoding="utf-8")
)
THEMES = [("light", LIGHT), ("dark", DARK)]


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def mixed(colour: str, ground: str, share: float) -> str:
    pairs = [(int(colour[i : i + 2], 16), int(ground[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(share * a + (1 - share) * b):02x}" for a, b in pairs)


def test_contrast_is_measured_right() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # WCAG's known near miss


@pytest.mark.parametrize(("name", "colours"), THEMES)
def test_the_theme_has_the_reports_colours(name: str, colours: Palette) -> None:
    theme = CONFIG["theme"][name]
    assert theme["backgroundColor"] == colours.ground
    assert theme["secondaryBackgroundColor"] == colours.panel
    assert theme["textColor"] == colours.ink
    assert theme["borderColor"] == colours.rule


@pytest.mark.parametrize(("name", "colours"), THEMES)
def test_texts_are_readable(name: str, colours: Palette) -> None:
    theme = CONFIG["theme"][name]
    for ground in (theme["backgroundColor"], theme["secondaryBackgroundColor"],
                   theme["sidebar"]["backgroundColor"]):  # fmt: skip
        assert contrast(colours.ink, ground) >= 7
        assert contrast(colours.faint, ground) >= 4.5
        assert contrast(theme["linkColor"], ground) >= 4.5
    assert contrast("#ffffff", theme["primaryColor"]) >= 4.5  # the text of a primary button
    assert contrast(theme["primaryColor"], theme["backgroundColor"]) >= 3  # WCAG 1.4.11


@pytest.mark.parametrize("colours", [LIGHT, DARK])
def test_verdicts_are_readable_on_their_own_tint(colours: Palette) -> None:
    for verdict in VERDICTS:
        text = colours.verdict[verdict]
        assert contrast(text, colours.ground) >= 4.5
        assert contrast(text, mixed(text, colours.ground, 0.11)) >= 4.5, verdict


def test_every_verdict_has_sign_word_and_colour() -> None:
    shown = {badge(v) for v in VERDICTS}
    assert len(shown) == len(VERDICTS)
    css = sheet("dark")
    for verdict in VERDICTS:
        assert f".r-{verdict} {{ --v:" in css and f"r-{verdict}" in badge(verdict)


def test_no_class_of_the_sheet_clashes_with_a_verdict() -> None:
    own = set(re.findall(r"\.r-([a-z]+)", SHEET.read_text(encoding="utf-8")))
    assert not own & set(VERDICTS)


def test_nothing_is_loaded_from_elsewhere() -> None:
    here = Path(SHEET).parent
    for file in [*here.glob("*.css"), here / ".streamlit" / "config.toml"]:
        assert "http" not in file.read_text(encoding="utf-8"), file.name
    for file in [*here.glob("*.svg"), *here.glob("*.js")]:  # the name space is no address to ask
        drawn = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http" not in drawn, file.name
