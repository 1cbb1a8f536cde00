"""Which samples and boxes does a YOLO data set name?

A data.yaml (names, train, val, test, path), or images/ and labels/ with one text file per picture.
A line is `class cx cy w h` in shares of the picture's sides, `class x1 y1 x2 y2 …` for a polygon
(its bounding box is kept), or a box and keypoints where the yaml has kpt_shape. A picture without
a text file is a sample without boxes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
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
    natural,
    notes_of,
    readable,
    split_of,
)
from recipe_core.kernel.errors import SourceError
from recipe_core.kernel.nouns import Dataset, Note
from recipe_core.kernel.progress import Progress

YAML_NAMES = ("data.yaml", "dataset.yaml", "data.yml", "dataset.yml")
SPLIT_KEYS = ("train", "val", "valid", "validation", "test")
LISTS = ("classes.txt", "obj.names", "labels.txt", "predefined_classes.txt")
"""Text files that name classes, one a line; not labels of a picture."""

_NUMBERS = re.compile(rb"^[\d\s.eE+-]+$")

Corners = tuple[float, float, float, float]


@dataclass(frozen=True)
class Config:
    """What a data.yaml says. `parts`: (split, folders or list files), as written."""

    names: Mapping[int, str]
    parts: tuple[tuple[str, tuple[str, ...]], ...]
    base: str
    keypoints: bool


@dataclass
class Reading:
    """What has been read so far."""

    files: list[bytes] = field(default_factory=list)
    splits: list[str | None] = field(default_factory=list)
    boxes: BoxRows = field(default_factory=BoxRows)
    bad: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    labels: set[bytes] = field(default_factory=set)


def recognise(path: Path) -> str | None:
    """A yaml with names and splits, or label files beside images/ or beside the pictures."""
    if path.is_file():
        told = path.suffix.lower() in (".yaml", ".yml") and _is_config(path)
        return "it has YOLO's names and split folders" if told else None
    if not path.is_dir():
        return None
    yaml = next((path / n for n in YAML_NAMES if _is_config(path / n)), None)
    if yaml is not None:
        return f"{yaml.name} has YOLO's names and split folders"
    label = next(
        (p for folder in _label_folders(path) for p in peek(folder, 500, ".txt") if _is_label(p)),
        None,
    )
    return None if label is None else f"{label.parent.relative_to(path)}/ holds YOLO label files"


def read(path: Path, progress: Progress) -> Dataset:
    """The Dataset of a YOLO folder or yaml. Raises SourceError."""
    yaml = (
        path
        if path.is_file()
        else next((path / n for n in YAML_NAMES if (path / n).is_file()), None)
    )
    root = path if path.is_dir() else path.parent
    config = read_config(yaml) if yaml is not None else Config(_listed_names(root), (), "", False)
    reading = Reading()
    if config.parts:
        _list_parts(root, config, reading, progress)
    else:
        _list_whole(root, reading, progress)
    if not reading.files:
        looked = ", ".join(reading.absent) or str(root)
        raise SourceError(
            f"No picture found for {path}: looked in {looked}. Expected images/train, "
            "images/val … beside labels/, or the paths train, val and test in data.yaml."
        )
    gone = missing_but_found(root, reading.files)
    _read_labels(root, config, reading, progress)
    return dataset(
        root=root,
        name=root.name or "root",
        form="yolo",
        boxes=reading.boxes.table(),
        class_names=_class_names(config, reading),
        rows=Rows(reading.files, splits=reading.splits),
        notes=[
            *reading.notes,
            *notes_of(
                (
                    "missing_files",
                    "{n} listed pictures do not exist; they stay in the data set and are "
                    "reported as missing",
                    gone,
                ),
                ("missing_files", "{n} paths of the yaml do not exist", reading.absent),
                (
                    "bad_annotation",
                    "{n} label lines or files cannot be read and are left out",
                    reading.bad,
                ),
                (
                    "bad_annotation",
                    "{n} boxes have a class number without a name; their label is 'class N?'",
                    reading.unknown,
                ),
                ("bad_annotation", "{n} label files have no picture", _unused(root, reading)),
            ),
        ],
    )


def _class_names(config: Config, reading: Reading) -> list[str]:
    """The names that the yaml lists; without any, those that the boxes got from their numbers."""
    listed = list(dict.fromkeys(config.names[i] for i in sorted(config.names)))
    return listed or sorted(reading.boxes.labels(), key=natural)


def read_config(file: Path) -> Config:
    """The content of a data.yaml. Raises SourceError where it is no such file."""
    content = _yaml(file)
    if not isinstance(content, dict) or "names" not in content:
        raise SourceError(f"{file} is no YOLO data.yaml: expected the keys names and train.")
    names = content["names"]
    try:
        pairs = names.items() if isinstance(names, dict) else enumerate(names or ())
        named = {int(k): str(v) for k, v in pairs}
    except (TypeError, ValueError):
        raise SourceError(f"{file}: names must be a list, or map class numbers to names.") from None
    parts = tuple((k, _strings(content[k])) for k in SPLIT_KEYS if content.get(k))
    return Config(named, parts, str(content.get("path") or ""), "kpt_shape" in content)


def corners_of(values: Sequence[float], keypoints: bool) -> Corners | None:
    """xmin, ymin, xmax, ymax as shares from what follows the class; None for a wrong count.

    A sixth number (a confidence, as prediction files have it) is passed over.
    """
    if keypoints or len(values) in (4, 5):
        if len(values) < 4:
            return None
        cx, cy, w, h = values[:4]
        return cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2
    if len(values) < 6 or len(values) % 2:
        return None
    return min(values[0::2]), min(values[1::2]), max(values[0::2]), max(values[1::2])


def label_file(picture: bytes) -> bytes:
    """Where a picture's labels lie: the last folder `images` becomes `labels`, the ending .txt."""
    head, found, tail = picture.rpartition(b"/images/")
    moved = head + b"/labels/" + tail if found else picture
    if not found and picture.startswith(b"images/"):
        moved = b"labels/" + picture[len(b"images/") :]
    folder, slash, name = moved.rpartition(b"/")
    return folder + slash + (name.rpartition(b".")[0] or name) + b".txt"


