"""How is the sample data made? `python sample_data/make.py DEST`: always the same files.

Real handwritten digits (scikit-learn's bundled copy of the UCI set, 8 × 8 greys) are drawn as ink
on paper, 64 × 64 in colour, as a folder of classes in three splits. Then flaws are planted, one
kind after the other, and every one is a row of truth.csv: path (a folder where the flaw is one of
the whole folder), flaw (id of the check that should find it), kind, detail, group (ties copies
together). A small second set, boxes/, has digits on a canvas with Pascal VOC annotations.
"""

from __future__ import annotations

import csv
import io
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import simplejpeg
from PIL import Image, ImageFilter
from scipy import ndimage
from sklearn.datasets import load_digits

SEED = 20190425
SIDE = 64
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SPLITS = ("train", "validation", "test")
COUNTS = {
    "zero": (130, 22, 22), "one": (135, 23, 23), "two": (125, 22, 22), "three": (125, 22, 22),
    "four": (115, 20, 20), "five": (90, 16, 16), "six": (80, 15, 15), "seven": (60, 12, 12),
    "eight": (30, 5, 12), "nine": (11, 0, 4),
}  # fmt: skip
"""Healthy pictures per digit and split. nine: outnumbered, too few to learn, missing from
validation; eight: too few in validation."""
QUALITY = 88
SHORTCUT_CLASS, SHORTCUT_QUALITY = "seven", 55
"""Every seven is saved at another JPEG quality: a net could tell it by the blocks."""
TEST_EXPOSURE = 0.7
"""The test pictures were taken with less light."""
WRONG_LABELS = 25
"""About 2 % of the pictures lie in the folder of another digit."""
COLUMNS = ("path", "flaw", "kind", "detail", "group")

Pixels = np.ndarray
"""(h, w, 3) uint8 RGB"""


class Flaw(NamedTuple):
    """One row of truth.csv."""

    path: str
    flaw: str
    kind: str
    detail: str = ""
    group: str = ""


@dataclass
class Album:
    """The files made so far, and what is wrong with them. Filled in a fixed order."""

    rng: np.random.Generator
    files: dict[str, bytes] = field(default_factory=dict)
    pixels: dict[str, Pixels] = field(default_factory=dict)
    truth: list[Flaw] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    numbers: dict[str, int] = field(default_factory=dict)
    groups: int = 0


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python sample_data/make.py DEST")
    write(make(), Path(sys.argv[1]))


def make() -> Album:
    """Both sets with their flaws, in memory. Seconds."""
    album = Album(np.random.default_rng(SEED))
    draw_digits(album)
    for plant in PLANTS:
        plant(album)
    draw_boxes(album)
    return album


def write(album: Album, destination: Path) -> None:
    """Replaces digits/, boxes/ and truth.csv in `destination`."""
    for folder in ("digits", "boxes"):
        shutil.rmtree(destination / folder, ignore_errors=True)
    for path, data in album.files.items():
        target = destination / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    (destination / "truth.csv").write_text(truth_csv(album), encoding="utf-8", newline="")


