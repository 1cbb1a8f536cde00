"""Which samples does a Hugging Face data set on disk hold?

Either `imagefolder` with a metadata.csv, .jsonl or .parquet (column file_name) at the top or in
each split folder, or Parquet files with an image column {bytes, path}: a picture is then row
`member` of its container. Class names come from the Parquet's own schema, dataset_info(s).json, or
the front matter of README.md; boxes from a column `objects` {bbox: x, y, width, height; category}.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from recipe_core.images.sources import folder, manifest
from recipe_core.images.sources.hf_features import (
    category_names,
    class_names_of,
    features_of,
    schema_of,
)
from recipe_core.images.sources.listing import Listing, folders_in, list_folder, peek
from recipe_core.images.sources.source import (
    BoxRows,
    Rows,
    Source,
    below,
    dataset,
    natural,
    note,
    notes_of,
    readable,
    split_of,
)
from recipe_core.kernel.errors import SourceError
from recipe_core.kernel.nouns import Dataset, Note
from recipe_core.kernel.progress import Progress

METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
LABEL_NAMES = (*manifest.LABEL_NAMES, "labels", "fine_label", "coarse_label")


def recognise(path: Path) -> str | None:
    """Parquet with an image column, or a metadata file that names files."""
    if path.is_file():
        return "its image column holds pictures" if _image_column(path) else None
    if not path.is_dir():
        return None
    holder = next((p for p in _near_parquet(path) if _image_column(p)), None)
    if holder is not None:
        return f"{holder.relative_to(path)} holds pictures in its image column"
    metadata = _metadata_in(path)
    return (
        f"{metadata[0].relative_to(path)} names files, as in an imagefolder" if metadata else None
    )


def read(path: Path, progress: Progress) -> Dataset:
    """The Dataset of a Hugging Face folder or Parquet file. Raises SourceError."""
    root = path if path.is_dir() else path.parent
    if path.is_file():
        containers = [os.fsencode(path.name)] if _image_column(path) else []
    else:
        containers = [
            f
            for f in list_folder(path, progress).others
            if f.lower().endswith(b".parquet") and _image_column(root / os.fsdecode(f))
        ]
    if containers:
        return _read_containers(root, path, containers, progress)
    metadata = _metadata_in(path) if path.is_dir() else []
    if not metadata:
        raise SourceError(
            f"{path} is no Hugging Face export: expected Parquet files with a column image "
            f"{{bytes, path}}, or {', '.join(METADATA)} with a column file_name."
        )
    return _read_imagefolder(root, metadata, progress)


def split_of_container(file: bytes) -> str | None:
    """The split in data/train-00000-of-00002.parquet or default/train/0000.parquet."""
    *folders, name = readable(file).split("/")
    told = re.match(r"[A-Za-z]+", name)
    if told and split_of(told[0]):
        return told[0]
    shard = re.match(r"(.+)-\d{5}(?:-of-\d{5})?", name)
    return shard[1] if shard else next((f for f in reversed(folders) if split_of(f)), None)


def _read_containers(
    root: Path, source: Path, containers: Sequence[bytes], progress: Progress
) -> Dataset:
    features = features_of(root, root / os.fsdecode(containers[0]))
    tables, files, members, splits = [], [], [], []
    for i, file in enumerate(containers):
        progress("reading containers", i, len(containers))
        table = _columns_beside(root / os.fsdecode(file))
        tables.append(table)
        files += [file] * table.num_rows
        members += list(range(table.num_rows))
        splits += [split_of_container(file)] * table.num_rows
    table = pa.concat_tables(tables, promote_options="permissive")
    if not files:
        raise SourceError(f"{source}: the Parquet files hold no rows.")
    label = next((c for c in LABEL_NAMES if c in table.column_names), None)
    own = next((c for c in manifest.SPLIT_COLUMNS if c in table.column_names), None)
    if own is not None and not any(splits):
        splits = table[own].cast(pa.string()).to_pylist()
    labels, classes = _labels(table, label, features)
    boxes, box_classes, bad = _boxes(table, features)
    drop = {label, own, "objects"}
    extra = table.select([c for c in table.column_names if c not in drop and _is_plain(table, c)])
    return dataset(
        root=root,
        name=source.stem if source.is_file() else root.name,
        form="hf",
        boxes=boxes,
        class_names=[*classes, *(c for c in box_classes if c not in classes)],
        rows=Rows(files, labels=labels, splits=splits, members=members, extra=extra),
        notes=[
            *notes_of(
                ("bad_annotation", "{n} boxes cannot be read and are left out", bad),
                (
                    "unlabelled",
                    "{n} rows have no label",
                    [readable(f) for f, c in zip(files, labels, strict=True) if c is None]
                    if label
                    else [],
                ),
            ),
            *([] if label or box_classes else [note("unlabelled", _no_label(table))]),
        ],
    )


def _no_label(table: pa.Table) -> str:
    seen = ", ".join(table.column_names) or "none but the image"
    return f"No column of labels: expected one of {', '.join(LABEL_NAMES)}; the columns are {seen}"


def _read_imagefolder(root: Path, metadata: Sequence[Path], progress: Progress) -> Dataset:
    parts, places = [], []
    for i, file in enumerate(metadata):
        progress("reading metadata", i, len(metadata))
        table = _metadata_table(root, file)
        parts.append(table)
        places.append(str(file.relative_to(root)))
    table = pa.concat_tables(parts, promote_options="permissive")
    listing = list_folder(root, progress)
    features = features_of(root, None)
    boxes, box_classes, bad = _boxes(table, features)
    table = table.drop_columns([c for c in ("objects",) if c in table.column_names])
    table, told = _with_folders(table, bool(box_classes))
    unnamed = _unnamed(root, listing, table["file_name"].to_pylist())
    notes = [
        *told,
        *notes_of(
            ("bad_annotation", "{n} boxes cannot be read and are left out", bad),
            ("other_files", "{n} pictures are in no metadata file and are left out", unnamed),
        ),
        *(n for n in listing.notes() if n.kind != "other_files"),
    ]
    if "label" in table.column_names and (names := class_names_of(features, "label")):
        at = table.column_names.index("label")
        table = table.set_column(at, "label", pa.array(_named(table["label"], names), pa.string()))
    return manifest.dataset_of(
        root,
        table,
        ", ".join(places),
        name=root.name,
        form="hf",
        notes=notes,
        boxes=boxes,
        box_classes=box_classes,
    )


def _metadata_table(root: Path, file: Path) -> pa.Table:
    """Its rows, with file_name below the root."""
    import pyarrow.parquet as pq  # most data sets are plain files

    if file.suffix == ".jsonl":
        table = _jsonl_with_objects(file)
    else:
        table = pq.read_table(file) if file.suffix == ".parquet" else manifest.read_table(file)
    path = manifest.columns_of(table.column_names, str(file))[0]
    base = os.fsencode(file.parent)
    files = [below(root, base + b"/" + os.fsencode(str(t or ""))) for t in table[path].to_pylist()]
    for i, text in enumerate(table[path].to_pylist()):
        if not text or "\0" in str(text):
            raise SourceError(f"{file}: row {i + 1} names no file.")
    # Names go through text once more: what is no UTF-8 is written \xNN and found again there
    names = [f.decode("utf-8", "backslashreplace") for f in files]
    table = table.set_column(table.column_names.index(path), "file_name", pa.array(names))
    return table


def _with_folders(table: pa.Table, boxed: bool) -> tuple[pa.Table, list[Note]]:
    """With the split and the label that the folders tell, where the metadata does not."""
    told = []
    names = table["file_name"].to_pylist()
    layout = folder.layout_of([tuple(n.split("/")[:-1]) for n in names])
    if not any(c in table.column_names for c in manifest.SPLIT_COLUMNS):
        table = table.append_column("split", pa.array(layout.splits, pa.string()))
    if (
        not boxed
        and any(layout.labels)
        and not any(c in table.column_names for c in manifest.LABEL_NAMES)
    ):
        table = table.append_column("label", pa.array(layout.labels, pa.string()))
        told.append(note("detection", "The metadata has no label: labels are the folders' names"))
    return table, told


def _jsonl_with_objects(file: Path) -> pa.Table:
    """The plain columns as in a manifest, and `objects` as it is."""
    table = manifest.read_table(file)
    if "objects" not in table.column_names:
        return table
    objects = [None if t is None else json.loads(t) for t in table["objects"].to_pylist()]
    at = table.column_names.index("objects")
    try:
        return table.set_column(at, "objects", pa.array(objects))
    except (pa.ArrowException, TypeError):
        raise SourceError(
            f"{file}: objects must be {{bbox: [[x, y, w, h], …], category: […]}}."
        ) from None


def _boxes(table: pa.Table, features: Mapping[str, Any]) -> tuple[pa.Table, list[str], list[str]]:
    rows, bad = BoxRows(), list[str]()
    if "objects" not in table.column_names:
        return rows.table(), [], []
    names = category_names(features)
    width, height = (
        table[c].to_pylist() if c in table.column_names else [None] * table.num_rows
        for c in ("width", "height")
    )
    for row, objects in enumerate(table["objects"].to_pylist()):
        bboxes, categories = _objects(objects)
        for i, bbox in enumerate(bboxes):
            place = f"row {row} object {i}"
            if not (isinstance(bbox, list) and len(bbox) == 4 and None not in bbox):
                bad.append(place)
                continue
            x, y, w, h = map(float, bbox)
            label = _category(categories[i] if i < len(categories) else None, names)
            size = (width[row], height[row])
            rows.add(row, label, (x, y, x + w, y + h), place, size=size)
    found = names or sorted(rows.labels(), key=natural)
    return rows.table(), list(found), bad


def _objects(objects: Any) -> tuple[list[Any], list[Any]]:
    """Boxes and categories of {bbox: […], category: […]} or [{bbox, category}, …]."""
    if isinstance(objects, list):
        objects = {
            k: [o.get(k) for o in objects] for k in ("bbox", "category", "categories", "label")
        }
    if not isinstance(objects, dict):
        return [], []
    named = (objects.get(k) for k in ("category", "categories", "label", "category_id"))
    categories: list[Any] = next((c for c in named if c and any(v is not None for v in c)), [])
    return objects.get("bbox") or [], categories


def _category(value: Any, names: Sequence[str] | None) -> str:
    if isinstance(value, int) and names:
        return names[value] if 0 <= value < len(names) else f"class {value}?"
    return str(value) if value is not None else "?"


def _labels(
    table: pa.Table, column: str | None, features: Mapping[str, Any]
) -> tuple[list[str | None], list[str]]:
    if column is None:
        return [None] * table.num_rows, []
    names = class_names_of(features, column)
    if names is not None:
        return _named(table[column], names), names
    labels = [None if v is None else str(v) for v in table[column].to_pylist()]
    return labels, sorted({c for c in labels if c is not None}, key=natural)


def _named(column: pa.ChunkedArray, names: Sequence[str]) -> list[str | None]:
    """Class numbers as names; -1 is what `datasets` writes for no label."""

    def name(v: Any) -> str | None:
        if isinstance(v, str) or v is None or v == -1:
            return v if isinstance(v, str) else None
        return names[v] if isinstance(v, int) and 0 <= v < len(names) else f"class {v}?"

    return [name(v) for v in column.to_pylist()]


def _columns_beside(container: Path) -> pa.Table:
    """All columns but the pictures; these are not read from disk.

    The name that a picture had is kept as `original_name`.
    """
    import pyarrow.parquet as pq

    image = _image_column(container)
    with container.open("rb") as handle:  # Arrow itself opens no name that is not UTF-8
        file = pq.ParquetFile(handle)
        schema = file.schema_arrow
        nested = pa.types.is_struct(schema.field(image).type)
        wanted = [c for c in schema.names if c != image and not _holds_bytes(schema, c)]
        wanted += [f"{image}.path"] if nested else []
        if not wanted:
            return pa.table({"row_in_file": pa.array(range(file.metadata.num_rows))})
        table = file.read(columns=wanted)
    if image not in table.column_names:
        return table
    names = pa.chunked_array([c.field("path") for c in table[image].chunks], pa.string())
    return table.drop_columns([image]).append_column("original_name", names)


def _holds_bytes(schema: pa.Schema, column: str) -> bool:
    kind = schema.field(column).type
    inner = [kind.field(i).type for i in range(kind.num_fields)] if pa.types.is_struct(kind) else []
    return any(pa.types.is_binary(k) or pa.types.is_large_binary(k) for k in (kind, *inner))


def _is_plain(table: pa.Table, column: str) -> bool:
    return not pa.types.is_nested(table.schema.field(column).type)


def _image_column(path: Path) -> str | None:
    """The column with pictures: a struct {bytes, path}, else bytes under a picture's name."""
    if path.suffix.lower() != ".parquet" or not path.is_file():
        return None
    try:
        schema = schema_of(path)
    except (OSError, pa.ArrowException):
        return None
    for f in schema:
        if pa.types.is_struct(f.type) and f.type.get_field_index("bytes") >= 0:
            return str(f.name)
    usual = ("image", "img", "picture", "image_bytes")
    return next(
        (
            f.name
            for f in schema
            if f.name.lower() in usual
            and (pa.types.is_binary(f.type) or pa.types.is_large_binary(f.type))
        ),
        None,
    )


def _near_parquet(root: Path) -> Iterator[Path]:
    """Parquet files at the top, in data/, and up to two folders below (config/split)."""
    yield from sorted(peek(root, 2000, ".parquet"))
    for inner in (p for p in folders_in(root, 100) if not p.name.startswith(".")):
        yield from sorted(peek(inner, 500, ".parquet"))
        for deep in sorted(p for p in peek(inner, 20) if split_of(p.name)):
            yield from sorted(peek(deep, 500, ".parquet"))


def _metadata_in(root: Path) -> list[Path]:
    """metadata.* at the top or in split folders (or in data/) that name files."""
    inner = [p for p in folders_in(root, 500) if split_of(p.name) or p.name == "data"]
    deep = [p for d in inner if d.name == "data" for p in peek(d, 100) if split_of(p.name)]
    found = [folder / name for folder in [root, *sorted(inner), *sorted(deep)] for name in METADATA]
    return [f for f in found if f.is_file() and manifest.names_files(f)]


def _unnamed(root: Path, listing: Listing, names: Sequence[str]) -> list[bytes]:
    named = [os.fsencode(n) for n in names]
    manifest.missing_but_found(root, named)
    return sorted(set(listing.pictures) - set(named))


SOURCE = Source("hf", recognise, read)