def _list_parts(root: Path, config: Config, reading: Reading, progress: Progress) -> None:
    for split, places in config.parts:
        for written in places:
            place = _existing(root, config.base, written)
            if place is None:
                reading.absent.append(f"{split}: {written}")
            else:
                found = (
                    _listed(root, place) if place.is_file() else _in(root, place, reading, progress)
                )
                reading.files += found
                reading.splits += [split] * len(found)


def _list_whole(root: Path, reading: Reading, progress: Progress) -> None:
    """All pictures below the root; the split is the first folder with a usual split name."""
    reading.files += _in(root, root, reading, progress)
    for file in reading.files:
        parts = [readable(p) for p in file.split(b"/")[:-1]]
        reading.splits.append(next((p for p in parts if split_of(p)), None))


def _in(root: Path, place: Path, reading: Reading, progress: Progress) -> list[bytes]:
    listing = list_folder(place, progress)
    reading.notes += [n for n in listing.notes() if n.kind != "other_files"]
    base = os.fsencode(place) + b"/"
    texts = {below(root, base + f) for f in listing.others if f.endswith(b".txt")}
    reading.labels |= {t for t in texts if os.path.basename(t).decode("latin-1") not in LISTS}  # noqa: PTH119
    strange = [f for f in listing.others if not f.endswith((b".txt", b".yaml", b".yml", b".cache"))]
    reading.notes += notes_of(
        ("other_files", "{n} files are neither pictures nor labels and are left out", strange)
    )
    return [below(root, base + f) for f in listing.pictures]


def _listed(root: Path, file: Path) -> list[bytes]:
    """Pictures named in a text file, one a line, relative to it (./) or to the root."""
    names = [line.strip() for line in file.read_bytes().splitlines() if line.strip()]
    base = os.fsencode(file.parent)
    full = [base + b"/" + n if n.startswith(b"./") else n for n in names]
    return [below(root, n) for n in full]


def _existing(root: Path, base: str, written: str) -> Path | None:
    """The path that the yaml means; exports often carry the paths of another machine."""
    stripped = re.sub(r"^(\.\./)+", "", written)  # Roboflow writes ../train/images for train/images
    for p in (root / base / written, root / written, root / stripped):
        if p.exists():
            return Path(os.path.abspath(p))  # noqa: PTH100  resolve() would follow links
    return None