def truth_csv(album: Album) -> str:
    """The planted flaws as CSV, sorted."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows(sorted(album.truth))
    return text.getvalue()


# ---------------------------------------------------------------------------- drawing


def draw_digits(album: Album) -> None:
    """The healthy pictures, apart from the flaws of whole folders and the wrong labels."""
    digits = load_digits()
    stock = {w: list(np.flatnonzero(digits.target == d)) for d, w in enumerate(WORDS)}
    wrong = wrong_labels(album.rng)
    for word, counts in COUNTS.items():
        for split, n in zip(SPLITS, counts, strict=True):
            for i in range(n):
                true = wrong.get((word, split, i), word)
                pixels = draw(digits.images[stock[true].pop(0)], album.rng)
                if split == "test":
                    pixels = exposed(pixels, TEST_EXPOSURE)
                path = add(album, split, word, pixels)
                if true != word:
                    album.used.add(path)
                    album.truth.append(Flaw(path, "label_noise", "wrong_label", f"is a {true}"))
                if word == SHORTCUT_CLASS:
                    detail = f"JPEG quality {SHORTCUT_QUALITY}, other classes {QUALITY}"
                    album.truth.append(Flaw(path, "shortcut", "jpeg_quality", detail))
    album.truth += [
        Flaw("digits/test", "split_drift", "brightness", f"exposure × {TEST_EXPOSURE}"),
        Flaw("digits/validation", "class_balance", "missing", "nine has no sample"),
        Flaw("digits/validation/eight", "class_balance", "too_few", "5 samples"),
        Flaw("digits/test/nine", "class_balance", "too_few", "4 samples"),
        Flaw("digits/train/nine", "class_balance", "outnumbered", "about 12 : 1"),
    ]


def wrong_labels(rng: np.random.Generator) -> dict[tuple[str, str, int], str]:
    """(folder, split, place) -> the digit that is really drawn there.

    From the large classes only, whose stock of unused digits allows it, in all splits.
    """
    places = [(w, s, i) for w in WORDS[:6] for s, n in zip(SPLITS, COUNTS[w], strict=True)
              for i in range(n)]  # fmt: skip
    chosen = rng.choice(len(places), WRONG_LABELS, replace=False)
    spare = ("four", "five", "six", "eight", "nine")
    return {
        places[c]: str(rng.choice([w for w in spare if w != places[c][0]])) for c in sorted(chosen)
    }


def draw(digit: np.ndarray, rng: np.random.Generator, side: int = SIDE) -> Pixels:
    """(8, 8) values 0 … 16 as ink on paper, (side, side, 3)."""
    ink = stroke(digit, rng, side)
    paper, colour = tints(rng)
    light = paper_light(rng, side)[..., None]
    sheet = paper * light
    picture = sheet * (1 - ink[..., None]) + colour * light * ink[..., None]
    return as_bytes(picture + fibres(rng, (side, side)))


def stroke(digit: np.ndarray, rng: np.random.Generator, side: int) -> np.ndarray:
    """(side, side) 0 … 1: how much ink; a little turned, shifted and scaled, as by hand."""
    angle, scale = np.deg2rad(rng.uniform(-14, 14)), 8 / side * rng.uniform(1.05, 1.4)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.full(2, (side - 1) / 2)
    offset = np.full(2, 3.5) - turn @ (middle + rng.uniform(-0.1, 0.1, 2) * side)
    smooth = ndimage.affine_transform(
        digit / 16, turn, offset, output_shape=(side, side), order=3, mode="constant"
    )
    return 1 / (1 + np.exp(-(smooth - 0.42) * 14))


def tints(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Paper and ink, each (3,) RGB 0 … 255: pastel and dark, of hues apart."""
    hue = rng.uniform(0, 1)
    paper = hsv(hue, rng.uniform(0.08, 0.3), rng.uniform(200, 238))
    ink = hsv(hue + rng.uniform(0.3, 0.7), rng.uniform(0.6, 0.95), rng.uniform(50, 110))
    return paper, ink


