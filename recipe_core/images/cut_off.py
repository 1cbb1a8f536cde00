"""Does a file end before its own header says that it does?

`cut_off` is asked only where no decoder could make a picture of it: Pillow knows a TIFF by its
directory, which mostly stands at the end, and calls a download that broke off a file of no known
kind. `lost_pictures` is asked where the first picture could be made, which says nothing of others.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

BELIEVED = 10_000
"""A header that speaks of more than so many times what is there is itself what is wrong."""
BELIEVED_LATER = 100
"""The same of a later picture: the place of a next one that does not exist is sometimes junk."""
MOST_PAGES = 10_000

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
    return _ends_after(data, _announced(data), BELIEVED)


def _ends_after(data: bytes, need: int, believed: int) -> str:
    cut = len(data) < need <= believed * len(data)
    return f"the file ends after {len(data):,} of {need:,} bytes" if cut else ""


def lost_pictures(data: bytes) -> str:
    """What is missing of later pictures in a GIF or TIFF, in words, '' where nothing is known.

    A TIFF whose first picture seems to be cut off too is believed in nothing: that one was read.
    """
    if data[:4] == b"GIF8":
        frame = _gif_breaks_off(data)
        return f"the file ends within picture {frame}" if frame > 1 else ""
    if data[:4] not in _TIFF:
        return ""
    pages: list[int] = []
    try:
        pages.extend(_tiff_pages(data, _TIFF[data[:4]]))
    except _PastTheEnd as e:
        pages.append(int(e.args[0]))
    whole_first = len(pages) > 1 and pages[0] <= len(data)
    return _ends_after(data, max(pages), BELIEVED_LATER) if whole_first else ""


def _announced(data: bytes) -> int:
    """Bytes that the header speaks of, 0 where it says nothing."""
    try:
        if data[:4] == b"RIFF":
            return 8 + int.from_bytes(data[4:8], "little")
        if data[4:8] in (b"ftyp", b"jP  "):
            return _boxes_end(data)
        if data[:4] in _TIFF:
            return next(_tiff_pages(data, _TIFF[data[:4]]), 0)
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


def _tiff_pages(data: bytes, order: str) -> Iterator[int]:
    """The end of each picture: of its directory, the values, and the strips or tiles (TIFF 6.0,
    section 2). What follows the first is a picture too where its directory looks like one."""
    (at,) = _read(order + "I", data, 4)
    seen: set[int] = set()
    while at and at not in seen and len(seen) < MOST_PAGES:
        (entries,) = _read(order + "H", data, at)
        after = at + 2 + 12 * entries
        if seen and not _is_directory(data, order, at, entries):
            return
        seen.add(at)
        yield max(_tiff_ends(data, order, at, entries))
        if after + 4 > len(data):  # some leave out that nothing follows
            return
        (at,) = _read(order + "I", data, after)


def _is_directory(data: bytes, order: str, at: int, entries: int) -> bool:
    """Tags ascend as far as they are there, and a width and a height are among them."""
    there = range(at + 2, min(at + 2 + 12 * entries, len(data) - 11), 12)
    tags = [_read(order + "H", data, place)[0] for place in there]
    begins = tags[:1] in ([254], [255], [256])
    return tags == sorted(tags) and ({256, 257} <= set(tags) or (len(tags) < entries and begins))


def _tiff_ends(data: bytes, order: str, at: int, entries: int) -> Iterator[int]:
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
    _read("B", data, 10)  # raises where even the byte that tells of them is not there
    return _palette_end(data, 10, 13)


def _gif_breaks_off(data: bytes) -> int:
    """The picture (1, 2 …) within which the data of a GIF ends, 0 where it ends within none.

    GIF89a, sections 15 to 27: pictures and extensions, each a chain of blocks. Only the length of
    a block tells: that the mark at the end of the last chain or of the file is missing costs no
    pixel.
    """
    at, frame, n = _palette_end(data, 10, 13), 0, len(data)
    while at < n:
        kind, begin = data[at], at
        if kind == 0x2C:
            frame += 1
            at = _palette_end(data, at + 9, at + 10) + 1
        elif kind == 0x21:
            at += 2
        else:  # the end mark, or what somebody left behind
            return 0
        while at < n and data[at]:
            at += 1 + data[at]
        if at > n:
            of_next = kind == 0x21 and data[begin + 1 : begin + 2] == b"\xf9"  # how it is shown
            return frame + of_next if kind == 0x2C or of_next else 0
        at += 1
    return 0


def _palette_end(data: bytes, flags: int, begin: int) -> int:
    """Where the colours that begin there end; `flags`: the place of the byte that tells."""
    told = data[flags] if flags < len(data) else 0
    return begin + (3 * 2 ** ((told & 7) + 1) if told & 0x80 else 0)
