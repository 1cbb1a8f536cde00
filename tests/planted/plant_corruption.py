"""Which files does corruption have to name? Broken in every way that a copy or download breaks."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.planted.plant import Plant

N = 12
BAD = (3, 7)


def photo(seed: int) -> Image.Image:
    """A smooth 160×120 colour picture with some detail, another for every seed."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(40, 216, (12, 16, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((160, 120), Image.Resampling.BICUBIC), dtype=np.int16)
    grain = rng.integers(-8, 9, smooth.shape)
    return Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8))


def jpeg(seed: int) -> bytes:
    out = io.BytesIO()
    photo(seed).save(out, "JPEG", quality=92)
    return out.getvalue()


def png(seed: int) -> bytes:
    out = io.BytesIO()
    photo(seed).save(out, "PNG")
    return out.getvalue()


def odd_but_sound(data: bytes) -> bytes:
    """Junk where no picture is: in the EXIF block and behind the end. Nothing to complain about."""
    exif = b"Exif\0\0II*\0\x08\0\0\0\xff\x7fgarbage"
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:] + b"\0" * 99


def _planted(spoil: Callable[[bytes], bytes], make: Callable[[int], bytes], ending: str) -> Plant:
    def healthy(folder: Path) -> None:
        for i in range(N):
            (folder / f"{i:02}{ending}").write_bytes(make(i))

    def fault(folder: Path) -> None:
        healthy(folder)
        for i in BAD:
            path = folder / f"{i:02}{ending}"
            path.write_bytes(spoil(path.read_bytes()))

    named = frozenset(f"{i:02}{ending}" for i in BAD)
    return Plant(_words(spoil), fault, healthy, named, frozenset({"fail"}))


def _words(spoil: Callable[[bytes], bytes]) -> str:
    return spoil.__name__.replace("_", " ")


def emptied(data: bytes) -> bytes:
    return b""


def cut_in_half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def last_percent_cut_off(data: bytes) -> bytes:
    return data[: len(data) * 99 // 100]


def web_page_instead(data: bytes) -> bytes:
    return b"<!DOCTYPE html><html><body>403 Forbidden</body></html>\n"


def zeroed_block(data: bytes) -> bytes:
    """A lost disk block in the middle: most such JPEGs load without a word."""
    at = len(data) // 2
    return data[:at] + bytes(min(4096, len(data) // 4)) + data[at + min(4096, len(data) // 4) :]


def one_wrong_byte(data: bytes) -> bytes:
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


def zeros_of_the_same_length(data: bytes) -> bytes:
    return bytes(len(data))


def huge_on_paper(data: bytes) -> bytes:
    """A PNG whose header, with a right checksum, claims 90,000 × 90,000 pixels."""
    body = b"IHDR" + struct.pack(">II", 90_000, 90_000) + data[24:29]
    return data[:12] + body + struct.pack(">I", zlib.crc32(body)) + data[33:]


def _odd_twin() -> Plant:
    plant = _planted(cut_in_half, lambda seed: odd_but_sound(jpeg(seed)), ".jpg")
    return Plant("cut among odd but sound files", plant.fault, plant.healthy, plant.subjects,
                 plant.verdicts)  # fmt: skip


PLANTS = (
    *(
        _planted(spoil, jpeg, ".jpg")
        for spoil in (emptied, cut_in_half, last_percent_cut_off, web_page_instead, zeroed_block,
                      zeros_of_the_same_length)
    ),
    _planted(one_wrong_byte, png, ".png"),
    _planted(huge_on_paper, png, ".png"),
    _odd_twin(),
)  # fmt: skip