def hsv(hue: float, saturation: float, value: float) -> np.ndarray:
    """(3,) RGB on the scale of `value`."""
    ramp = np.clip(np.abs((hue * 6 + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
    return value * (1 - saturation + saturation * ramp)


def paper_light(rng: np.random.Generator, side: int) -> np.ndarray:
    """(side, side) about 0.75 … 1.05: light from one side, soft blotches, sometimes ruled lines."""
    y, x = np.mgrid[0:side, 0:side] / side - 0.5
    direction = rng.uniform(0, 2 * np.pi)
    light = 0.94 + rng.uniform(0.05, 0.22) * (x * np.cos(direction) + y * np.sin(direction))
    blotches = ndimage.gaussian_filter(rng.normal(size=(side, side)), side / 10, mode="wrap")
    light = light + 0.06 * blotches / blotches.std()
    if rng.random() < 0.4:
        spacing, start = rng.uniform(0.16, 0.3), rng.uniform(0, 1)
        light = light - 0.12 * (np.abs((y / spacing + start) % 1 - 0.5) < 0.045 / spacing * 0.5)
    return np.clip(light, 0.6, 1.05)


def fibres(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """(h, w, 1) levels: the paper's texture, coarse enough to outlive a JPEG."""
    coarse = ndimage.gaussian_filter(rng.normal(size=shape), 1.3, mode="wrap")
    return (5.0 * coarse / coarse.std() + rng.normal(0, 1.0, shape))[..., None]


def as_bytes(picture: np.ndarray) -> Pixels:
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def exposed(pixels: Pixels, factor: float) -> Pixels:
    """More or less light, in linear light with the usual gamma of 2.2."""
    return as_bytes(255 * np.clip((pixels / 255) ** 2.2 * factor, 0, 1) ** (1 / 2.2))


# ---------------------------------------------------------------------------- files


def add(album: Album, split: str, word: str, pixels: Pixels) -> str:
    """The picture as the next JPEG of its class; returns its path."""
    quality = SHORTCUT_QUALITY if word == SHORTCUT_CLASS else QUALITY
    path = add_file(album, split, word, jpeg(pixels, quality))
    album.pixels[path] = pixels
    return path


def add_file(album: Album, split: str, word: str, data: bytes, ending: str = "jpg") -> str:
    """Any bytes as the next file of a class; returns its path."""
    number = album.numbers.get(word, 0)
    album.numbers[word] = number + 1
    path = f"digits/{split}/{word}/{number:04d}.{ending}"
    album.files[path] = data
    return path


def jpeg(pixels: Pixels, quality: int = QUALITY) -> bytes:
    return saved(Image.fromarray(pixels), "JPEG", quality=quality)


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    data = io.BytesIO()
    image.save(data, form, **options)
    return data.getvalue()


def decoded(data: bytes) -> Pixels:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def fresh(album: Album, split: str, n: int) -> list[str]:
    """`n` paths of untouched pictures of the common classes, which then count as touched."""
    plain = WORDS[:7]
    free = [p for p in album.pixels if p.split("/")[1] == split and p.split("/")[2] in plain
            and p not in album.used]  # fmt: skip
    chosen = [free[i] for i in sorted(album.rng.choice(len(free), n, replace=False))]
    album.used.update(chosen)
    return chosen


def replace_with(album: Album, path: str, data: bytes, ending: str = "jpg") -> str:
    """Other bytes in a picture's place (under another ending where asked); returns the path."""
    del album.files[path]
    album.pixels.pop(path)
    path = f"{path.rpartition('.')[0]}.{ending}"
    album.files[path] = data
    album.used.add(path)
    return path


def word_of(path: str) -> str:
    return path.split("/")[2]


# ---------------------------------------------------------------------------- copies


def tie(album: Album, checks: tuple[str, ...], kind: str, paths: list[str]) -> None:
    """These files are copies of one another: a row per file and check, one group."""
    album.groups += 1
    for check in checks:
        for path in paths:
            others = ", ".join(p.removeprefix("digits/") for p in paths if p != path)
            album.truth.append(Flaw(path, check, kind, f"copy of {others}", str(album.groups)))


def copy_into(album: Album, split: str, word: str, data: bytes, ending: str = "jpg") -> str:
    copy = add_file(album, split, word, data, ending)
    album.used.add(copy)
    return copy


def plant_byte_copies(album: Album) -> None:
    for i, path in enumerate(fresh(album, "train", 6)):
        copies = [copy_into(album, "train", word_of(path), album.files[path])
                  for _ in range(2 if i == 0 else 1)]  # fmt: skip
        tie(album, ("exact_duplicates",), "bytes", [path, *copies])


def plant_pixel_copies(album: Album) -> None:
    for path in fresh(album, "train", 4):
        again = saved(Image.fromarray(decoded(album.files[path])), "PNG", optimize=True)
        copy = copy_into(album, "train", word_of(path), again, "png")
        tie(album, ("exact_duplicates",), "pixels", [path, copy])


EDITS: dict[str, Callable[[Image.Image], bytes]] = {
    "recompressed": lambda im: saved(im, "JPEG", quality=75),
    "brightened": lambda im: jpeg(as_bytes(np.asarray(im) * 1.12)),
    "mirrored": lambda im: saved(im.transpose(Image.Transpose.FLIP_LEFT_RIGHT), "JPEG", quality=88),
    "turned": lambda im: saved(im.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=88),
    "resized": lambda im: saved(im.resize((80, 80), Image.Resampling.LANCZOS), "JPEG", quality=88),
    "cropped": lambda im: saved(im.crop((1, 1, 63, 63)), "JPEG", quality=88),
}  # fmt: skip


def plant_near_copies(album: Album) -> None:
    for kind, edit in EDITS.items():
        for path in fresh(album, "train", 3):
            data = edit(Image.fromarray(decoded(album.files[path])))
            copy = copy_into(album, "train", word_of(path), data)
            tie(album, ("near_duplicates",), kind, [path, copy])


def plant_leaks(album: Album) -> None:
    for split, n in (("validation", 3), ("test", 5)):
        for path in fresh(album, "train", n):
            copy = copy_into(album, split, word_of(path), album.files[path])
            tie(album, ("exact_duplicates", "split_leak"), "bytes", [path, copy])
    for path in fresh(album, "train", 4):
        data = EDITS["recompressed"](Image.fromarray(decoded(album.files[path])))
        copy = copy_into(album, "test", word_of(path), data)
        tie(album, ("near_duplicates", "split_leak"), "recompressed", [path, copy])


def plant_conflicts(album: Album) -> None:
    for i, path in enumerate(fresh(album, "train", 6)):
        other = WORDS[(WORDS.index(word_of(path)) + 1) % 7]
        if i < 4:
            copy = copy_into(album, "train", other, album.files[path])
            tie(album, ("exact_duplicates", "conflicting_labels"), "bytes", [path, copy])
        else:
            data = EDITS["recompressed"](Image.fromarray(decoded(album.files[path])))
            copy = copy_into(album, "train", other, data)
            tie(album, ("near_duplicates", "conflicting_labels"), "recompressed", [path, copy])
        album.truth.append(Flaw(copy, "label_noise", "wrong_label", f"is a {word_of(path)}"))


# ---------------------------------------------------------------------------- broken files


def not_found(data: bytes) -> bytes:
    """The page that a server sends instead of a picture, and a downloader saves under its name."""
    return (
        "<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head>\n<body><h1>Not Found</h1>"
        f"<p>/photos/{len(data)}.jpg was not found on this server.</p></body></html>\n"
    ).encode()


def plant_corrupt(album: Album) -> None:
    flaws: list[tuple[str, Callable[[bytes], bytes]]] = [
        ("empty", lambda data: b""), ("empty", lambda data: b""),
        ("truncated", lambda data: data[: len(data) * 6 // 10]),
        ("truncated", lambda data: data[: len(data) * 9 // 10]),
        ("truncated", lambda data: data[: len(data) * 3 // 10]),
        ("not_an_image", not_found), ("not_an_image", not_found),
        ("wrong_magic", lambda data: data[:2] + bytes(reversed(data[2:]))),
        ("damaged", lambda data: damaged(data, album.rng)),
        ("damaged", lambda data: damaged(data, album.rng)),
        ("damaged", lambda data: damaged(data, album.rng)),
    ]  # fmt: skip
    for (kind, break_it), path in zip(flaws, fresh(album, "train", len(flaws)), strict=True):
        replace_with(album, path, break_it(album.files[path]))
        album.truth.append(Flaw(path, "corruption", kind))


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Twenty bits of the scan flipped so that Pillow loads it and a strict decoder objects."""
    start = data.index(b"\xff\xda") + 14
    while True:
        broken = bytearray(data)
        for place in rng.integers(start, len(data) - 2, 20):
            broken[place] ^= 1 << int(rng.integers(8))
        if loads(bytes(broken)) and not strictly_loads(bytes(broken)):
            return bytes(broken)


def loads(data: bytes) -> bool:
    try:
        Image.open(io.BytesIO(data)).load()
    except (OSError, ValueError, SyntaxError):
        return False
    return True


def strictly_loads(data: bytes) -> bool:
    try:
        simplejpeg.decode_jpeg(data, strict=True)
    except ValueError:
        return False
    return True


# ---------------------------------------------------------------------------- odd formats


def plant_formats(album: Album) -> None:
    makers: list[tuple[str, str, Callable[[Pixels], bytes]]] = [
        ("wrong_extension", "jpg", lambda px: saved(Image.fromarray(px), "PNG")),
        ("wrong_extension", "png", jpeg),
        ("cmyk", "jpg", cmyk),
        ("palette", "png", lambda px: saved(Image.fromarray(px).quantize(32), "PNG")),
        ("sixteen_bit", "png", sixteen_bit),
        ("alpha", "png", with_alpha), ("alpha", "png", with_alpha),
        ("animated", "gif", animated),
        ("grey_as_rgb", "jpg", grey_as_rgb), ("grey_as_rgb", "jpg", grey_as_rgb),
        ("orientation", "jpg", lambda px: turned(px, 6)),
        ("orientation", "jpg", lambda px: turned(px, 3)),
        ("orientation", "jpg", lambda px: turned(px, 8)),
    ]  # fmt: skip
    chosen = fresh(album, "train", len(makers))
    for (kind, ending, make_bytes), path in zip(makers, chosen, strict=True):
        path = replace_with(album, path, make_bytes(album.pixels[path]), ending)  # noqa: PLW2901
        album.truth.append(Flaw(path, "format_forensics", kind))


def cmyk(pixels: Pixels) -> bytes:
    return saved(Image.fromarray(pixels).convert("CMYK"), "JPEG", quality=QUALITY)


def sixteen_bit(pixels: Pixels) -> bytes:
    grey = pixels.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    return saved(Image.fromarray((grey * 257).astype(np.uint16)), "PNG")


def with_alpha(pixels: Pixels) -> bytes:
    y, x = np.mgrid[0:SIDE, 0:SIDE] - (SIDE - 1) / 2
    alpha = np.where(np.hypot(x, y) < SIDE * 0.49, 255, 0).astype(np.uint8)
    return saved(Image.fromarray(np.dstack([pixels, alpha])), "PNG")


def animated(pixels: Pixels) -> bytes:
    frames = [Image.fromarray(np.roll(pixels, shift, axis=1)).quantize(32) for shift in (0, 1, 2)]
    return saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=200, loop=0)


def grey_as_rgb(pixels: Pixels) -> bytes:
    return saved(Image.fromarray(pixels).convert("L").convert("RGB"), "JPEG", quality=QUALITY)


def turned(pixels: Pixels, orientation: int) -> bytes:
    """Stored turned, with the EXIF tag that turns it back."""
    back = {
        3: Image.Transpose.ROTATE_180,
        6: Image.Transpose.ROTATE_90,
        8: Image.Transpose.ROTATE_270,
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(pixels).transpose(back[orientation])
    return saved(image, "JPEG", quality=QUALITY, exif=exif)


# ---------------------------------------------------------------------------- poor pictures


def plant_quality(album: Album) -> None:
    flaws: list[tuple[str, int, Callable[[Pixels], Pixels]]] = [
        ("dark", 4, lambda px: as_bytes(px * 0.12)),
        ("light", 4, lambda px: as_bytes(255 - (255 - px.astype(np.float64)) * 0.2)),
        ("blurry", 4, blurred),
        ("blank", 3, lambda px: np.full_like(px, px[0, 0])),
        ("borders", 3, letterboxed),
        ("half_grey", 2, half_grey),
        ("odd_aspect", 2, lambda px: resized(px, 240, 64)),
        ("odd_size", 2, lambda px: resized(px, 11, 11)),
        ("odd_size", 1, lambda px: resized(px, 420, 420)),
    ]
    for kind, n, spoil in flaws:
        for path in fresh(album, "train", n):
            replace_with(album, path, jpeg(spoil(album.pixels[path])))
            album.truth.append(Flaw(path, "image_quality", kind))


def blurred(pixels: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(4)))


def letterboxed(pixels: Pixels) -> Pixels:
    """Shrunk between two black bars."""
    framed = np.zeros_like(pixels)
    framed[14:50] = resized(pixels, SIDE, 36)
    return framed


def half_grey(pixels: Pixels) -> Pixels:
    """The lower part as a decoder leaves it where the data stopped, and then saved anew."""
    cut = pixels.copy()
    cut[36:] = 128
    return cut


def resized(pixels: Pixels, width: int, height: int) -> Pixels:
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))


PLANTS: tuple[Callable[[Album], None], ...] = (
    plant_byte_copies, plant_pixel_copies, plant_near_copies, plant_leaks, plant_conflicts,
    plant_corrupt, plant_formats, plant_quality,
)  # fmt: skip


# ---------------------------------------------------------------------------- boxes

CANVAS = (144, 108)
N_CANVASES = 30


class Box(NamedTuple):
    """One annotated object, corners in pixels."""

    name: str
    xmin: int
    ymin: int
    xmax: int
    ymax: int


def draw_boxes(album: Album) -> None:
    """boxes/images/NN.jpg and boxes/annotations/NN.xml with planted annotation faults."""
    digits = load_digits()
    order = iter(album.rng.permutation(len(digits.target)))
    for i in range(N_CANVASES):
        pixels, boxes = canvas(digits, order, album.rng)
        path, size = f"boxes/images/{i:02d}.jpg", CANVAS
        kind, spoil = BOX_FAULTS.get(i, ("", None))
        if spoil is not None:
            boxes, size = spoil(boxes, size)
            album.truth.append(Flaw(path, "annotations", kind))
        album.files[path] = jpeg(pixels)
        album.files[f"boxes/annotations/{i:02d}.xml"] = voc(f"{i:02d}.jpg", boxes, size)


def canvas(
    digits: object, order: Iterator[int], rng: np.random.Generator
) -> tuple[Pixels, list[Box]]:
    """Two to four digits on one sheet, each in a column of its own, and their boxes."""
    width, height = CANVAS
    n = int(rng.integers(2, 5))
    paper, colour = tints(rng)
    light = paper_light(rng, width)[:height]
    ink = np.zeros((height, width))
    boxes = []
    for k in range(n):
        index, side = next(order), int(rng.integers(30, 36))
        x, y = (
            k * width // n + int(rng.integers(0, width // n - side + 1)),
            int(rng.integers(2, height - side - 2)),
        )
        mark = stroke(digits.images[index], rng, side)  # type: ignore[attr-defined]
        ink[y : y + side, x : x + side] = np.maximum(ink[y : y + side, x : x + side], mark)
        ys, xs = np.nonzero(mark > 0.5)
        name = WORDS[digits.target[index]]  # type: ignore[attr-defined]
        boxes.append(
            Box(
                name,
                x + int(xs.min()),
                y + int(ys.min()),
                x + int(xs.max()) + 1,
                y + int(ys.max()) + 1,
            )
        )
    sheet = (paper * (1 - ink[..., None]) + colour * ink[..., None]) * light[..., None]
    return as_bytes(sheet + fibres(rng, (height, width))), boxes


Spoiled = tuple[list[Box], tuple[int, int]]


def _outside(boxes: list[Box], size: tuple[int, int]) -> Spoiled:
    return [boxes[0]._replace(xmin=size[0] - 20, xmax=size[0] + 25), *boxes[1:]], size


def _degenerate(boxes: list[Box], size: tuple[int, int]) -> Spoiled:
    return [boxes[0]._replace(xmax=boxes[0].xmin), *boxes[1:]], size


def _duplicate(boxes: list[Box], size: tuple[int, int]) -> Spoiled:
    return [*boxes, boxes[0]], size


def _tiny(boxes: list[Box], size: tuple[int, int]) -> Spoiled:
    first = boxes[0]
    return [*boxes, first._replace(xmax=first.xmin + 1, ymax=first.ymin + 1)], size


def _inverted(boxes: list[Box], size: tuple[int, int]) -> Spoiled:
    first = boxes[0]
    return [first._replace(xmin=first.xmax, xmax=first.xmin), *boxes[1:]], size


def _wrong_size(boxes: list[Box], size: tuple[int, int]) -> Spoiled:
    return boxes, (size[0] * 2, size[1] * 2)


def _none(boxes: list[Box], size: tuple[int, int]) -> Spoiled:
    return [], size


BOX_FAULTS: dict[int, tuple[str, Callable[[list[Box], tuple[int, int]], Spoiled]]] = {
    3: ("outside", _outside), 6: ("degenerate", _degenerate), 9: ("duplicate", _duplicate),
    12: ("tiny", _tiny), 15: ("inverted", _inverted), 18: ("wrong_size", _wrong_size),
    21: ("no_boxes", _none),
}  # fmt: skip


def voc(name: str, boxes: list[Box], size: tuple[int, int]) -> bytes:
    """A Pascal VOC annotation."""
    objects = "".join(
        f"  <object>\n    <name>{b.name}</name>\n    <bndbox>"
        f"<xmin>{b.xmin}</xmin><ymin>{b.ymin}</ymin><xmax>{b.xmax}</xmax><ymax>{b.ymax}</ymax>"
        f"</bndbox>\n  </object>\n"
        for b in boxes
    )
    return (
        f"<annotation>\n  <folder>images</folder>\n  <filename>{name}</filename>\n"
        f"  <size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>\n"
        f"{objects}</annotation>\n"
    ).encode()


if __name__ == "__main__":
    main()
