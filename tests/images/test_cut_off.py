"""Is a file that ends too early called cut off, and no other file?"""

from __future__ import annotations

import contextlib
import io
import random
import struct
import warnings
from typing import Any

import pytest
from PIL import Image

from recipe_core.images.cut_off import cut_off, lost_pictures
from recipe_core.images.opened import opened
from tests.planted.plant_exact_duplicates import photo

PHOTO = photo(3, (150, 110))


def saved(format: str, **how: Any) -> bytes:
    stream = io.BytesIO()
    PHOTO.save(stream, format, **how)
    return stream.getvalue()


def tiff_of_tiles(order: str) -> bytes:
    """Two grey tiles of 16 × 16, the directory before them, in the byte order `<` or `>`."""
    short, long = 3, 4
    entries = [
        (256, short, 1, 32), (257, short, 1, 16), (258, short, 1, 8), (259, short, 1, 1),
        (262, short, 1, 1), (277, short, 1, 1), (322, short, 1, 16), (323, short, 1, 16),
        (324, long, 2, LISTS), (325, long, 2, LISTS + 8),
    ]  # fmt: skip
    packed = [struct.pack(order + "HHI", *e[:3]) + (
        struct.pack(order + "HH", e[3], 0) if e[1] == short else struct.pack(order + "I", e[3])
    ) for e in entries]  # fmt: skip
    start = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "IH", 8, len(entries))
    lists = struct.pack(order + "IIII", LISTS + 16, LISTS + 16 + 256, 256, 256)
    return start + b"".join(packed) + bytes(4) + lists + bytes(range(256)) * 2


LISTS = 8 + 2 + 10 * 12 + 4


WHOLE = {
    "webp": saved("WEBP"),
    "webp without loss": saved("WEBP", lossless=True),
    "avif": saved("AVIF"),
    "jp2": saved("JPEG2000"),
    "tif": saved("TIFF"),
    "tif with LZW": saved("TIFF", compression="tiff_lzw"),
    "tif with JPEG": saved("TIFF", compression="jpeg"),
    "tif of tiles": tiff_of_tiles("<"),
    "tif of tiles, high byte first": tiff_of_tiles(">"),
    "bmp": saved("BMP"),
    "gif": saved("GIF"),
    "ico": saved("ICO", sizes=[(64, 48), (128, 96)]),
}
SHARES = (0.1, 0.35, 0.6, 0.8, 0.95, 0.99)


def told(data: bytes, name: str) -> tuple[str, str]:
    facts = opened(data, name.split(maxsplit=1)[0]).facts
    return facts["error"], facts["error_detail"]


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_file_is_not_cut_off(name: str) -> None:
    whole = WHOLE[name]
    assert told(whole, name) == ("", "")
    assert cut_off(whole) == cut_off(whole + b"left behind") == ""


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("name", WHOLE)
def test_a_file_cut_anywhere_is_called_cut_off(name: str, share: float) -> None:
    whole = WHOLE[name]
    error, detail = told(whole[: int(len(whole) * share)], name)
    assert error == "truncated", detail


def test_it_says_how_much_is_there() -> None:
    whole = WHOLE["webp"]
    assert told(whole[:1000], "webp")[1] == f"the file ends after 1,000 of {len(whole):,} bytes"


@pytest.mark.parametrize("name", ["webp", "avif", "jp2"])
def test_a_whole_file_with_wrong_bytes_is_not_cut_off(name: str) -> None:
    """Overwritten where the decoder gives up: it is broken, but nothing is missing."""
    whole, begin = WHOLE[name], {"webp": 20, "avif": 40, "jp2": 100}[name]
    wrong = whole[:begin] + random.Random(1).randbytes(150) + whole[begin + 150 :]
    assert told(wrong, name)[0] in ("undecodable", "wrong_magic"), told(wrong, name)


@pytest.mark.parametrize("start", [b"RIFF", b"\0\0\0\x1cftyp", b"II*\0", b"MM\0*", b"BM",
                                   b"\0\0\1\0", b"GIF8", b"\0\0\0\x0cjP  "])  # fmt: skip
def test_nothing_behind_a_known_beginning_makes_it_raise(start: bytes) -> None:
    draw = random.Random(start)
    for length in (*range(24), *(draw.randrange(2000) for _ in range(300))):
        data = start + draw.randbytes(length)
        assert isinstance(cut_off(data), str) and isinstance(lost_pictures(data), str)


