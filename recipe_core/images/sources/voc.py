"""Which samples and boxes do Pascal VOC annotations (one XML file per picture) name?

Annotations/*.xml beside JPEGImages or images, or XML files beside their pictures. A picture
belongs to the XML file of its stem, else to the one that names it in `filename`; a picture without
one is a sample without boxes. Splits: ImageSets/Main/{train,val,test}.txt, else split folders.
Coordinates are kept as given: VOC counts pixels from 1 and includes the last (xmax == width is
inside); many tools that write VOC count from 0. XML that declares a document type or entities is
refused, since entities can be made to fill the memory.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from recipe_core.images.sources.listing import Listing, folders_in, list_folder, peek
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
from recipe_core.kernel.nouns import Dataset
from recipe_core.kernel.progress import Progress

CORNERS = ("xmin", "ymin", "xmax", "ymax")


@dataclass
class Reading:
    """What has been read so far, over all XML files."""

    files: list[bytes]
    boxes: BoxRows = field(default_factory=BoxRows)
    bad: list[str] = field(default_factory=list)
    gone: list[bytes] = field(default_factory=list)
    again: list[bytes] = field(default_factory=list)


@dataclass(frozen=True)
class Index:
    """The pictures on disk, and where in that list a stem or a name is found."""

    files: tuple[bytes, ...]
    by_stem: Mapping[bytes, list[int]]
    by_name: Mapping[bytes, list[int]]


def recognise(path: Path) -> str | None:
    """A folder with VOC annotations in Annotations/, beside the pictures or in split folders."""
    if not path.is_dir():
        return None
    inner = folders_in(path, 200)
    named = [p for p in inner if p.name.lower() == "annotations"]
    for folder in [*named, path, *inner]:
        xml = next((p for p in peek(folder, 2000, ".xml") if _is_annotation(p)), None)
        if xml is not None:
            place = "it" if folder == path else f"{folder.name}/"
            return f"{place} holds Pascal VOC annotations (XML)"
    return None


def read(path: Path, progress: Progress) -> Dataset:
    """The Dataset of a VOC folder. Raises SourceError where there is no XML file."""
    listing = list_folder(path, progress) if path.is_dir() else Listing()
    xml = [f for f in listing.others if f.lower().endswith(b".xml")]
    if not xml:
        raise SourceError(
            f"{path} holds no XML file: expected Pascal VOC, one per picture, in Annotations/ "
            "(with the pictures in JPEGImages/ or images/) or beside the pictures."
        )
    reading = Reading(list(listing.pictures))
    _read_annotations(path, xml, reading, progress)
    others = [f for f in listing.others if not f.lower().endswith(b".xml")]
    others = [f for f in others if not f.startswith(b"ImageSets/")]
    return dataset(
        root=path,
        name=path.name or "root",
        form="voc",
        boxes=reading.boxes.table(),
        class_names=sorted(reading.boxes.labels(), key=natural),
        rows=Rows(reading.files, splits=_splits(path, reading)),
        notes=[
            *notes_of(
                (
                    "bad_annotation",
                    "{n} annotations cannot be read; their pictures stay",
                    reading.bad,
                ),
                (
                    "missing_files",
                    "{n} annotated pictures do not exist; they stay in the data set and are "
                    "reported as missing",
                    reading.gone,
                ),
                (
                    "duplicate_rows",
                    "{n} pictures have more than one XML file; the boxes of all are kept",
                    reading.again,
                ),
                (
                    "other_files",
                    "{n} files are neither pictures nor annotations and are left out",
                    others,
                ),
            ),
            *(n for n in listing.notes() if n.kind != "other_files"),
        ],
    )


def _read_annotations(
    root: Path, xml: Sequence[bytes], reading: Reading, progress: Progress
) -> None:
    index = _indexed(reading.files)
    annotated: set[int] = set()
    for i, file in enumerate(xml):
        if i % 1000 == 0:
            progress("reading annotations", i, len(xml))
        tree = parsed(root / os.fsdecode(file))
        name = None if isinstance(tree, str) else _file_name(tree)
        row = _row_of(file, name, index)
        if row is None:
            row = len(reading.files)
            reading.files.append(_expected(root, file, name))
            reading.gone.append(reading.files[row])
        if row in annotated:
            reading.again.append(reading.files[row])
        annotated.add(row)
        if isinstance(tree, str):
            reading.bad.append(f"{readable(file)}: {tree}")
        else:
            _add_boxes(tree, row, readable(file), reading)


def parsed(file: Path) -> ElementTree.Element | str:
    """The annotation's root element, or why it cannot be read."""
    try:
        raw = file.read_bytes()
        # UTF-16 hides the words between zero bytes
        plain = raw.replace(b"\0", b"")
        if b"<!DOCTYPE" in plain or b"<!ENTITY" in plain:
            return "it declares a document type or entities (refused: they can fill the memory)"
        return ElementTree.fromstring(raw)
    except OSError as e:
        return e.strerror or "it cannot be opened"
    except (ElementTree.ParseError, ValueError, LookupError) as e:
        return f"no valid XML ({e})"


