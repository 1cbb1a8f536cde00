"""What is a file that no decoder could read? The class of the error, from its bytes."""

from __future__ import annotations

import contextlib
from functools import cache
from typing import Any

from PIL import Image, UnidentifiedImageError

from recipe_core.images.cut_off import cut_off
from recipe_core.images.limits import TooMuch
from recipe_core.images.png import PNG_MAGIC

_NOT_PICTURES = (
    b"<!doctype", b"<html", b"<?php", b"{", b"[", b"%pdf", b"pk\x03\x04", b"\x1f\x8b", b"rar!",
    b"7z\xbc\xaf", b"\x7felf", b"mz", b"sqlite format 3", b"par1", b"\x80\x04", b"\x93numpy",
    b"bzh", b"\xfd7zxz", b"id3", b"oggs", b"\x1ae\xdf\xa3",
)  # fmt: skip
_VECTOR = (b"<svg", b"<?xml")
_PICTURE_MAGIC = (
    b"\xff\xd8\xff", PNG_MAGIC, b"gif87a", b"gif89a", b"bm", b"ii*\0", b"mm\0*", b"8bps", b"dds ",
    b"\0\0\1\0", b"\xff\x0a", b"ii+\0", b"mm\0+",
)  # fmt: skip


def refused(
    error: Exception, data: bytes, extension: str, facts: dict[str, Any]
) -> tuple[str, str]:
    """The class (columns.py) of what a decoder raised, and words for it: the decoder's own, or how
    much is missing. `facts` as far as they were known."""
    kind = _class(error, data, extension, facts)
    if kind in ("undecodable", "wrong_magic") and (missing := cut_off(data)):
        return "truncated", missing
    return kind, words_of(error)


def _class(error: Exception, data: bytes, extension: str, facts: dict[str, Any]) -> str:
    words = str(error).lower()
    if isinstance(error, (TooMuch, Image.DecompressionBombError)):
        return "bomb"
    if isinstance(error, UnidentifiedImageError):
        return _unknown(data, extension)
    if isinstance(error, NotImplementedError) or any(w in words for w in _WITHOUT):
        return "unsupported"
    if facts.get("format") == "TIFF" and facts.get("compression") in _OPTIONAL_CODECS:
        return "unsupported"
    if isinstance(error, EOFError) or any(w in words for w in _SHORT):
        return "truncated"
    return "undecodable"


# what libtiff may have been built without
_OPTIONAL_CODECS = ("webp", "jbig", "tiff_sgilog", "tiff_sgilog24")
_WITHOUT = (
    "not available",
    "cannot find loader",
    "unsupported",
    "ghostscript",
    "not supported",
    "not implemented",
)
_SHORT = ("truncated", "not enough", "unexpected end", "unexpected eof", "too short", "premature")


def _unknown(data: bytes, extension: str) -> str:
    """The class of a file that no decoder recognises."""
    start = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if any(start.startswith(m) for m in _VECTOR) and b"<svg" in data[:4096].lower():
        return "unsupported"
    if start.startswith(_NOT_PICTURES) or _is_text(data[:1024]):
        return "not_an_image"
    if data.startswith(b"\xff\xd8\xff"):
        return "undecodable" if b"\xff\xda" in data else "truncated"
    if data.startswith(PNG_MAGIC) or data[:4] == b"RIFF":
        return "undecodable"
    if start.startswith(_PICTURE_MAGIC) or f".{extension}" in _picture_names():
        return "wrong_magic"
    return "not_an_image"


def _is_text(start: bytes) -> bool:
    """Whether the first bytes are words and nothing else."""
    printable = sum(32 <= c < 127 or c in (9, 10, 13) or c >= 128 for c in start)
    if printable < len(start) or len(start) < 4:
        return False
    with contextlib.suppress(UnicodeDecodeError):
        return bool(start[:-3].decode("utf-8"))
    return False


@cache
def _picture_names() -> frozenset[str]:
    return frozenset(Image.registered_extensions()) | {".heic", ".heif", ".jxl", ".svg"}


def words_of(error: BaseException) -> str:
    """The decoder's own words."""
    if isinstance(error, UnidentifiedImageError):  # its text holds a memory address
        return "no decoder recognises the file"
    return f"{type(error).__name__}: {error}"[:500]
