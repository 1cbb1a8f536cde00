"""Is every file called what it is, and every picture measured as it is displayed?"""

from __future__ import annotations

import io
import os
import random
import resource
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg
from PIL import Image, ImageDraw, ImageOps
from sklearn.datasets import load_sample_image

from recipe_core.images.jpeg import jpeg_header, jpeg_quality, reduction
from recipe_core.images.look import FileRef, look
from recipe_core.images.opened import opened
from recipe_core.images.png import png_problem
from recipe_core.images.thumbnails import planes_of

PHOTO = Image.fromarray(load_sample_image("flower.jpg"))


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


JPEG = saved(PHOTO, "JPEG", quality=90)
PNG = saved(PHOTO, "PNG")


def error_of(data: bytes, extension: str = "jpg") -> str:
    return str(opened(data, extension).facts["error"])


def scanned(data: bytes, folder: Path) -> dict[str, Any]:
    """The row of a scan: what many pictures are asked together counts too."""
    path = folder / "one.jpg"
    path.write_bytes(data)
    (row,) = look([FileRef(0, os.fsencode(path))], lambda i: None).table.to_pylist()
    return dict(row)


def pixels_of(data: bytes) -> np.ndarray:
    made = opened(data, "")
    assert made.pixels is not None, made.facts
    return np.moveaxis(planes_of([made.pixels])[:, 0], 0, -1).astype(int)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def huge_png(side: int = 65535) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + header
        + chunk(b"IDAT", zlib.compress(b"\0" * 100))
        + chunk(b"IEND", b"")
    )


def huge_gif() -> bytes:
    small = bytearray(saved(Image.new("P", (1, 1)), "GIF"))
    small[6:10] = struct.pack("<HH", 65535, 65535)
    return bytes(small)


def huge_tiff() -> bytes:
    tags = [
        (256, 65535),
        (257, 65535),
        (258, 8),
        (259, 1),
        (262, 1),
        (273, 8),
        (278, 65535),
        (279, 100),
    ]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + b"\0" * 200


def huge_webp() -> bytes:
    small = bytearray(saved(Image.new("RGB", (16, 16)), "WEBP"))
    at = small.index(b"\x9d\x01\x2a") + 3  # start code of a VP8 key frame
    small[at : at + 4] = struct.pack("<HH", 16383, 16383)
    return bytes(small)


