"""Which boxes does annotations have to name? Impossible ones, beside honest ones of every size.

The honest boxes touch the picture's border as VOC counts it (xmin 1, xmax == width), overlap
without being the same, and one is a close-up that fills its picture.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from tests.planted.plant import Plant

WIDTH, HEIGHT = 160, 120
N = 10
BAD = (3, 7)

Box = tuple[str, float, float, float, float]
HONEST: tuple[Box, ...] = (
    ("cat", 1, 1, 80, 60),
    ("dog", 60, 40, WIDTH, HEIGHT),
    ("cat", 90, 10, 120, 35),
    ("cat", 96, 10, 126, 35),
)
CLOSE_UP: Box = ("dog", 1, 1, WIDTH, HEIGHT)


def picture(seed: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(40, 216, (12, 16, 3), dtype=np.uint8))
    return coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)


def boxes_of(i: int) -> list[Box]:
    return [CLOSE_UP] if i == 0 else list(HONEST[: 1 + i % len(HONEST)])


def write_voc(
    folder: Path, boxes: Sequence[Sequence[Box]], sizes: Sequence[tuple[int, int]]
) -> None:
    for name in ("JPEGImages", "Annotations"):
        (folder / name).mkdir()
    for i, (objects, size) in enumerate(zip(boxes, sizes, strict=True)):
        picture(i).save(folder / "JPEGImages" / f"{i:02}.jpg", quality=92)
        text = "".join(
            f"<object><name>{label}</name><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin>"
            f"<xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>"
            for label, x0, y0, x1, y1 in objects
        )
        (folder / "Annotations" / f"{i:02}.xml").write_text(
            f"<annotation><filename>{i:02}.jpg</filename><size><width>{size[0]}</width>"
            f"<height>{size[1]}</height></size>{text}</annotation>"
        )


def write_coco(
    folder: Path, boxes: Sequence[Sequence[Box]], category: Callable[[int], int]
) -> None:
    """COCO counts from 0, so the honest boxes end one pixel before the border."""
    numbers = {"cat": 1, "dog": 2}
    annotations = [
        {
            "id": i * 100 + j,
            "image_id": i,
            "category_id": category(i) if j == 0 else numbers[label],
            "bbox": [x0 - 1, y0 - 1, x1 - x0, y1 - y0],
        }
        for i, objects in enumerate(boxes)
        for j, (label, x0, y0, x1, y1) in enumerate(objects)
    ]
    images = [
        {"id": i, "file_name": f"{i:02}.jpg", "width": WIDTH, "height": HEIGHT}
        for i in range(len(boxes))
    ]
    names = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    (folder / "annotations").mkdir()
    (folder / "images").mkdir()
    content = {"images": images, "annotations": annotations, "categories": names}
    (folder / "annotations" / "instances.json").write_text(json.dumps(content))
    for i in range(len(boxes)):
        picture(i).save(folder / "images" / f"{i:02}.jpg", quality=92)


def _healthy(folder: Path) -> None:
    write_voc(folder, [boxes_of(i) for i in range(N)], [(WIDTH, HEIGHT)] * N)


def _voc_plant(name: str, verdict: str, *added: Box) -> Plant:
    """Boxes added to the pictures of BAD."""

    def fault(folder: Path) -> None:
        boxes = [boxes_of(i) + (list(added) if i in BAD else []) for i in range(N)]
        write_voc(folder, boxes, [(WIDTH, HEIGHT)] * N)

    named = frozenset(f"JPEGImages/{i:02}.jpg" for i in BAD)
    return Plant(name, fault, _healthy, named, frozenset({verdict}))


def _size_plant(name: str, verdict: str, size: tuple[int, int]) -> Plant:
    def fault(folder: Path) -> None:
        sizes = [size if i in BAD else (WIDTH, HEIGHT) for i in range(N)]
        write_voc(folder, [boxes_of(i) for i in range(N)], sizes)

    named = frozenset(f"JPEGImages/{i:02}.jpg" for i in BAD)
    return Plant(name, fault, _healthy, named, frozenset({verdict}))


def _all_whole(folder: Path) -> None:
    write_voc(folder, [[("dog", 1, 1, WIDTH, HEIGHT)] for _ in range(N)], [(WIDTH, HEIGHT)] * N)


def _coco_healthy(folder: Path) -> None:
    write_coco(folder, [boxes_of(i) for i in range(N)], lambda i: 1)


def _coco_unknown(folder: Path) -> None:
    write_coco(folder, [boxes_of(i) for i in range(N)], lambda i: 17 if i in BAD else 1)


PLANTS = (
    _voc_plant("box without width", "fail", ("cat", 30, 30, 30, 60)),
    _voc_plant("box with its corners swapped", "fail", ("cat", 90, 60, 30, 20)),
    _voc_plant("box wholly outside", "fail", ("cat", WIDTH + 40, 10, WIDTH + 90, 60)),
    _voc_plant("box sticking out", "warn", ("cat", 120, 80, WIDTH + 30, 110)),
    _voc_plant("box drawn twice", "warn", ("cat", 1, 1, 80.5, 60)),
    _voc_plant("box drawn twice with two labels", "warn", ("dog", 1, 1, 80, 60)),
    _voc_plant("box of one pixel", "warn", ("dog", 20, 100, 21, 101)),
    _size_plant("picture was halved", "warn", (2 * WIDTH, 2 * HEIGHT)),
    _size_plant("width and height swapped", "fail", (HEIGHT, WIDTH)),
    Plant("label of no class", _coco_unknown, _coco_healthy,
          frozenset(f"images/{i:02}.jpg" for i in BAD), frozenset({"fail"})),
    Plant("every box is its whole picture", _all_whole, _healthy, frozenset()),
)  # fmt: skip
