"""Does every text from a data set stay a text?"""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import words
from recipe_core.kernel.nouns import Finding
from recipe_core.kernel.report import Report


class Elements(HTMLParser):
    """Which elements and attributes, and which text?"""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.names: set[str] = set()
        self.text = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.names |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=1> ![x](http://evil.example/i.png) \" ' &amp;"
)


def report(name: str) -> Report:
    given_ = {"name": name, "source": name, "n_samples": 1, "n_classes": 2, "splits": {name: 1}}
    return Report(given_, (), {}, name)


@pytest.mark.parametrize(
    "markup",
    [words.headline(Finding("fail", HOSTILE, HOSTILE, check=HOSTILE), HOSTILE),
     words.paragraph(report(HOSTILE)), words.table({HOSTILE: HOSTILE, "list": [HOSTILE] * 20,
                                                    "map": {HOSTILE: HOSTILE}})],
)  # fmt: skip
def test_names_add_no_elements(markup: str) -> None:
    seen = Elements(markup)
    assert seen.tags <= {"div", "span", "h3", "p", "b", "table", "tbody", "tr", "td"}
    assert seen.names <= {"class", "style", "aria-hidden"}
    assert "<script>" in seen.text  # shown as it is written


@given(st.text(max_size=60))
def test_any_text_survives_as_text(text: str) -> None:
    seen = Elements(words.table({"x": text}))
    assert seen.tags == {"table", "tbody", "tr", "td"}


def test_the_data_set_in_one_paragraph() -> None:
    given_: dict[str, Any] = {
        "source": "/data/pets", "n_samples": 3781, "n_classes": 10,
        "splits": {"train": 3068, "test": 713},
    }  # fmt: skip
    text = Elements(words.paragraph(Report(given_, (), {}, "2026-11-22T21:10:00+00:00"))).text
    assert text.startswith("3,781 pictures in 10 classes, 2 splits: train 3,068, test 713.")
    assert "/data/pets" in text


def test_one_sample_without_labels_and_splits() -> None:
    given_ = {"source": "x", "n_samples": 1, "n_classes": 0, "splits": {}}
    text = Elements(words.paragraph(Report(given_, (), {}, "2026-11-22T21:10:00+00:00"))).text
    assert text.startswith("1 picture without labels, not split.")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (-3, "0 s")],
)
def test_duration(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


def test_what_is_no_time_is_shown_as_it_is() -> None:
    assert words.moment("yesterday") == "yesterday"


def test_names_of_code_are_set_apart_and_still_escaped() -> None:
    assert words.coded("`a.b` and `<i>`") == (
        '<span class="r-mono">a.b</span> and <span class="r-mono">&lt;i&gt;</span>'
    )
    assert words.coded("one ` alone, `` none") == "one ` alone, `` none"