CLASSES = {
    "empty": (b"", "jpg", "empty"),
    "html": (b"<!DOCTYPE html><html><body>404</body></html>", "jpg", "not_an_image"),
    "json": (b'{"error": "not found"}', "png", "not_an_image"),
    "text": ("Straße und Fluß, nichts weiter\n".encode() * 5, "jpg", "not_an_image"),
    "zip": (b"PK\x03\x04" + bytes(200), "jpg", "not_an_image"),
    "pdf": (b"%PDF-1.4\n%\xe2\xe3" + bytes(100), "jpg", "not_an_image"),
    "random bytes named jpg": (random.Random(0).randbytes(4000), "jpg", "wrong_magic"),
    "random bytes": (random.Random(0).randbytes(4000), "dat", "not_an_image"),
    "svg": (
        b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>',
        "svg",
        "unsupported",
    ),
    "eps": (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n",
        "eps",
        "unsupported",
    ),
    "jpeg cut in half": (JPEG[: len(JPEG) // 2], "jpg", "truncated"),
    "jpeg without its last byte": (JPEG[:-3], "jpg", "truncated"),
    "jpeg cut in the header": (JPEG[:100], "jpg", "truncated"),
    "png cut in half": (PNG[: len(PNG) // 2], "png", "truncated"),
    "png without its end": (PNG[:-12], "png", "damaged"),
    "gif cut": (saved(PHOTO.quantize(), "GIF")[:5000], "gif", "truncated"),
    "png bomb": (huge_png(), "png", "bomb"),
    "gif bomb": (huge_gif(), "gif", "bomb"),
    "tiff bomb": (huge_tiff(), "tif", "bomb"),
    "webp bomb": (huge_webp(), "webp", "bomb"),
}


@pytest.mark.parametrize("name", CLASSES)
def test_error_classes(name: str) -> None:
    data, extension, expected = CLASSES[name]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    made = opened(data, extension)
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert made.facts["error"] == expected, made.facts
    assert made.facts["error_detail"]
    assert kilobytes < 300_000 * (1024 if sys.platform == "darwin" else 1)
    assert (made.pixels is None) == (expected != "damaged")


def test_a_jpeg_bomb_is_not_decoded() -> None:
    data = bytearray(JPEG)
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", 65000, 65000)
    assert error_of(bytes(data)) == "bomb"


def kinds() -> list[tuple[str, bytes, int]]:
    deep = Image.fromarray(np.asarray(PHOTO.convert("L")).astype(np.uint16) * 257)
    restarting = saved(PHOTO, "JPEG", subsampling=0, restart_marker_rows=1)
    return [
        ("JPEG", JPEG, 8),
        ("JPEG", saved(PHOTO, "JPEG", progressive=True), 8),
        ("JPEG", saved(PHOTO.convert("L"), "JPEG"), 8),
        ("JPEG", saved(PHOTO.convert("CMYK"), "JPEG"), 8),
        ("JPEG", restarting, 8),
        ("PNG", PNG, 8),
        ("PNG", saved(PHOTO.convert("1"), "PNG"), 1),
        ("PNG", saved(deep, "PNG"), 16),
        ("PNG", saved(PHOTO.convert("RGBA"), "PNG"), 8),
        ("PNG", saved(PHOTO.quantize(16), "PNG"), 4),
        ("TIFF", saved(PHOTO, "TIFF", compression="tiff_lzw"), 8),
        ("TIFF", saved(deep, "TIFF"), 16),
        ("ICO", saved(PHOTO.resize((64, 64)), "ICO"), 8),
        *((kind, saved(PHOTO, kind), 8) for kind in PLAIN),
    ]


PLAIN = ("GIF", "BMP", "PPM", "WEBP", "JPEG2000", "TGA", "AVIF")


@pytest.mark.parametrize(("kind", "data", "bits"), kinds())
def test_sound_files_of_every_kind_pass(kind: str, data: bytes, bits: int) -> None:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
    made = opened(data, kind.lower())
    facts = made.facts
    assert (facts["error"], facts["error_detail"], facts["pillow_ok"]) == ("", "", True)
    assert (facts["format"], facts["mode"], facts["bits"]) == (image.format, image.mode, bits)
    assert (facts["width"], facts["height"]) == image.size
    assert facts["strict_ok"] is (True if kind in ("JPEG", "PNG") else None)
    assert made.thumbnail.startswith(b"\xff\xd8")
    oracle = np.asarray(PHOTO.convert("L").resize((8, 8), Image.Resampling.BOX), float)
    thumbnail = (
        Image.open(io.BytesIO(made.thumbnail)).convert("L").resize((8, 8), Image.Resampling.BOX)
    )
    if kind != "ICO" and bits >= 8:
        assert np.abs(np.asarray(thumbnail, float) - oracle).max() < 12


def test_heif() -> None:
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    made = opened(saved(PHOTO, "HEIF"), "heic")
    assert (made.facts["format"], made.facts["error"]) == ("HEIF", "")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_displayed_as_exif_says(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    data = saved(PHOTO.resize((300, 200)), kind, exif=exif)
    displayed = ImageOps.exif_transpose(Image.open(io.BytesIO(data)).convert("RGB"))
    if kind == "TIFF":  # Pillow has turned it while it loaded it
        displayed = Image.open(io.BytesIO(data)).convert("RGB")
    made = opened(data, "")
    assert made.facts["orientation"] == orientation
    assert (made.facts["width"], made.facts["height"]) == displayed.size
    mine = pixels_of(data)
    oracle = np.asarray(displayed.resize(mine.shape[1::-1], Image.Resampling.BOX), int)
    assert np.abs(mine - oracle).mean() < 4


@pytest.mark.parametrize("quality", range(1, 101))
def test_the_quality_that_wrote_a_jpeg(quality: int) -> None:
    header = jpeg_header(saved(PHOTO.resize((16, 16)), "JPEG", quality=quality))
    assert header is not None
    assert jpeg_quality(header.table) == quality


def test_the_scale_is_the_smallest_that_shows_enough() -> None:
    widths = (100, 239, 240, 479, 480, 500, 640, 960, 20000)
    assert [reduction(w, w * 3 // 4) for w in widths] == [1, 2, 2, 4, 4, 4, 4, 8, 8]


# ---------------------------------------------------------------------------------------- damage


def scan_of(data: bytes) -> int:
    at = data.index(b"\xff\xda")
    return at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")


def flipped(data: bytes, r: random.Random) -> bytes:
    made = bytearray(data)
    for _ in range(20):
        k = r.randrange(scan_of(data) * 8, (len(data) - 2) * 8)
        made[k // 8] ^= 1 << k % 8
    return bytes(made)


def overwritten(data: bytes, r: random.Random) -> bytes:
    k = r.randrange(scan_of(data), len(data) - 66)
    return data[:k] + r.randbytes(64) + data[k + 64 :]


def zeroed(data: bytes, r: random.Random) -> bytes:
    k = r.randrange(scan_of(data), len(data) - 4098)
    return data[:k] + bytes(4096) + data[k + 4096 :]


def cut(data: bytes, r: random.Random) -> bytes:
    return data[: len(data) - len(data) // 100]


@pytest.mark.parametrize(
    ("damage", "least"), [(flipped, 0.95), (overwritten, 0.8), (zeroed, 0.98), (cut, 1.0)]
)
def test_damage_in_the_scan(
    damage: Callable[[bytes, random.Random], bytes], least: float, tmp_path: Path
) -> None:
    r = random.Random(11)
    photos = [Image.fromarray(load_sample_image(n)) for n in ("china.jpg", "flower.jpg")]
    found = []
    for k in range(60):
        x, y = r.randrange(200), r.randrange(120)
        data = saved(photos[k % 2].crop((x, y, x + 400, y + 300)), "JPEG", quality=70 + k % 25)
        assert scanned(data, tmp_path)["error"] == ""
        found.append(scanned(damage(data, r), tmp_path)["error"] != "")
    assert np.mean(found) >= least


def test_colours_that_no_rgb_picture_has_are_damage(tmp_path: Path) -> None:
    """libjpeg warns of nothing here; the healthy twin is the most saturated picture there is."""
    shape = (64, 64)
    y, far = np.full(shape, 250, np.uint8), np.full(shape, 250, np.uint8)
    planted = simplejpeg.encode_jpeg_yuv_planes(y, far, far, quality=95)
    assert opened(planted, "jpg").facts["error"] == ""
    made = scanned(planted, tmp_path)
    assert (made["error"], made["strict_ok"]) == ("damaged", False)
    assert "no RGB picture" in made["error_detail"]
    healthy = Image.new("RGB", (256, 256))
    draw = ImageDraw.Draw(healthy)
    ends = [(r, g, b) for r in (0, 255) for g in (0, 255) for b in (0, 255)]
    for k, colour in enumerate(ends):
        draw.rectangle((k % 4 * 64, k // 4 * 128, k % 4 * 64 + 63, k // 4 * 128 + 127), fill=colour)
    for subsampling in (0, 1, 2):
        for quality in (30, 75, 95):
            data = saved(healthy, "JPEG", quality=quality, subsampling=subsampling)
            assert scanned(data, tmp_path)["error"] == ""


def test_impossible_colours_are_said_of_their_file_and_need_it_to_be_there(tmp_path: Path) -> None:
    """The file is read again for them: a beat tells which one, and it may be gone by then."""
    bright, far = np.full((64, 64), 250, np.uint8), np.full((64, 64), 250, np.uint8)
    planted = simplejpeg.encode_jpeg_yuv_planes(bright, far, far, quality=95)
    sound = saved(PHOTO.crop((0, 0, 64, 64)).convert("L").convert("RGB"), "JPEG")
    paths = [tmp_path / f"{i}.jpg" for i in range(5)]
    for path, data in zip(paths, [sound, planted, sound, planted, sound], strict=True):
        path.write_bytes(data)
    beats: list[int] = []

    def beat(i: int) -> None:
        beats.append(i)
        if beats.count(3) == 2:
            paths[3].unlink(missing_ok=True)

    table = look([FileRef(i, os.fsencode(p)) for i, p in enumerate(paths)], beat).table
    assert table["error"].to_pylist() == ["", "damaged", "", "", ""]
    assert beats == [0, 1, 2, 3, 4, 1, 3]


def test_png_checksums() -> None:
    assert png_problem(PNG) == ""
    at = PNG.index(b"IDAT") + 4
    wrong = PNG[:at] + chunk(b"IDAT", PNG[at : at + 4])[-4:] + PNG[at + 4 :]
    assert "checksum" in png_problem(wrong) or "ends" in png_problem(wrong)
    length = int.from_bytes(PNG[at - 8 : at - 4], "big")
    crc = at + length
    altered = PNG[:crc] + bytes(4) + PNG[crc + 4 :]
    assert "checksum" in png_problem(altered)
    assert error_of(altered, "png") in ("damaged", "undecodable")


# ------------------------------------------------------------------------------- deep and clear


@pytest.mark.parametrize("top", [65535, 4095])
def test_sixteen_bits_are_scaled_not_clipped(top: int) -> None:
    ramp = np.tile(np.linspace(0, top, 100), (50, 1)).astype(np.uint16)
    mine = pixels_of(saved(Image.fromarray(ramp), "PNG"))
    assert np.abs(mine[..., 0] - ramp / 257).max() <= 1


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.0, 255.0), (-3.0, 7.0), (0.0, 65535.0)])
def test_float_pictures_fill_the_range(low: float, high: float) -> None:
    ramp = np.tile(np.linspace(low, high, 100), (50, 1)).astype(np.float32)
    mine = pixels_of(saved(Image.fromarray(ramp), "TIFF"))
    assert mine.min() == 0
    assert mine.max() == 255


def test_transparent_parts_are_grey_for_numbers_and_white_to_the_eye() -> None:
    image = Image.new("RGBA", (100, 100), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 50, 100))
    made = opened(saved(image, "PNG"), "png")
    assert (made.facts["has_alpha"], made.facts["alpha_used"]) == (True, True)
    assert tuple(pixels_of(saved(image, "PNG"))[50, 80]) == (128, 128, 128)
    shown = Image.open(io.BytesIO(made.thumbnail)).convert("RGB").getpixel((80, 50))
    assert isinstance(shown, tuple)
    assert min(shown) > 245
    opaque = opened(saved(image.convert("RGB").convert("RGBA"), "PNG"), "png").facts
    assert (opaque["has_alpha"], opaque["alpha_used"]) == (True, False)


def test_a_broken_exif_block_costs_nothing() -> None:
    sound = saved(PHOTO, "JPEG")
    for body in (b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"):
        segment = b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
        facts = opened(sound[:2] + segment + sound[2:], "jpg").facts
        assert (facts["error"], facts["orientation"]) == ("", 1)


def test_frames_are_counted() -> None:
    frames = [
        PHOTO.resize((40, 30)),
        PHOTO.resize((40, 30)).rotate(90),
        PHOTO.resize((40, 30)).rotate(180),
    ]
    for kind in ("GIF", "PNG", "TIFF", "WEBP"):
        data = saved(frames[0], kind, save_all=True, append_images=frames[1:])
        assert opened(data, "").facts["n_frames"] == 3
