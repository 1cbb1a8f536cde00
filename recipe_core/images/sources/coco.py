"""Which samples and boxes do COCO instance files name?

One JSON file, or all of them in a folder, its `annotations` folder or its split folders
(`instances_*.json` where there are any, since keypoint and caption files repeat their pictures).
The split comes from the file's name (instances_train2017.json), else from its folder. COCO's
x, y, width, height become corners; crowd boxes stay and say so in `place`.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recipe_core.images.sources.listing import folders_in, list_folder, peek
from recipe_core.images.sources.manifest import missing_but_found
from recipe_core.images.sources.source import (
    BoxRows,
    Rows,
    Source,
    below,
    dataset,
    notes_of,
    split_of,
)
from recipe_core.kernel.errors import SourceError
from recipe_core.kernel.nouns import Dataset
from recipe_core.kernel.progress import Progress

ENOUGH = 1 << 20
"""Bytes at either end of a large file that are searched for COCO's keys."""

Corners = tuple[float, float, float, float]


@dataclass
class Reading:
    """What has been read so far, over all JSON files."""

    files: list[bytes] = field(default_factory=list)
    splits: list[str | None] = field(default_factory=list)
    boxes: BoxRows = field(default_factory=BoxRows)
    classes: dict[str, None] = field(default_factory=dict)
    bad: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def recognise(path: Path) -> str | None:
    """A COCO JSON file, or a folder with one."""
    found = _json_files(path)
    return f"{found[0].name} has COCO's images and annotations" if found else None


def read(path: Path, progress: Progress) -> Dataset:
    """The Dataset of one COCO file or a folder of them. Raises SourceError."""
    found = _json_files(path) if path.is_dir() else [path]
    if not found:
        raise SourceError(
            f"{path} holds no COCO file: expected a .json with the keys images, annotations and "
            "categories, in the folder itself or in annotations/."
        )
    root = path if path.is_dir() else _root_of(path)
    listing = list_folder(root, progress)
    pictures = set(listing.pictures)
    reading = Reading()
    for i, file in enumerate(found):
        progress("reading COCO files", i, len(found))
        _read_file(file, root, pictures, reading)
    if not reading.files:
        raise SourceError(f"{found[0]} names no image: expected its key images to list some.")
    gone = missing_but_found(root, reading.files)
    unnamed = sorted(pictures - set(reading.files))
    again = sorted(f for f, k in Counter(reading.files).items() for _ in range(k - 1))
    return dataset(
        root=root,
        name=root.name if path.is_dir() else path.stem,
        form="coco",
        class_names=reading.classes,
        boxes=reading.boxes.table(),
        rows=Rows(reading.files, splits=reading.splits),
        notes=[
            *notes_of(
                ("bad_annotation", "{n} annotations cannot be read and are left out", reading.bad),
                (
                    "bad_annotation",
                    "{n} annotations belong to an image id that is not there",
                    reading.orphans,
                ),
                (
                    "bad_annotation",
                    "{n} annotations have a category id that is not in categories; their "
                    "label is 'id N?'",
                    reading.unknown,
                ),
                (
                    "missing_files",
                    "{n} images do not exist on disk; they stay in the data set and are "
                    "reported as missing",
                    gone,
                ),
                ("duplicate_rows", "{n} images are named more than once; all are kept", again),
                (
                    "other_files",
                    "{n} pictures on disk are in no COCO file and are left out",
                    unnamed,
                ),
            ),
            *(n for n in listing.notes() if n.kind != "other_files"),
        ],
    )


def split_in(file: Path, root: Path) -> str | None:
    """The split that a file's name, else its folder below the root, tells; None where neither."""
    words = re.split(r"[^a-z]+", file.stem.lower())
    named = [w for w in words if split_of(w)]
    if named:
        return named[-1]
    inside = file.parent != root and root in file.parents
    return file.parent.name if inside and split_of(file.parent.name) else None


def _read_file(file: Path, root: Path, pictures: set[bytes], reading: Reading) -> None:
    content = _load(file)
    usable = [isinstance(i, dict) and _name_of(i) != "" for i in content["images"]]
    images = list(itertools.compress(content["images"], usable))
    unusable = (i for i, fine in enumerate(usable) if not fine)
    reading.bad += [f"{file.name} image no. {i + 1}" for i in unusable]
    start = len(reading.files)
    reading.files += _located([_name_of(i) for i in images], file, root, pictures)
    reading.splits += [split_in(file, root)] * len(images)
    rows = {image.get("id"): start + i for i, image in enumerate(images) if _is_id(image.get("id"))}
    sizes = [(_whole(i.get("width")), _whole(i.get("height"))) for i in images]
    names = {
        c["id"]: str(c.get("name", f"id {c['id']}"))
        for c in content.get("categories") or ()
        if isinstance(c, dict) and _is_id(c.get("id"))
    }
    reading.classes |= dict.fromkeys(names.values())
    for i, annotation in enumerate(content.get("annotations") or ()):
        if not isinstance(annotation, dict):
            reading.bad.append(f"{file.name} annotation {i + 1}")
            continue
        place = _place(file, annotation, i)
        row = rows.get(annotation["image_id"]) if _is_id(annotation.get("image_id")) else None
        corners = corners_of(annotation)
        if row is None:
            reading.orphans.append(place)
        elif corners is None:
            reading.bad.append(place)
        else:
            label = _label(annotation.get("category_id"), names, place, reading)
            reading.boxes.add(row, label, corners, place, size=sizes[row - start])


