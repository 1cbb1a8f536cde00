"""Is what strangers wrote shown, and does it do no harm?"""

from __future__ import annotations

import html as stdlib_html
import math
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipe_core.reporting.wording import counted, escaped, in_markdown, number, shortened, visible

ANY_TEXT = st.text(st.characters(), max_size=60)


class Texts(HTMLParser):
    """The texts and tags that a browser would see."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.tags: list[str] = []

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)


@given(ANY_TEXT)
def test_any_text_can_be_encoded_and_printed(text: str) -> None:
    seen = visible(text)
    assert seen.encode("utf-8").decode("utf-8") == seen
    assert not any(ord(c) < 32 or ord(c) == 127 for c in seen)


@given(ANY_TEXT)
def test_escaped_text_is_text_in_html_and_nothing_else(text: str) -> None:
    parser = Texts()
    parser.feed(f'<p title="{escaped(text)}">{escaped(text)}</p>')
    parser.close()
    assert parser.tags == ["p"]
    assert parser.text == visible(text)
    assert stdlib_html.unescape(escaped(text)) == visible(text)


@given(ANY_TEXT)
def test_escaped_text_is_text_in_markdown_and_nothing_else(text: str) -> None:
    """The oracle is a CommonMark parser with tables and strikethrough switched on."""
    markdown_it = pytest.importorskip("markdown_it")
    parser = markdown_it.MarkdownIt("commonmark").enable(["table", "strikethrough"])
    shown = visible(text).strip()
    page = Texts()
    page.feed(parser.render(f"x {in_markdown(text)} y"))
    assert page.tags == ["p"]
    assert page.text.split() == f"x {shown} y".split()
    table = Texts()
    table.feed(parser.render(f"| a | b |\n| --- | --- |\n| {in_markdown(text)} | c |\n"))
    assert table.tags.count("td") == 2
    assert set(table.tags) == {"table", "thead", "tbody", "tr", "th", "td"}


@pytest.mark.parametrize(
    "text", ["- a", "+ a", "1. a", "12) a", "# a", "---", "===", "> a", "    a", "* a"]
)
def test_a_line_that_begins_like_a_block_stays_a_paragraph(text: str) -> None:
    markdown_it = pytest.importorskip("markdown_it")
    page = Texts()
    page.feed(markdown_it.MarkdownIt("commonmark").render(in_markdown(text)))
    assert page.tags == ["p"]
    assert page.text.strip() == text.strip()


def test_signs_that_hide_or_turn_text_are_written_out() -> None:
    assert visible("a\u202egpj.exe") == r"a\u202egpj.exe"
    assert visible("a\nb\x1b[31m\udce9") == r"a\nb\x1b[31m\udce9"
    assert visible("naïve 日本語 👩‍🚀") == "naïve 日本語 👩‍🚀"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3781, "3,781"), (np.int64(12), "12"), (0.012345, "0.01235"), (1234.56, "1,234.6"),
        (2.0, "2"), (True, "yes"), (np.bool_(False), "no"), (None, "–"), (math.nan, "–"),
        (-math.inf, "-∞"), (np.float32(0.5), "0.5"), ("a\nb", r"a\nb"),
        (1e20, "100,000,000,000,000,000,000.0"),
    ],
)  # fmt: skip
def test_numbers_read_as_a_person_writes_them(value: object, text: str) -> None:
    assert number(value) == text


@given(ANY_TEXT, st.integers(4, 40))
def test_shortened_text_fits_and_keeps_both_ends(text: str, most: int) -> None:
    short, seen = shortened(text, most), visible(text)
    assert len(short) == min(len(seen), most)
    assert short == seen or (seen.startswith(short.split("…")[0]) and seen.endswith(short[-1]))


def test_counted() -> None:
    assert [counted(n, "class", "classes") for n in (0, 1, 1200)] == [
        "0 classes",
        "1 class",
        "1,200 classes",
    ]
