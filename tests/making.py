"""How does a test make evidence without a scan? From plain columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from recipe_core.images.columns import PASS_FIELDS
from recipe_core.kernel.evidence import Evidence
from recipe_core.kernel.nouns import BOX_FIELDS, SAMPLE_FIELDS, Dataset

SPLIT_ORDER = ("train", "validation", "test")


def make_evidence(
    columns: Mapping[str, Sequence[Any]],
    *,
    boxes: Sequence[Mapping[str, Any]] = (),
    tables: Mapping[str, pa.Table] | None = None,
    class_names: Sequence[str] | None = None,
) -> Evidence:
    """Evidence from columns of equal length; what is not given is null (`error` is '')."""
    n = len(next(iter(columns.values())))
    given: dict[str, Sequence[Any]] = {"error": [""] * n, "warning": [""] * n, **columns}
    given.setdefault("path", [f"{i:06d}.jpg" for i in range(n)])
    given.setdefault("sample_id", [f"{i:016x}" for i in range(n)])
    fields = [*SAMPLE_FIELDS, *PASS_FIELDS]
    known = {f.name for f in fields}
    table = pa.table(
        {
            f.name: pa.array(given.get(f.name, [None] * n), _plain(f.type)).cast(f.type)
            for f in fields
        }
        | {name: pa.array(values) for name, values in given.items() if name not in known}
    )
    labels = sorted({v for v in given.get("label", ()) if v is not None})
    splits = {v for v in given.get("split", ()) if v is not None}
    box_table = pa.Table.from_pylist([dict(b) for b in boxes], schema=BOX_FIELDS)
    dataset = Dataset(
        name="made", root=Path("made"), format="folder", samples=table.select(SAMPLE_FIELDS.names),
        boxes=box_table, class_names=tuple(class_names or labels),
        splits=(*(s for s in SPLIT_ORDER if s in splits), *sorted(splits - set(SPLIT_ORDER))),
    )  # fmt: skip
    return Evidence(dataset, table, box_table, dict(tables or {}))


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind
