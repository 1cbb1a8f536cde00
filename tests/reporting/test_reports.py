"""Does each form of the report say what was found, stand alone, and survive hostile names?"""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recipe_core.kernel.nouns import VERDICTS, Finding, Note, Picture, Table
from recipe_core.reporting import html as html_module
from recipe_core.reporting.html import PICTURES_A_CHECK, html_report
from recipe_core.reporting.json_ import json_report, json_text
from recipe_core.reporting.markdown import markdown_report
from recipe_core.reporting.terminal import ANSI, _wrapped, terminal_report
from recipe_core.reporting.wording import visible
from tests.reporting.making import (
    CHECKS,
    HOSTILE,
    Album,
    Made,
    evidence,
    findings,
    photo,
    report,
    subjects,
)  # fmt: skip

VOID = {"meta", "img", "line", "wbr", "br"}


class Page(HTMLParser):
    """Tags, attributes and text of a document; unbalanced tags are an error."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for t, attrs in self.elements if t == tag]


def page_of(made: Made) -> Page:
    page = Page()
    page.feed(html_report(made.report, made.evidence, made.files, CHECKS))
    page.close()
    assert page.open == []
    return page


@pytest.fixture(scope="module")
def page() -> Page:
    return page_of(Made())


def test_every_finding_is_in_the_page(page: Page) -> None:
    text = " ".join(page.text)
    for f in findings():
        assert f.summary in text
        if f.verdict != "skipped":
            assert f.next_step in text
            assert next(c.question for c in CHECKS if c.id == f.check) in text
    assert "240 samples in 8 classes: train 168, validation 24, test 48." in text
    assert "1f00ba12" * 4 in text
    assert "T-shirt" in text


def test_worst_comes_first_and_every_link_has_its_place(page: Page) -> None:
    order = [c for c in (a.get("id") for _, a in page.elements) if c]
    verdict = {f.check: VERDICTS.index(f.verdict) for f in findings()}
    assert [verdict[c] for c in order] == sorted(verdict[c] for c in order)
    links = [a.get("href") or "" for a in page.all("a")]
    assert sorted(links) == sorted(f"#{c}" for c in order) == sorted(f"#{c}" for c in verdict)


def test_the_file_loads_nothing_and_runs_nothing(page: Page) -> None:
    assert not page.all("script") and not page.all("link") and not page.all("iframe")
    for tag, attrs in page.elements:
        assert not [name for name in attrs if name.startswith("on")]
        for name in ("src", "href", "data", "action", "xlink:href"):
            value = attrs.get(name)
            assert value is None or value.startswith(("data:image/jpeg;base64,", "#")), (tag, value)
    [policy] = [a["content"] for a in page.all("meta") if a.get("http-equiv")]
    assert policy and policy.startswith("default-src 'none'")
    source = html_report(Made().report, Made().evidence, Made().files, CHECKS)
    assert not re.search(r"https?://|url\(|@import", source)


def test_hostile_names_are_text(page: Page) -> None:
    made = Made()
    named = replace(
        made.report, dataset=dict(made.report.dataset) | {"name": HOSTILE, "source": HOSTILE}
    )
    hostile = tuple(
        replace(f, summary=HOSTILE, next_step=HOSTILE, numbers={HOSTILE: HOSTILE, "l": [HOSTILE]},
                subjects=replace(f.subjects, details=[HOSTILE] * len(f.subjects)))
        for f in findings()
    )  # fmt: skip
    known = evidence(dict.fromkeys(range(240), HOSTILE))
    known = replace(known, dataset=replace(known.dataset, notes=(Note("other_files", HOSTILE),)))
    shown = page_of(Made(replace(named, findings=hostile), known, made.files))
    assert not shown.all("script")
    assert {t for t, _ in shown.elements} <= {t for t, _ in page.elements} | {"ul", "li"}
    assert visible(HOSTILE) in "".join(shown.text)
    written = "".join(shown.text)
    assert "\x1b" not in written and "\u202e" not in written and "\udce9" not in written


def test_pictures_are_those_of_the_subjects_with_alternatives(page: Page) -> None:
    rows = set(range(20, 44)) | {7, 15, 23} | set(range(100, 124))
    shown = [base64.b64decode((a["src"] or "").partition(",")[2]) for a in page.all("img")]
    assert set(shown) <= {photo(r) for r in rows}
    assert len(shown) == 24 + 3 + 24
    assert all(a.get("alt") for a in page.all("img"))


def test_subjects_without_picture_say_why_and_the_rest_is_counted(page: Page) -> None:
    text = "".join(page.text)
    assert text.count("truncated") >= 2
    assert "And 36 more: recipe findings -w WORKSPACE --check split_leak" in text
    assert "And 66 more: recipe findings -w WORKSPACE --check image_variation" in text


def test_thresholds_show_default_reason_and_change(page: Page) -> None:
    text = " ".join(page.text)
    assert "Thresholds, 1 changed from the default" in text
    assert "bits of 64 that may differ; recompression moves 4" in text
    assert [a for a in page.all("td") if a.get("class") == "changed"]


def test_a_large_data_set_stays_within_the_budget() -> None:
    """Fifteen checks, each with all of 4,000 samples, and thumbnails as large as they get."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, 9000, dtype=np.uint8).tobytes()

    class Heavy:
        def original(self, row: int) -> bytes:
            return noise

        def thumbnail(self, row: int) -> bytes | None:
            return noise

    n = 4000
    many = tuple(
        replace(findings()[5], check=f"check_{i}", subjects=subjects(list(range(n))))
        for i in range(15)
    )
    text = html_report(report(many), evidence(n=n), Heavy(), CHECKS)
    assert len(text.encode()) < 3_000_000
    assert text.count("<img") >= 15 * 5
    light = html_report(report(many[:6]), evidence(n=n), Album(), CHECKS)
    assert light.count("<img") == 6 * PICTURES_A_CHECK