def corners_of(annotation: Mapping[str, Any]) -> Corners | None:
    """xmin, ymin, xmax, ymax of its bbox, else of its polygons; None where it has neither."""
    bbox = annotation.get("bbox")
    if isinstance(bbox, list) and len(bbox) == 4 and all(map(_is_number, bbox)):
        x, y, w, h = map(float, bbox)
        return x, y, x + w, y + h
    polygons = annotation.get("segmentation")
    if bbox or not isinstance(polygons, list):
        return None
    points = [v for p in polygons if isinstance(p, list) for v in p]
    if len(points) < 6 or not all(map(_is_number, points)):
        return None
    xs, ys = points[0::2], points[1::2]
    return float(min(xs)), float(min(ys)), float(max(xs)), float(max(ys))


def _label(category: Any, names: Mapping[Any, str], place: str, reading: Reading) -> str:
    if _is_id(category) and category in names:
        return names[category]
    reading.unknown.append(place)
    return f"id {category}?"


def _place(file: Path, annotation: Mapping[str, Any], i: int) -> str:
    crowd = " (crowd)" if annotation.get("iscrowd") == 1 else ""
    return f"{file.name} annotation {annotation.get('id', f'no. {i + 1}')}{crowd}"


def _located(names: Sequence[str], file: Path, root: Path, pictures: set[bytes]) -> list[bytes]:
    """Files below the root: from the folder that holds most of the named pictures."""
    year = re.sub(r"^(instances|person_keypoints|captions)_", "", file.stem)
    split = split_in(file, root) or ""
    up = file.parent.parent
    folders = dict.fromkeys(
        [
            file.parent,
            *(
                b / d
                for b in dict.fromkeys([root, up])
                for d in ("", "images", year, f"images/{year}", split, f"images/{split}", "data")
            ),
            *(root / os.fsdecode(d) for d in sorted({p.rpartition(b"/")[0] for p in pictures})),
        ]
    )
    encoded = [os.fsencode(n.encode("utf-8", "surrogatepass")) for n in names]
    sample = encoded[:: max(1, len(encoded) // 200)]

    def hits(folder: Path) -> int:
        return sum(below(root, os.fsencode(folder) + b"/" + n) in pictures for n in sample)

    best, most = root, 0
    for folder in folders:
        if (n := hits(folder)) > most:
            best, most = folder, n
        if most == len(sample):
            break
    return [
        below(root, os.fsencode(best) + b"/" + n if not n.startswith(b"/") else n) for n in encoded
    ]


def _json_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if path.suffix.lower() == ".json" and _looks_like_coco(path) else []
    places = [path, path / "annotations", path / "Annotations"]
    places += [p for p in folders_in(path, 1000) if split_of(p.name)]
    found = {
        p.resolve(): p
        for place in places
        for p in peek(place, 5000, ".json")
        if _looks_like_coco(p)
    }
    files = sorted(found.values())
    return [f for f in files if f.name.startswith("instances_")] or files


def _looks_like_coco(path: Path) -> bool:
    try:
        size = path.stat().st_size
        with path.open("rb") as f:
            ends = f.read(ENOUGH)
            if size > ENOUGH:
                f.seek(max(ENOUGH, size - ENOUGH))
                ends += f.read(ENOUGH)
    except OSError:
        return False
    return b'"images"' in ends and (b'"annotations"' in ends or b'"categories"' in ends)


def _load(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except OSError as e:
        raise SourceError(f"{file} cannot be read: {e.strerror}.") from None
    except (ValueError, RecursionError) as e:
        raise SourceError(f"{file} is no JSON, expected a COCO file: {e}.") from None
    keys = ("images", "annotations", "categories")
    if not isinstance(content, dict) or not isinstance(content.get("images"), list):
        seen = (
            ", ".join(map(repr, list(content)[:10])) if isinstance(content, dict) else "no object"
        )
        raise SourceError(
            f"{file} is no COCO file: expected the keys {', '.join(keys)}; found {seen}."
        )
    for key in keys[1:]:
        if not isinstance(content.get(key, []), list):
            raise SourceError(f"{file} is no COCO file: its key {key} must hold a list.")
    return content


def _root_of(file: Path) -> Path:
    return file.parent.parent if file.parent.name.lower() == "annotations" else file.parent


def _name_of(image: Mapping[str, Any]) -> str:
    name = image.get("file_name")
    return name if isinstance(name, str) and "\0" not in name else ""


def _is_id(value: Any) -> bool:
    return isinstance(value, (int, str))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _whole(value: Any) -> int | None:
    usable = _is_number(value) and math.isfinite(value) and 0 < value < 2**31
    return int(value) if usable else None


SOURCE = Source("coco", recognise, read)
