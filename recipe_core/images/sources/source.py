"""What is a source? Something that recognises a data set on disk and reads which samples it has.

A source lists; it never opens a picture and never writes. File names are bytes on disk: they are
carried as such in `file` and made readable in `path`, so that no name can be lost.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from recipe_core.images.boxes import BOX_COLUMN_FIELDS
from recipe_core.images.columns import PASS_FIELDS
from recipe_core.kernel.nouns import BOX_FIELDS, SAMPLE_FIELDS, Dataset, Note
from recipe_core.kernel.progress import Progress

SHOWN = 20
"""Items that a note names; it carries the number of all."""

SPLIT_NAMES = {
    "train": "train", "training": "train",
    "val": "validation", "valid": "validation", "validation": "validation", "dev": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip
SPLIT_ORDER = ("train", "validation", "test")


@dataclass(frozen=True)
class Source:
    """One way in which a data set may lie on disk.

    recognise   (folder or file) -> one sentence why it is this, None where it is not; cheap
    read        (folder or file, progress) -> Dataset; raises SourceError, saying what to do
    """

    name: str
    recognise: Callable[[Path], str | None]
    read: Callable[[Path, Progress], Dataset]


@dataclass(frozen=True)
class Rows:
    """The samples of a data set, column by column; every column given has the same length n.

    files     names below the root (absolute where outside it) as bytes
    members   rows inside container files, None for plain files
    extra     further columns, n rows
    """

    files: Sequence[bytes]
    labels: Sequence[str | None] | None = None
    splits: Sequence[str | None] | None = None
    members: Sequence[int] | None = None
    extra: pa.Table | None = None


def readable(name: bytes) -> str:
    """A file name as a person reads it: UTF-8, every other byte as \\xNN."""
    return name.decode("utf-8", "backslashreplace")


def below(root: Path, name: bytes) -> bytes:
    """The file (relative to `root` or absolute) below the root, else absolute; no `..` left."""
    base = os.fsencode(root)
    full = os.path.normpath(os.path.join(base, name))
    inside = base.rstrip(b"/") + b"/"
    return full[len(inside) :] if full.startswith(inside) else full


def split_of(name: str) -> str | None:
    """train, validation or test where `name` is one of their usual names, else None."""
    return SPLIT_NAMES.get(name.lower())


def note(kind: str, text: str, items: Iterable[str | bytes] = ()) -> Note:
    """A note that names the first few items; `{n}` in the text becomes their number."""
    texts = [readable(i) if isinstance(i, bytes) else i for i in items]
    return Note(kind, text.replace("{n}", f"{len(texts):,}"), tuple(texts[:SHOWN]), len(texts))


def notes_of(*found: tuple[str, str, Sequence[str | bytes]]) -> list[Note]:
    """A note for every (kind, text, items) that has items."""
    return [note(kind, text, items) for kind, text, items in found if items]


def dataset(
    *,
    root: Path,
    name: str,
    form: str,
    rows: Rows,
    class_names: Iterable[str],
    boxes: pa.Table | None = None,
    notes: Iterable[Note] = (),
) -> Dataset:
    """The Dataset of these rows: splits under their usual names, notes that every source owes."""
    classes = tuple(class_names)
    names = usual_split_names({s for s in rows.splits or () if s is not None})
    renamed = [f"{own} -> {name}" for own, name in sorted(names.items()) if own != name]
    splits = None if rows.splits is None else [None if s is None else names[s] for s in rows.splits]
    return Dataset(
        name=name,
        root=root,
        format=form,
        samples=_sample_table(replace(rows, splits=splits)),
        boxes=BOX_FIELDS.empty_table() if boxes is None else boxes,
        class_names=classes,
        splits=in_split_order(set(names.values())),
        notes=(
            *notes,
            *notes_of(
                ("detection", "{n} splits go by their usual names", renamed),
                (
                    "case_clash",
                    "{n} groups of classes differ by case only: they are kept apart",
                    _case_clashes(classes),
                ),
            ),
        ),
    )


def usual_split_names(own: set[str]) -> dict[str, str]:
    """train, validation or test for each name that means it; two of one meaning keep their own."""
    meant = {name: split_of(name) or name for name in own}
    counts = Counter(meant.values())
    return {name: m if counts[m] == 1 else name for name, m in meant.items()}


def in_split_order(used: Iterable[str]) -> tuple[str, ...]:
    """train, validation, test (under any of their usual names), then the others by name."""
    place = {s: i for i, s in enumerate(SPLIT_ORDER)}
    return tuple(sorted(used, key=lambda s: (place.get(split_of(s) or "", len(place)), s)))


def missing(root: Path, files: Iterable[bytes]) -> list[bytes]:
    """Those of the files that are not there."""
    base = os.fsencode(root)
    return [f for f in files if not os.path.exists(os.path.join(base, f))]  # noqa: PTH110


def free_name(name: str, taken: set[str]) -> str:
    """A further column's name beside ours: SQL knows no case, and a clash gets `source_`."""
    while name.lower() in taken:
        name = f"source_{name}"
    return name


