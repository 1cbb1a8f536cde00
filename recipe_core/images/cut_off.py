"""Does a file end before its own header says that it does?

Asked only where no decoder could make a picture of it: Pillow knows a TIFF by its directory, which
mostly stands at the end, and calls a download that broke off a file of no known kind.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

BELIEVED = 10_000
"""A header that speaks of more than so many times what is there is itself what is wrong."""

_TIFF = {b"II*\0": "<", b"MM\0*": ">"}
_BYTES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8)  # of a value, by a TIFF's number of its type
_WHOLE = {1: "B", 3: "H", 4: "I"}
_BOXES = frozenset((b"ftyp", b"jP  ", b"meta", b"mdat", b"moov", b"moof", b"mini", b"free", b"skip",
                    b"uuid", b"jp2h", b"jp2c", b"xml ", b"idat", b"jumb"))  # fmt: skip
_PLACES = {273: 279, 324: 325}  # tags of a strip's or tile's offset: of its length
_STRIPS = 1 << 20  # more than any picture has: a broken count must not fill the memory


def cut_off(data: bytes) -> str:
    """How much is missing, in words, '' where nothing is known to be.

    WebP and other RIFF, AVIF, HEIF, JPEG 2000, TIFF, BMP, icons, a GIF's palette; all else is ''.
    """
    need = _announced(data)
    cut = len(data) < need <= BELIEVED * len(data)
    return f"the file ends after {len(data):,} of {need:,} bytes" if cut else ""


def _announced(data: bytes) -> int:
    """Bytes that the header speaks of, 0 where it says nothing."""
    try:
        if data[:4] == b"RIFF":
            return 8 + int.from_bytes(data[4:8], "little")
        if data[4:8] in (b"ftyp", b"jP  "):
            return _boxes_end(data)
        if data[:4] in _TIFF:
            return max(_tiff_ends(data, _TIFF[data[:4]]), default=0)
        if data[:2] == b"BM":
            return int.from_bytes(data[2:6], "little")
        if data[:4] == b"\0\0\1\0":
            return _icon_end(data)
        if data[:4] == b"GIF8":
            return _gif_palette_end(data)
    except _PastTheEnd as e:
        return int(e.args[0])
    return 0


class _PastTheEnd(Exception):
    """What has to be read lies behind the last byte; its argument is where it would end."""


def _read(layout: str, data: bytes, at: int) -> tuple[Any, ...]:
    end = at + struct.calcsize(layout)
    if end > len(data):
        raise _PastTheEnd(end)
    return struct.unpack_from(layout, data, at)


def _boxes_end(data: bytes) -> int:
    """ISO/IEC 14496-12, 4.2: size and kind, one box after the other, the last perhaps open."""
    at = 0
    while at < len(data):
        size, kind = _read(">I4s", data, at)
        if kind not in _BOXES:  # what somebody left behind the last one
            break
        if size == 1:
            (size,) = _read(">Q", data, at + 8)
        if size == 0:
            break
        at += max(size, 8)
    return at


def _tiff_ends(data: bytes, order: str) -> Iterator[int]:
    """Ends of the first directory, its values, and the strips or tiles (TIFF 6.0, section 2)."""
    (at,) = _read(order + "I", data, 4)
    (entries,) = _read(order + "H", data, at)
    yield at + 2 + 12 * entries
    values: dict[int, tuple[int, ...]] = {}
    for entry in range(at + 2, at + 2 + 12 * entries, 12):
        tag, kind, n = _read(order + "HHI", data, entry)
        size = n * (_BYTES[kind] if kind < len(_BYTES) else 0)
        place = _read(order + "I", data, entry + 8)[0] if size > 4 else entry + 8
        yield place + size
        if kind in _WHOLE and n <= _STRIPS and tag in (*_PLACES, *_PLACES.values()):
            values[tag] = _read(f"{order}{n}{_WHOLE[kind]}", data, place)
    for place, length in _PLACES.items():
        yield from map(sum, zip(values.get(place, ()), values.get(length, ()), strict=False))


def _icon_end(data: bytes) -> int:
    """The end of the picture that lies farthest back; entries of 16 bytes from byte 6."""
    (n,) = _read("<H", data, 4)
    return max((sum(_read("<II", data, 6 + 16 * k + 8)) for k in range(n)), default=0)


def _gif_palette_end(data: bytes) -> int:
    """The end of the colours behind the header (GIF89a, section 18), where there are any."""
    (flags,) = _read("B", data, 10)
    return 13 + (3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0)