def test_an_empty_report_is_a_page() -> None:
    made = Made(replace(report(), findings=()), evidence(n=1))
    assert "No check was run" in "".join(page_of(made).text)
    assert "No check was run" in markdown_report(made.report, made.evidence)
    assert "No check was run" in terminal_report(made.report)


def test_a_finding_of_an_unknown_check_is_shown() -> None:
    made = Made(report([Finding("fail", "Seen.", check="new_one", thresholds={"t": 1})]))
    text = html_report(made.report, made.evidence, made.files)
    assert "New one" in text
    assert "Seen." in markdown_report(made.report, made.evidence)


# -- value, expectation, pictures, tables --------------------------------------------------------


def with_evidence() -> Finding:
    """A finding as the checks of a training pipeline make them, with hostile texts."""
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[1, 2] = (255, 0, 7)
    return Finding(
        "fail", "Loss at init is off.", "Look at the last layer.", check="loss_at_init",
        value=4.125, expected="2.303 ± 0.04", because=("parameters_update",),
        pictures=(Picture("What the net sees", pixels, HOSTILE),),
        tables=(Table("By layer", ("layer", HOSTILE), (("head", 0.5), (HOSTILE, 3))),),
    )  # fmt: skip


def test_value_expectation_and_explanation_are_in_every_form() -> None:
    made = Made(report([with_evidence()]))
    shown = page_of(made)
    forms = [
        "".join(shown.text), terminal_report(made.report, 200),
        markdown_report(made.report, made.evidence),
    ]  # fmt: skip
    for text in forms:
        assert "Seen 4.125, expected 2.303 ± 0.04" in text.replace("\\", "")
        assert "Explained by parameters" in text and "mend that first" in text
    [row] = json.loads(json_report(made.report))["checks"]
    assert (row["value"], row["expected"]) == (4.125, "2.303 ± 0.04")
    assert row["because"] == ["parameters_update"] and row["tables"][0]["rows"][0] == ["head", 0.5]
    plain = json.loads(json_report(report()))["checks"][0]
    assert not {"value", "expected", "because", "tables"} & set(plain)


def test_pictures_and_tables_of_a_finding_are_in_the_page() -> None:
    made = Made(report([with_evidence()]))
    shown = page_of(made)
    [image] = shown.all("img")
    data = base64.b64decode((image["src"] or "").partition("base64,")[2])
    assert np.array_equal(
        np.array(Image.open(io.BytesIO(data))), with_evidence().pictures[0].pixels
    )
    text = "".join(shown.text)
    assert "By layer" in text and visible(HOSTILE) in text and not shown.all("script")
    assert "| head | 0.5 |" in markdown_report(made.report, made.evidence)


