"""What is written beside the pictures? A manifest, COCO's JSON, or YOLO's text files."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from recipe_core.data.export_names import Item, folder_name
from recipe_core.images.columns import PASS_FIELDS
from recipe_core.kernel.evidence import Evidence
from recipe_core.kernel.nouns import SAMPLE_FIELDS
from recipe_core.kernel.plain import plain

_NO_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


@dataclass
class Parcel:
    """What the writer of a format needs."""

    evidence: Evidence
    folder: Path
    items: list[Item]
    ids: Sequence[str]
    paths: Sequence[str]
    decided: Mapping[str, Mapping[str, Any]]
    notes: list[str] = field(default_factory=list)


def write_csv(path: Path, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as f:
        writer = csv.writer(f)
        writer.writerow(head)
        writer.writerows(rows)


def _write_manifest(parcel: Parcel) -> int:
    """manifest.csv: path, label, split, the source's further columns, where it was, tags, note."""
    samples = parcel.evidence.samples
    extra = [
        c for c in _further_columns(parcel.evidence) if _is_plain(samples.schema.field(c).type)
    ]
    values = [samples[c].to_pylist() for c in extra]
    taken = {c.lower() for c in extra}
    ours = [n if n not in taken else f"export_{n}" for n in ("original_path", "tags", "note")]
    rows = (
        (i.name, i.label, i.split, *(_cell(v[i.row]) for v in values), *_remarks(parcel, i))
        for i in parcel.items
    )
    write_csv(parcel.folder / "manifest.csv", ["path", "label", "split", *extra, *ours], rows)
    return 0


def _further_columns(evidence: Evidence) -> list[str]:
    """Columns that the source itself brought beyond those that every source has."""
    ours = {*SAMPLE_FIELDS.names, *PASS_FIELDS.names}
    return [c for c in evidence.dataset.samples.column_names if c not in ours]


def _is_plain(kind: pa.DataType) -> bool:
    return not (pa.types.is_nested(kind) or pa.types.is_binary(kind))


def _cell(value: Any) -> Any:
    return repr(value) if isinstance(value, float) else value


def _remarks(parcel: Parcel, item: Item) -> tuple[str, str, str]:
    decision = parcel.decided.get(parcel.ids[item.row], {})
    tags = ", ".join(decision.get("tags") or ())
    return parcel.paths[item.row], tags, decision.get("note") or ""


def _write_nothing_more(parcel: Parcel) -> int:
    _ = parcel  # the folders say it all
    return 0


@dataclass(frozen=True)
class _Boxes:
    """Boxes in pixels of the displayed picture: row -> (class number, xmin, ymin, xmax, ymax)."""

    names: tuple[str, ...]
    of_row: Mapping[int, list[tuple[int, float, float, float, float]]]


def _boxes(parcel: Parcel) -> _Boxes:
    """Boxes of the samples that go out; those without a label or corners are noted and left out."""
    boxes, names = parcel.evidence.boxes, list(parcel.evidence.dataset.class_names)
    number = {name: i for i, name in enumerate(names)}
    going = {i.row for i in parcel.items}
    of_row: dict[int, list[tuple[int, float, float, float, float]]] = {}
    left_out = 0
    columns = (boxes[c].to_pylist() for c in ("row", "label", "xmin", "ymin", "xmax", "ymax"))
    for row, label, *corners in zip(*columns, strict=True):
        if row not in going:
            continue
        if label is None or not all(c is not None and np.isfinite(c) for c in corners):
            left_out += 1
            continue
        if label not in number:
            number[label] = len(names)
            names.append(label)
        of_row.setdefault(row, []).append((number[label], *corners))
    if left_out:
        parcel.notes.append(f"{left_out:,} boxes without a label or corners are left out.")
    _note_labels(parcel)
    return _Boxes(tuple(names), of_row)


def _note_labels(parcel: Parcel) -> None:
    if any(item.label is not None for item in parcel.items):
        parcel.notes.append(
            "Labels of whole pictures have no place in this format; boxes keep theirs."
        )