def _read_labels(root: Path, config: Config, reading: Reading, progress: Progress) -> None:
    base = os.fsencode(root)
    for row, file in enumerate(reading.files):
        if row % 1000 == 0:
            progress("reading labels", row, len(reading.files))
        label = label_file(file)
        try:
            with open(os.path.join(base, label), "rb") as f:  # noqa: PTH123
                lines = f.read().splitlines()
        except FileNotFoundError:
            continue
        except OSError as e:
            reading.bad.append(f"{readable(label)}: {e.strerror}")
            continue
        for i, line in enumerate(lines):
            if line.strip():
                _read_line(line, row, f"{readable(label)}:{i + 1}", config, reading)


def _read_line(line: bytes, row: int, place: str, config: Config, reading: Reading) -> None:
    try:
        number, *values = map(float, line.split())
        index = int(number)
    except (ValueError, OverflowError):
        reading.bad.append(place)
        return
    corners = corners_of(values, config.keypoints)
    if corners is None or index != number:
        reading.bad.append(place)
        return
    label = config.names.get(index)
    if label is None:
        label = f"class {index}?" if config.names else f"class {index}"
        if config.names:
            reading.unknown.append(place)
    reading.boxes.add(row, label, corners, place, relative=True)


def _unused(root: Path, reading: Reading) -> list[bytes]:
    """Label files that no picture claims, in the folders read and in labels/."""
    labels = set(reading.labels)
    folders = {f.rpartition(b"/")[0] for f in map(label_file, reading.files)}
    for folder in folders:
        at = root / os.fsdecode(folder)
        found = peek(at, 10_000_000, ".txt")
        labels |= {below(root, os.fsencode(p)) for p in found if p.suffix == ".txt"}
    claimed = {label_file(f) for f in reading.files}
    own = {n.encode() for n in LISTS} | {f"{s}.txt".encode() for s in SPLIT_KEYS}
    return sorted(t for t in labels - claimed if t.rpartition(b"/")[2] not in own)


def _listed_names(root: Path) -> dict[int, str]:
    for folder in (root, root / "labels"):
        for name in LISTS:
            if (folder / name).is_file():
                text = (folder / name).read_text(encoding="utf-8", errors="backslashreplace")
                return dict(enumerate(line.strip() for line in text.splitlines() if line.strip()))
    return {}


def _label_folders(root: Path) -> Iterable[Path]:
    """Where label files may lie: labels/, labels/train, train/labels, else beside the pictures."""
    tops = folders_in(root, 200)
    for folder in [root / "labels", *tops]:
        if folder.name == "labels" and (root / "images").is_dir():
            yield folder
            yield from folders_in(folder, 50)
        elif split_of(folder.name) and (folder / "labels").is_dir():
            yield folder / "labels"
    if any((root / n).is_file() for n in LISTS):
        yield root
        yield from tops


def _is_label(path: Path) -> bool:
    """A text file whose first line is a class number and four or more numbers."""
    if path.suffix != ".txt" or path.name in LISTS:
        return False
    try:
        with path.open("rb") as f:
            first = f.readline(1 << 16)
        values = [float(v) for v in first.split()] if _NUMBERS.match(first) else []
    except (OSError, ValueError):
        return False
    return len(values) >= 5 and values[0] == int(values[0])


def _is_config(path: Path) -> bool:
    try:
        content = _yaml(path) if path.is_file() else None
    except SourceError:
        return False
    return (
        isinstance(content, dict) and "names" in content and any(k in content for k in SPLIT_KEYS)
    )


def _yaml(file: Path) -> Any:
    import yaml

    try:
        return yaml.safe_load(file.read_bytes())
    except OSError as e:
        raise SourceError(f"{file} cannot be read: {e.strerror}.") from None
    except (yaml.YAMLError, ValueError, RecursionError) as e:
        raise SourceError(f"{file} is not valid YAML: {' '.join(str(e).split())}.") from None


def _strings(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)


SOURCE = Source("yolo", recognise, read)
