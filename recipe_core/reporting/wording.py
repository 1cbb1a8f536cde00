"""How is a name, a number or a sentence written so that it does no harm and hides nothing?

Names of files and classes come from strangers: they may hold markup, line breaks, terminal
escapes, bytes that are no text, and marks that turn the reading direction.
"""

from __future__ import annotations

import html
import math
import re
from typing import Any

import numpy as np

_INVISIBLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufffe\uffff\ud800-\udfff]"
)
_SHORT_ESCAPES = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_MARKDOWN = re.compile(r"([\\`*_\[\]|~$#])")
_BLOCK_START = re.compile(r"^(\d*)([-+=.)])(?=[\s=-]|$)")


def visible(text: object) -> str:
    """The text with every character that cannot be seen (or not encoded) written as an escape."""
    return _INVISIBLE.sub(_escape, str(text))


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    code = ord(char)
    return _SHORT_ESCAPES.get(char) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


def escaped(text: object) -> str:
    """The text for HTML and SVG, in an element or in a quoted attribute."""
    return html.escape(visible(text), quote=True)


def in_markdown(text: object) -> str:
    """The text for a Markdown paragraph or table cell: no markup, no HTML, no new block."""
    safe = _MARKDOWN.sub(r"\\\1", html.escape(visible(text).strip(), quote=False))
    return _BLOCK_START.sub(r"\1\\\2", safe)


def shortened(text: object, most: int) -> str:
    """At most `most` characters, the middle replaced by … where it is longer."""
    seen = visible(text)
    if len(seen) <= most:
        return seen
    head = (most - 1) * 2 // 3
    return f"{seen[:head]}…{seen[len(seen) - (most - 1 - head) :]}"


def number(value: Any) -> str:
    """A value as a person reads it: 3,781; 0.01235; yes; – for nothing or not a number."""
    if value is None:
        return "–"
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return f"{value:,}"
    if isinstance(value, (float, np.floating)):
        return _real(float(value))
    return visible(value)


def _real(value: float) -> str:
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= 1000 else f"{value:.4g}"


def counted(n: int, one: str, many: str = "") -> str:
    """ "1 sample", "3,781 samples"."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"