def test_a_header_that_speaks_of_gigabytes_is_itself_wrong() -> None:
    whole = WHOLE["tif with JPEG"]
    wrong = whole[:4] + (0xC0000000).to_bytes(4, "little") + whole[8:]  # where the directory is
    assert cut_off(wrong) == "" and told(wrong, "tif")[0] == "wrong_magic"


def test_a_name_without_such_a_file_is_still_a_wrong_name() -> None:
    assert told(random.Random(0).randbytes(4000), "tif")[0] == "wrong_magic"
    assert Image.open(io.BytesIO(tiff_of_tiles("<"))).size == (32, 16)


# -- later pictures -----------------------------------------------------------------------------

PICTURES = [photo(k, (90, 70)) for k in range(5)]


def several(format: str, **how: Any) -> bytes:
    stream = io.BytesIO()
    PICTURES[0].save(stream, format, save_all=True, append_images=PICTURES[1:], **how)
    return stream.getvalue()


SEVERAL = {
    "gif": several("GIF"),
    "gif that says more": several("GIF", comment=b"five " * 200, duration=40, loop=0),
    "tif": several("TIFF"),
    "tif with LZW": several("TIFF", compression="tiff_lzw"),
    "webp": several("WEBP"),
    "png": several("PNG"),
}


def pictures_of(data: bytes) -> list[bytes]:
    """What Pillow reads, picture by picture."""
    found = []
    with warnings.catch_warnings(), contextlib.suppress(Exception):
        warnings.simplefilter("ignore")
        image = Image.open(io.BytesIO(data))
        for k in range(len(PICTURES)):
            image.seek(k)
            found.append(image.convert("RGB").tobytes())
    return found


@pytest.mark.parametrize("name", SEVERAL)
def test_a_file_that_lost_later_pictures_is_broken_and_a_whole_one_is_not(name: str) -> None:
    whole = SEVERAL[name]
    assert told(whole, name) == told(whole + b"left behind", name) == ("", "")
    all_, r = pictures_of(whole), random.Random(7)
    lost, called = 0, 0
    for _ in range(60):
        cut = whole[: r.randrange(len(whole) // 4, len(whole) - 2)]
        if pictures_of(cut) != all_:
            lost += 1
            called += told(cut, name)[0] in ("damaged", "truncated")
    assert lost > 40 and called >= 0.98 * lost


def test_what_is_lost_is_said() -> None:
    gif, tif = SEVERAL["gif"], SEVERAL["tif"]
    assert lost_pictures(gif[:-200]) == "the file ends within picture 5"
    assert (
        lost_pictures(tif[:-200]) == f"the file ends after {len(tif) - 200:,} of {len(tif):,} bytes"
    )


def test_marks_that_end_a_gif_may_be_missing() -> None:
    """No pixel is lost with them; some programs leave them out, or fill up with zeros."""
    gif = SEVERAL["gif"]
    assert gif[-2:] == b"\0;"
    for twin in (gif[:-1], gif[:-2], gif[:-1] + bytes(50)):
        assert pictures_of(twin)[:4] == pictures_of(gif)[:4]
        assert lost_pictures(twin) == ""


def next_directory(tif: bytes) -> int:
    """Where the place of a second picture stands in a TIFF with its low byte first."""
    (at,) = struct.unpack_from("<I", tif, 4)
    return int(at) + 2 + 12 * int(struct.unpack_from("<H", tif, at)[0])


def test_junk_behind_the_one_picture_of_a_tiff_is_no_picture() -> None:
    tif = saved("TIFF") + bytes(range(256)) * 20
    at, r = next_directory(tif), random.Random(3)
    places = [r.randrange(8, len(tif) - 2) for _ in range(300)] + [2**32 - 1, 2**31, 200_000_000]
    for place in places:
        assert lost_pictures(tif[:at] + struct.pack("<I", place) + tif[at + 4 :]) == "", place
    last = tiff_of_tiles("<")
    directory = last[: next_directory(last)]
    assert lost_pictures(directory) == ""  # it ends with its directory, with nothing to follow


def test_a_tiff_whose_first_picture_counts_too_many_bytes_is_believed_in_nothing() -> None:
    tif = bytearray(SEVERAL["tif"])
    (at,) = struct.unpack_from("<I", tif, 4)
    tags = range(at + 2, next_directory(bytes(tif)), 12)
    (length_of_strip,) = (e for e in tags if struct.unpack_from("<H", tif, e)[0] == 279)
    struct.pack_into("<I", tif, length_of_strip + 8, 10 * len(tif))
    assert pictures_of(bytes(tif)) == pictures_of(SEVERAL["tif"])
    assert lost_pictures(bytes(tif[:-10])) == ""