def _sizes(evidence: Evidence) -> Callable[[int], tuple[int, int]]:
    width, height = evidence.numbers("width"), evidence.numbers("height")
    return lambda row: (int(width[row]), int(height[row]))


def _write_coco(parcel: Parcel) -> int:
    """One instances file per split, as cocodataset.org/#format-data describes it."""
    boxes, size = _boxes(parcel), _sizes(parcel.evidence)
    categories = [{"id": i + 1, "name": n, "supercategory": ""} for i, n in enumerate(boxes.names)]
    (parcel.folder / "annotations").mkdir()
    for split in dict.fromkeys(i.split for i in parcel.items):
        items = [i for i in parcel.items if i.split == split]
        images = [
            {"id": i.row, "file_name": i.name.removeprefix("images/"),
             "width": size(i.row)[0], "height": size(i.row)[1]}
            for i in items
        ]  # fmt: skip
        found = list(_coco_annotations(items, boxes))
        content = {"images": images, "annotations": found, "categories": categories}
        name = "instances" if split is None else f"instances_{folder_name(split)}"
        text = json.dumps(plain(content), ensure_ascii=False, allow_nan=False)
        (parcel.folder / "annotations" / f"{name}.json").write_text(text, encoding="utf-8")
    return sum(map(len, boxes.of_row.values()))


def _coco_annotations(items: Sequence[Item], boxes: _Boxes) -> Iterator[dict[str, Any]]:
    n = 0
    for item in items:
        for number, xmin, ymin, xmax, ymax in boxes.of_row.get(item.row, ()):
            n += 1
            wide, tall = xmax - xmin, ymax - ymin
            yield {
                "id": n, "image_id": item.row, "category_id": number + 1, "iscrowd": 0,
                "bbox": [xmin, ymin, wide, tall], "area": wide * tall,
            }  # fmt: skip


def _write_yolo(parcel: Parcel) -> int:
    """A text file per picture (class cx cy w h, in shares) and data.yaml, as Ultralytics has it."""
    boxes, size = _boxes(parcel), _sizes(parcel.evidence)
    for item in parcel.items:
        path = parcel.folder / _label_file(item.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = (_yolo_line(box, *size(item.row)) for box in boxes.of_row.get(item.row, ()))
        path.write_text("".join(lines), encoding="ascii")
    used = {item.name.split("/")[1] for item in parcel.items}
    places = [f"{key}: images/{key}" for key in ("train", "val", "test") if key in used]
    names = [f"  {i}: {_yaml(name)}" for i, name in enumerate(boxes.names)]
    text = "\n".join([*places, "names:", *names]) + "\n"
    (parcel.folder / "data.yaml").write_text(text, encoding="utf-8")
    if any(item.split is None for item in parcel.items):
        parcel.notes.append("The data set has no splits: all samples are in train.")
    return sum(map(len, boxes.of_row.values()))


def _label_file(name: str) -> str:
    """Where YOLO looks: the last folder called images becomes labels."""
    head, _, tail = f"/{name}".rpartition("/images/")
    stem, dot, ending = tail.rpartition(".")
    return f"{head}/labels/{stem if dot and '/' not in ending else tail}.txt".lstrip("/")


def _yolo_line(box: tuple[int, float, float, float, float], width: int, height: int) -> str:
    number, xmin, ymin, xmax, ymax = box
    shares = (
        (xmin + xmax) / 2 / width, (ymin + ymax) / 2 / height,
        (xmax - xmin) / width, (ymax - ymin) / height,
    )  # fmt: skip
    return f"{number} {' '.join(f'{s:.10g}' for s in shares)}\n"


def _yaml(name: str) -> str:
    """A YAML double-quoted text: JSON's, with the characters escaped that YAML does not print."""
    quoted = json.dumps(name, ensure_ascii=False)
    return _NO_YAML.sub(lambda m: f"\\u{ord(m.group()):04x}", quoted)


WRITERS: Mapping[str, Callable[[Parcel], int]] = {
    "manifest": _write_manifest,
    "imagefolder": _write_nothing_more,
    "coco": _write_coco,
    "yolo": _write_yolo,
}