def _sample_table(rows: Rows) -> pa.Table:
    n = len(rows.files)
    members = rows.members
    paths = [readable(f) for f in rows.files]
    plain = [None if p.encode() == f else f for p, f in zip(paths, rows.files, strict=True)]
    if members is not None:
        plain = list(rows.files)
        paths = [f"{p}::{m}" for p, m in zip(paths, members, strict=True)]
    table = pa.Table.from_arrays(
        [
            pa.array(sample_ids(rows.files, members), pa.string()),
            pa.array(paths, pa.string()),
            pa.array(plain, pa.binary()),
            pa.nulls(n, pa.int64()) if members is None else pa.array(members, pa.int64()),
            _coded(rows.labels, n),
            _coded(rows.splits, n),
        ],
        schema=SAMPLE_FIELDS,
    )
    return table if rows.extra is None else _with_extra(table, rows.extra)


def sample_ids(files: Sequence[bytes], members: Sequence[int] | None) -> list[str]:
    """16 hex digits for each: BLAKE2b of the file's name, the member and the occurrence number.

    The occurrence number tells rows of one file apart; it depends on no other file, so an id
    stays when others come and go.
    """
    seen: Counter[tuple[bytes, int]] = Counter()
    ids = []
    for i, file in enumerate(files):
        member = -1 if members is None else members[i]
        nth = seen[file, member]
        seen[file, member] += 1
        key = b"%s\0%d\0%d" % (file, member, nth)  # a file name holds no zero byte
        ids.append(hashlib.blake2b(key, digest_size=8).hexdigest())
    return ids


def _coded(values: Sequence[str | None] | None, n: int) -> pa.Array:
    kind = pa.dictionary(pa.int32(), pa.string())
    texts: pa.Array = pa.nulls(n, pa.string()) if values is None else pa.array(values, pa.string())
    return texts.dictionary_encode().cast(kind)


def _with_extra(table: pa.Table, extra: pa.Table) -> pa.Table:
    ours = (SAMPLE_FIELDS, PASS_FIELDS, BOX_COLUMN_FIELDS)
    taken = {name.lower() for fields in ours for name in fields.names} | {"row"}
    for column, values in zip(extra.column_names, extra.columns, strict=True):
        name = free_name(column or "column", taken)
        taken.add(name.lower())
        table = table.append_column(name, values)
    return table


def _case_clashes(classes: Sequence[str]) -> list[str]:
    folded: dict[str, list[str]] = {}
    for c in classes:
        folded.setdefault(c.casefold(), []).append(c)
    return [" / ".join(sorted(group)) for group in folded.values() if len(set(group)) > 1]


def natural(name: str) -> list[Any]:
    """Sort key by which `class 10` comes after `class 9`."""
    return [
        (1, int(p), "") if p.isdigit() and p.isascii() else (0, 0, p)
        for p in re.split(r"(\d+)", name)
    ]


class BoxRows:
    """The boxes of a data set while they are read, column by column."""

    def __init__(self) -> None:
        self._rows: list[tuple[Any, ...]] = []

    def add(
        self,
        row: int,
        label: str,
        corners: tuple[float, float, float, float],
        place: str,
        *,
        relative: bool = False,
        size: tuple[int | None, int | None] = (None, None),
    ) -> None:
        """A box of sample `row`: xmin, ymin, xmax, ymax; `size`: the image's, as annotated."""
        self._rows.append((row, label, *corners, relative, *size, place))

    def __len__(self) -> int:
        return len(self._rows)

    def labels(self) -> set[str]:
        """The class names that boxes carry."""
        return {r[1] for r in self._rows}

    def table(self) -> pa.Table:
        """BOX_FIELDS, in the order of `add`."""
        columns = list(zip(*self._rows, strict=True)) or [()] * len(BOX_FIELDS)
        arrays = [pa.array(c, f.type) for c, f in zip(columns, BOX_FIELDS, strict=True)]
        return pa.Table.from_arrays(arrays, schema=BOX_FIELDS)