# -- JSON ----------------------------------------------------------------------------------------


def refuse(constant: str) -> float:
    raise AssertionError(f"{constant} is not JSON")


def test_the_json_report_is_strict_and_whole() -> None:
    stored = json.loads(json_report(report()), parse_constant=refuse)
    assert stored["schema"] == 1
    assert [c["id"] for c in stored["checks"]] == [f.check for f in findings()]
    leak = next(c for c in stored["checks"] if c["id"] == "split_leak")
    assert leak["numbers"]["nothing"] is None
    assert leak["numbers"]["pairs"][0] == ["train", "test", 31]
    assert leak["n_subjects"] == 60
    assert set(leak) == {
        "id", "stage", "verdict", "summary", "next_step", "numbers", "n_subjects",
        "thresholds", "seconds",
    }  # fmt: skip


def test_numpy_paths_and_lone_surrogates_have_a_json_form() -> None:
    value = {
        "i": np.int64(3), "f": np.float32(0.5), "b": np.bool_(True), "a": np.arange(3),
        "p": Path("a/b"),
        "n": [float("nan"), np.inf], "s": "caf\udce9", "t": (1, 2), 5: None,
    }  # fmt: skip
    assert json.loads(json_text(value), parse_constant=refuse) == {
        "i": 3, "f": 0.5, "b": True, "a": [0, 1, 2], "p": "a/b", "n": [None, None],
        "s": r"caf\udce9", "t": [1, 2], "5": None,
    }  # fmt: skip
    json_text(value).encode("utf-8")
    with pytest.raises(TypeError):
        json_text({"x": object()})


# -- Markdown and the terminal -------------------------------------------------------------------


def test_the_markdown_report_parses_as_meant() -> None:
    markdown_it = pytest.importorskip("markdown_it")
    made = Made()
    text = markdown_report(made.report, made.evidence, CHECKS)
    rendered = markdown_it.MarkdownIt("commonmark").enable("table").render(text)
    page = Page()
    page.feed(rendered.replace("<hr />", ""))
    tags = {t for t, _ in page.elements}
    assert tags <= {
        "h1",
        "h2",
        "p",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "ul",
        "li",
        "strong",
        "code",
    }
    written = "".join(page.text)
    for f in findings():
        assert f.summary in written
    assert visible(HOSTILE) in written
    assert "and 48 more" in written
    assert rendered.count("<h2>") == 7


def test_no_line_begins_with_a_per_cent_sign() -> None:
    for width in range(40, 90):
        lines = _wrapped("3 of 160 (1.9 %) and 12 of 200 (6 %), " * 5, width, "    ").split("\n")
        assert all(len(line) <= width and not line.strip().startswith("%") for line in lines)
        assert "(1.9 %)" in "\n".join(lines) and "\0" not in "".join(lines)


def test_the_terminal_shows_the_worst_first_within_the_width() -> None:
    for width in (50, 80, 120):
        text = terminal_report(report(), width)
        assert max(map(len, text.splitlines())) <= width
        places = [text.index(f.check) for f in findings()]
        assert len(set(places)) == len(places)
        assert text.index("split_leak") < text.index("class_balance") < text.index("shortcut")
        assert "2 fail, 2 warning, 1 error, 1 pass, 1 skipped" in text
        for f in findings():
            assert f.summary in " ".join(text.split())


def test_colours_change_nothing_but_colour() -> None:
    painted = terminal_report(report(), 80, ANSI)
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == terminal_report(report(), 80)
    assert painted.count("\x1b[") == 2 * painted.count("\x1b[0m") > 0


def test_names_send_no_escapes_to_the_terminal() -> None:
    text = terminal_report(report([Finding("fail", HOSTILE, HOSTILE, check="corruption")]), 80)
    assert "\x1b" not in text and "\u202e" not in text


def test_the_style_is_filled_in() -> None:
    css = html_module._style()
    assert "VARIABLES" not in css
    assert set(re.findall(r"var\((--[a-z0-9]+)\)", css)) <= set(re.findall(r"(--[a-z0-9]+):", css))