def _add_boxes(tree: ElementTree.Element, row: int, place: str, reading: Reading) -> None:
    size = (_side(tree, "size/width"), _side(tree, "size/height"))
    for i, thing in enumerate(tree.iter("object")):
        where = f"{place} object {i + 1}"
        label = (thing.findtext("name") or "").strip()
        corners = _corners(thing)
        if corners is None or not label:
            reading.bad.append(f"{where}: no {'name' if corners else 'bndbox with four numbers'}")
        else:
            reading.boxes.add(row, label, corners, where, size=size)


def _corners(thing: ElementTree.Element) -> tuple[float, float, float, float] | None:
    try:
        xmin, ymin, xmax, ymax = (float(thing.findtext(f"bndbox/{c}") or "") for c in CORNERS)
    except ValueError:
        return None
    return xmin, ymin, xmax, ymax


def _side(tree: ElementTree.Element, place: str) -> int | None:
    """A side of the annotated size; some tools write 0 where they do not know it."""
    try:
        side = float(tree.findtext(place) or "")
    except ValueError:
        return None
    return int(side) if math.isfinite(side) and 0 < side < 2**31 else None


def _file_name(tree: ElementTree.Element) -> bytes | None:
    name = (tree.findtext("filename") or "").strip().replace("\\", "/").rpartition("/")[2]
    return os.fsencode(name.encode("utf-8", "surrogatepass")) if name else None


def _indexed(files: Sequence[bytes]) -> Index:
    by_stem: dict[bytes, list[int]] = {}
    by_name: dict[bytes, list[int]] = {}
    for i, file in enumerate(files):
        name = file.rpartition(b"/")[2]
        by_name.setdefault(name, []).append(i)
        by_stem.setdefault(_stem(name), []).append(i)
    return Index(tuple(files), by_stem, by_name)


def _row_of(xml: bytes, name: bytes | None, index: Index) -> int | None:
    """The picture of an XML file; of several of one stem, the one that lies closest."""
    rows = index.by_stem.get(_stem(xml.rpartition(b"/")[2])) or index.by_name.get(name or b"")
    if not rows:
        return None
    if len(rows) == 1:
        return rows[0]
    return max(
        rows,
        key=lambda r: (
            index.files[r].endswith(b"/" + (name or b"")),
            _shared(index.files[r], xml),
            -r,
        ),
    )


def _shared(a: bytes, b: bytes) -> int:
    """How many leading folders two names share."""
    same = (x == y for x, y in zip(a.split(b"/")[:-1], b.split(b"/")[:-1], strict=False))
    return sum(itertools.takewhile(bool, same))


def _expected(root: Path, xml: bytes, name: bytes | None) -> bytes:
    """Where the picture of an XML file should lie, below the root."""
    folder, _, own = xml.rpartition(b"/")
    picture = name or _stem(own) + b".jpg"
    up, _, last = folder.rpartition(b"/")
    if last.lower() == b"annotations":
        beside = (b"JPEGImages", b"images")
        there = [d for d in beside if (root / os.fsdecode(up) / os.fsdecode(d)).is_dir()]
        folder = b"/".join(p for p in (up, (there or [b"JPEGImages"])[0]) if p)
    return below(root, folder + b"/" + picture if folder else picture)


def _splits(root: Path, reading: Reading) -> list[str | None]:
    listed = dict(_listed_splits(root))
    if listed:
        return [listed.get(_stem(f.rpartition(b"/")[2])) for f in reading.files]
    folders = [[readable(p) for p in f.split(b"/")[:-1]] for f in reading.files]
    return [next((p for p in parts if split_of(p)), None) for parts in folders]


def _listed_splits(root: Path) -> Iterator[tuple[bytes, str]]:
    for split in ("test", "val", "train"):  # where two lists name a picture, train wins
        for main in (root / "ImageSets" / "Main", root / "ImageSets"):
            file = main / f"{split}.txt"
            if file.is_file():
                lines = file.read_bytes().splitlines()
                yield from ((_listed_stem(line), split) for line in lines if line.strip())


def _listed_stem(line: bytes) -> bytes:
    """The stem in a line `2008_000002`, `2008_000002 -1` or `2008_000002.jpg`."""
    word = line.strip()
    head, _, tail = word.rpartition(b" ")
    word = head.strip() if tail.strip() in (b"1", b"-1", b"0") and head else word
    return _stem(word) if word.lower().endswith((b".jpg", b".jpeg", b".png")) else word


def _stem(name: bytes) -> bytes:
    return name.rpartition(b".")[0] or name


def _is_annotation(path: Path) -> bool:
    if path.suffix.lower() != ".xml":
        return False
    try:
        with path.open("rb") as f:
            return b"<annotation" in f.read(4096).replace(b"\0", b"")
    except OSError:
        return False


SOURCE = Source("voc", recognise, read)
