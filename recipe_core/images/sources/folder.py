"""Which samples lie in a tree of folders, where folders are classes and splits?

Splits: the first level (split/class/…) where all its folders have usual names of splits, or where
it has `train` and a validation or test folder (further folders beside them are splits of their
own); else the second level (class/split/…) where all folders there have such names. Names are
normalised to train, validation and test; two folders of one meaning (val, valid) keep their own.

Classes: what remains of the path is the label, `a/b` where classes are nested. Leading folders
that all pictures share say nothing and are left out, as long as a folder remains; a folder like
`images` that holds everything is no class. A picture outside every class folder has no label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recipe_core.images.sources.listing import Listing, list_folder
from recipe_core.images.sources.source import (
    Rows,
    Source,
    dataset,
    notes_of,
    readable,
    split_of,
)
from recipe_core.kernel.errors import SourceError
from recipe_core.kernel.nouns import Dataset, Note
from recipe_core.kernel.progress import Progress, silent

GENERIC = frozenset(
    (
        "images",
        "image",
        "img",
        "imgs",
        "pictures",
        "pics",
        "photos",
        "data",
        "dataset",
        "jpegimages",
    )
)

Folders = tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """What each picture's folders say; splits as the folders are called."""

    labels: list[str | None]
    splits: list[str | None]


def recognise(path: Path) -> str | None:
    """Any folder with a picture in it."""
    if not path.is_dir() or not list_folder(path, silent, until_picture=True).pictures:
        return None
    return "it is a folder with pictures"


def read(path: Path, progress: Progress) -> Dataset:
    """The Dataset of a folder tree. Raises SourceError where there is no picture."""
    if not path.is_dir():
        raise SourceError(f"{path} is no folder: --format folder needs one.")
    listing = list_folder(path, progress)
    if not listing.pictures:
        raise SourceError(nothing_in(path, listing))
    folders = [_folders(f) for f in listing.pictures]
    layout = layout_of(folders)
    classes = sorted({c for c in layout.labels if c is not None})
    return dataset(
        root=path,
        name=path.name or "root",
        form="folder",
        class_names=classes,
        rows=Rows(listing.pictures, labels=layout.labels, splits=layout.splits),
        notes=[*_layout_notes(listing, layout), *_no_pictures(listing), *listing.notes()],
    )


def nothing_in(path: Path, listing: Listing) -> str:
    """Why a folder without pictures is no data set, and what was expected."""
    n = len(listing.others)
    seen = (
        f"{n:,} other files, the first {readable(listing.others[0])!r}" if n else "no file at all"
    )
    if listing.unreadable:
        seen += f", and {len(listing.unreadable):,} folders that cannot be opened"
    return (
        f"{path} holds no picture ({seen}). Expected: class folders with pictures "
        "(cat/1.jpg), split folders above them (train/cat/1.jpg), or a manifest, COCO, VOC, YOLO "
        "or Hugging Face export."
    )


def layout_of(folders: Sequence[Folders]) -> Layout:
    """Labels and splits from the folder names above each picture (n tuples, outermost first)."""
    inner = strip_shared(folders)
    level = _split_level(inner)
    if level is None:
        return Layout([_label(f) for f in _without_wrapper(inner)], [None] * len(folders))
    own = [f[level] if len(f) > level else None for f in inner]
    rest = [(*f[:level], *f[level + 1 :]) for f in inner]
    rest = _without_wrapper(strip_shared(rest)) if level == 0 else rest
    return Layout([_label(f) for f in rest], own)


def strip_shared(folders: Sequence[Folders]) -> list[Folders]:
    """Without the leading folders that all share, as long as one remains and it is no split."""
    first = folders[0]
    shared = 0
    while (
        all(len(f) > shared + 1 and f[shared] == first[shared] for f in folders)
        and split_of(first[shared]) is None
    ):
        splits_below = _all_splits({f[shared + 1] for f in folders})
        last = all(len(f) == shared + 2 for f in folders)
        if splits_below and last and first[shared].lower() not in GENERIC:
            break  # one class with splits below it, not a wrapper
        shared += 1
    return [f[shared:] for f in folders]


def _split_level(folders: Sequence[Folders]) -> int | None:
    top = {f[0] for f in folders if f}
    meanings = {split_of(name) for name in top}
    if _all_splits(top) or {"train", "validation"} <= meanings or {"train", "test"} <= meanings:
        return 0
    second = {f[1] for f in folders if len(f) > 1}
    if all(len(f) > 1 for f in folders) and _all_splits(second) and len(second) > 1:
        return 1
    return None


def _all_splits(names: set[str]) -> bool:
    return bool(names) and all(split_of(n) is not None for n in names)


def _without_wrapper(folders: Sequence[Folders]) -> list[Folders]:
    """Without a folder like `images` that all pictures lie in."""
    if all(f and f[0].lower() in GENERIC for f in folders) and len({f[0] for f in folders}) == 1:
        return [f[1:] for f in folders]
    return list(folders)


def _label(folders: Folders) -> str | None:
    return "/".join(folders) or None


def _folders(file: bytes) -> Folders:
    return tuple(readable(part) for part in file.split(b"/")[:-1])


def _layout_notes(listing: Listing, layout: Layout) -> list[Note]:
    unlabelled = [f for f, c in zip(listing.pictures, layout.labels, strict=True) if c is None]
    text = "{n} pictures lie outside the class folders and have no label"
    if len(unlabelled) == len(listing.pictures):
        text = "No class folders: {n} pictures have no label"
    return notes_of(("unlabelled", text, unlabelled))


def _no_pictures(listing: Listing) -> list[Note]:
    """Folders that hold files but no picture, at any depth: a class may be missing."""
    with_pictures = {p for f in listing.pictures for p in _parents(f)}
    barren = {f.rpartition(b"/")[0] for f in listing.others} - with_pictures - {b""}
    return notes_of(("empty_folder", "{n} folders hold files but no picture", sorted(barren)))


def _parents(file: bytes) -> list[bytes]:
    parts = file.split(b"/")[:-1]
    return [b"/".join(parts[: i + 1]) for i in range(len(parts))]


SOURCE = Source("folder", recognise, read)
