"""What is each exported file called? A name that any disk can hold, and no other file has.

Names that differ only by case get a number, so that the folder survives a disk that knows no case;
bytes that are no UTF-8 become _xNN; pictures inside Parquet files get the row as their name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from recipe_core.data.cleaning import Cleaned
from recipe_core.images.sources.source import split_of
from recipe_core.kernel.evidence import Evidence

UNSPLIT = "unsplit"
LISTING = "excluded.csv"
ENDINGS = {"JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif",
           "BMP": ".bmp", "TIFF": ".tif", "AVIF": ".avif", "HEIF": ".heic"}  # fmt: skip

_NO_UTF8 = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True)
class Item:
    """A sample that goes out, and the name of its file below DEST."""

    row: int
    name: str
    label: str | None
    split: str | None


def laid_out(evidence: Evidence, clean: Cleaned, kind: str) -> list[Item]:
    """Every sample that stays in, with a name below DEST that no other has."""
    rows = [row for row, reason in enumerate(clean.reasons) if not reason]
    relative = _relative_names(evidence, rows)
    places = _in_class_folders(clean, rows, relative) if kind == "imagefolder" else relative
    if kind == "yolo":
        places = _in_split_folders(clean, rows, relative)
    if kind != "imagefolder":
        places = [f"images/{p}" for p in places]
    shared = _sources(evidence, rows) if kind == "manifest" else [str(row) for row in rows]
    unique = _unique(places, shared, stems=kind == "yolo")
    return [
        Item(row, name, clean.labels[row], clean.splits[row])
        for row, name in zip(rows, unique, strict=True)
    ]


def _sources(evidence: Evidence, rows: Sequence[int]) -> list[str]:
    """What tells files apart: rows that name the same file share it in a manifest."""
    paths = evidence.column("path").to_pylist()
    return [str(paths[row]) for row in rows]


def file_names(evidence: Evidence) -> list[bytes]:
    files, paths = evidence.column("file").to_pylist(), evidence.column("path").to_pylist()
    return [p.encode() if f is None else f for f, p in zip(files, paths, strict=True)]


def _relative_names(evidence: Evidence, rows: Sequence[int]) -> list[str]:
    """Names below the root that any disk can hold, without `images/` where all begin with it."""
    names = file_names(evidence)
    members = evidence.column("member").to_pylist()
    formats = evidence.column("format").to_pylist()
    outside = [os.path.dirname(names[r]) for r in rows if names[r].startswith(b"/")]  # noqa: PTH120
    common = os.path.commonpath(outside) if outside else b""
    found = []
    for row in rows:
        text = as_text(_below(names[row], common))
        if members[row] is not None:
            ending = ENDINGS.get(formats[row] or "", ".bin")
            text = f"{PurePosixPath(text).with_suffix('')}/{members[row]:06d}{ending}"
        found.append("/".join(folder_name(part) for part in text.split("/") if part))
    images = all(f.startswith("images/") for f in found)
    return [f.removeprefix("images/") if images else f for f in found]


def _below(name: bytes, common: bytes) -> bytes:
    """A file outside the root goes below `outside`, without the folders that all of them share."""
    return b"outside" + name.removeprefix(common.rstrip(b"/")) if name.startswith(b"/") else name


def as_text(name: bytes) -> str:
    """A file name as text; bytes that are no UTF-8 as _xNN."""
    decoded = name.decode("utf-8", "surrogateescape")
    return _NO_UTF8.sub(lambda m: f"_x{ord(m.group()) - 0xDC00:02X}", decoded)


def folder_name(part: str) -> str:
    """One part of a path that cannot lead anywhere else."""
    safe = part.replace("\0", "_").replace("/", "_")
    return "_" * len(safe) if safe in (".", "..") else safe or "_"


def _in_class_folders(clean: Cleaned, rows: Sequence[int], names: Sequence[str]) -> list[str]:
    folders = _class_folders({clean.labels[r] for r in rows} - {None})
    split = any(clean.splits[r] is not None for r in rows)
    return [
        "/".join(filter(None, (
            folder_name(clean.splits[row] or UNSPLIT) if split else "",
            folders.get(clean.labels[row], ""),
            name.rpartition("/")[2],
        )))
        for row, name in zip(rows, names, strict=True)
    ]  # fmt: skip


def _class_folders(labels: Iterable[str | None]) -> dict[str | None, str]:
    """A folder for every class; nested classes (a/b) nest; no two classes share one."""
    ordered = sorted(str(label) for label in labels)
    wanted = ["/".join(folder_name(p) for p in label.split("/")) for label in ordered]
    return dict(zip(ordered, _unique(wanted, ordered), strict=True))


def _in_split_folders(clean: Cleaned, rows: Sequence[int], names: Sequence[str]) -> list[str]:
    """train, val or test before the name, which loses a split folder that it begins with."""
    found = []
    for row, name in zip(rows, names, strict=True):
        split = clean.splits[row] or "train"
        first, slash, rest = name.partition("/")
        inner = rest if slash and split_of(first) and split_of(first) == split_of(split) else name
        found.append(f"{_yolo_split(split)}/{inner}")
    return found


def _yolo_split(split: str) -> str:
    """train, val or test: the keys of YOLO's data.yaml."""
    usual = split_of(split)
    return "val" if usual == "validation" else usual or "train"


def _unique(names: Sequence[str], owners: Sequence[str], *, stems: bool = False) -> list[str]:
    """Names of which no two are alike without case, the earlier keeping its own.

    owners  equal owners share a name
    stems   alike without ending counts as alike (YOLO's label files are named by the stem)
    """
    taken: set[str] = {LISTING}
    given: dict[str, str] = {}
    for name, owner in zip(names, owners, strict=True):
        if owner not in given:
            given[owner] = _free(name, taken, stems)
            taken.add(_key(given[owner], stems))
    return [given[owner] for owner in owners]


def _free(name: str, taken: set[str], stems: bool) -> str:
    head, dot, ending = name.rpartition(".")
    if not dot or "/" in ending:
        head, dot, ending = name, "", ""
    tried, n = name, 1
    while _key(tried, stems) in taken:
        n += 1
        tried = f"{head}_{n}{dot}{ending}"
    return tried


def _key(name: str, stems: bool) -> str:
    folded = name.casefold()
    head, dot, ending = folded.rpartition(".")
    return head if stems and dot and "/" not in ending else folded
