"""What did the last finished scan find? The results folder as values, and back.

dataset.json      name, root, format, class names, splits, notes
samples.parquet   one row per sample, every measured column
boxes.parquet     boxes in pixels
*.arrow           both once more, to be mapped (see mapped.py)
tables.json       measure name -> file below tables/
findings.json     every finding with its thresholds and charts, versions, date
subjects.parquet  check, row, score, group, detail
pictures.npz      the pictures of the findings, by check and number
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recipe_core.kernel.check import Measure
from recipe_core.kernel.errors import WorkspaceError
from recipe_core.kernel.evidence import Evidence
from recipe_core.kernel.nouns import (
    SAMPLE_FIELDS,
    Chart,
    Dataset,
    Finding,
    Note,
    Picture,
    Subjects,
    Table,
)
from recipe_core.kernel.plain import plain
from recipe_core.kernel.report import Report, further
from recipe_core.store.mapped import read_either, write_both
from recipe_core.store.workspace import (
    Workspace,
    read_arrays,
    read_table,
    write_arrays,
    write_json,
    write_table,
)

SUBJECT_FIELDS = pa.schema([
    ("check", pa.dictionary(pa.int32(), pa.string())),
    ("row", pa.int64()),
    ("score", pa.float32()),
    ("group", pa.int64()),
    ("detail", pa.string()),
])  # fmt: skip


def write_dataset(
    folder: Path, source: Path, dataset: Dataset, samples: pa.Table, boxes: pa.Table
) -> None:
    """Stores what was read and measured, and where it was read from."""
    write_json(
        folder / "dataset.json",
        {
            "source": os.fsencode(source).hex(),
            "name": dataset.name, "root": os.fsencode(dataset.root).hex(), "format": dataset.format,
            "class_names": list(dataset.class_names), "splits": list(dataset.splits),
            "notes": [asdict(n) for n in dataset.notes],
        },
    )  # fmt: skip
    write_both(folder / "samples.parquet", samples)
    write_both(folder / "boxes.parquet", boxes)


def read_evidence(workspace: Workspace) -> Evidence:
    """Everything measured so far. Raises WorkspaceError before the first finished scan."""
    folder = _folder(workspace)
    stored = read_json(folder / "dataset.json")
    samples = read_either(folder / "samples.parquet")
    boxes = read_either(folder / "boxes.parquet")
    dataset = Dataset(
        stored["name"], Path(os.fsdecode(bytes.fromhex(stored["root"]))), stored["format"],
        samples.select(SAMPLE_FIELDS.names), boxes, tuple(stored["class_names"]),
        tuple(stored["splits"]),
        tuple(Note(n["kind"], n["text"], tuple(n["items"]), n["n_items"]) for n in stored["notes"]),
    )  # fmt: skip
    names = read_json(folder / "tables.json") if (folder / "tables.json").exists() else {}
    tables = {
        name: read_table(workspace.tables / file)
        for name, file in names.items()
        if (workspace.tables / file).exists()
    }
    return Evidence(dataset, samples, boxes, tables)


def read_source(workspace: Workspace) -> Path:
    """The folder or file that the results were read from."""
    stored = read_json(_folder(workspace) / "dataset.json")
    return Path(os.fsdecode(bytes.fromhex(stored["source"])))


def write_report(folder: Path, report: Report) -> None:
    """Stores the findings: subjects and pictures first, so that findings.json completes them."""
    write_table(folder / "subjects.parquet", _subject_table(report.findings))
    shown = {_key(f.check, i): p.pixels for f in report.findings for i, p in enumerate(f.pictures)}
    if shown:
        write_arrays(folder / "pictures.npz", shown)
    write_json(
        folder / "findings.json",
        plain({
            "dataset": dict(report.dataset), "versions": dict(report.versions),
            "created": report.created, "findings": [_without_subjects(f) for f in report.findings],
        }),
    )  # fmt: skip


def read_report(workspace: Workspace) -> Report | None:
    """The findings of the last scan or check; None where there are none."""
    folder = workspace.current()
    if folder is None or not (folder / "findings.json").exists():
        return None
    stored = read_json(folder / "findings.json")
    subjects = read_table(folder / "subjects.parquet")
    codes = subjects["check"].combine_chunks().cast(pa.string()).to_numpy(zero_copy_only=False)
    pixels = _stored_pixels(folder, stored["findings"])
    findings = tuple(
        _finding(f, subjects.filter(pa.array(codes == f["check"])), pixels)
        for f in stored["findings"]
    )
    return Report(stored["dataset"], findings, stored["versions"], stored["created"])


def _without_subjects(f: Finding) -> dict[str, Any]:
    row = {
        k: getattr(f, k) for k in ("verdict", "summary", "next_step", "check", "stage", "seconds")
    }
    return row | {
        "numbers": dict(f.numbers), "thresholds": dict(f.thresholds),
        "grouped": f.subjects.groups is not None,
        "charts": [dict(vars(c)) for c in f.charts], **further(f),
        **({"pictures": [(p.title, p.caption) for p in f.pictures]} if f.pictures else {}),
    }  # fmt: skip


def _key(check_id: str, number: int) -> str:
    return f"{check_id}-{number}"


def _stored_pixels(
    folder: Path, findings: Sequence[dict[str, Any]]
) -> dict[str, npt.NDArray[np.uint8]]:
    if not any(f.get("pictures") for f in findings):
        return {}
    return read_arrays(folder / "pictures.npz")


def _finding(
    stored: dict[str, Any], subjects: pa.Table, pixels: Mapping[str, npt.NDArray[np.uint8]]
) -> Finding:
    grouped = stored.pop("grouped")
    charts = tuple(Chart(**c) for c in stored.pop("charts"))
    more: dict[str, Any] = {
        "because": tuple(stored.pop("because", ())),
        "tables": tuple(
            Table(t["title"], tuple(t["columns"]), tuple(map(tuple, t["rows"])))
            for t in stored.pop("tables", ())
        ),
        "pictures": tuple(
            Picture(title, pixels[_key(stored["check"], i)], caption)
            for i, (title, caption) in enumerate(stored.pop("pictures", ()))
        ),
    }
    rows = Subjects(
        subjects["row"].to_numpy(), subjects["score"].to_numpy(), subjects["detail"].to_pylist(),
        subjects["group"].to_numpy() if grouped else None,
    )  # fmt: skip
    return Finding(**stored, **more, charts=charts, subjects=rows)


def _subject_table(findings: Sequence[Finding]) -> pa.Table:
    pieces = [_subject_rows(f) for f in findings if len(f.subjects)]
    return pa.concat_tables(pieces) if pieces else SUBJECT_FIELDS.empty_table()


def _subject_rows(f: Finding) -> pa.Table:
    s, n = f.subjects, len(f.subjects)
    check = pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array([f.check]))
    groups = pa.nulls(n, pa.int64()) if s.groups is None else pa.array(s.groups, pa.int64())
    columns = [check, pa.array(s.rows, pa.int64()), pa.array(s.scores, pa.float32()), groups,
               pa.array(list(s.details), pa.string())]  # fmt: skip
    return pa.Table.from_arrays(columns, schema=SUBJECT_FIELDS)


# -- measures of the whole table ----------------------------------------------------------------


def stored_measure(workspace: Workspace, measure: Measure, evidence: Evidence) -> tuple[str, bool]:
    """The file name of a measure's result for this evidence, and whether it is there."""
    digest = hashlib.blake2b(digest_size=12)
    for name in measure.inputs:
        digest.update(name.encode())
        if name in evidence.samples.column_names:
            _hash_column(digest, evidence.samples[name])
    file = f"{measure.name}-v{measure.version}-{digest.hexdigest()}.parquet"
    return file, (workspace.tables / file).exists()


def _hash_column(digest: Any, column: pa.ChunkedArray) -> None:
    if pa.types.is_dictionary(column.type):  # codes depend on the order of reading: hash the texts
        column = column.cast(column.type.value_type)
    table = pa.table([column], ["c"]).combine_chunks()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    digest.update(sink.getvalue())


def write_measure(workspace: Workspace, file: str, table: pa.Table) -> None:
    """Stores a measure's result."""
    workspace.tables.mkdir(exist_ok=True)
    write_table(workspace.tables / file, table)


def name_measures(workspace: Workspace, folder: Path, files: dict[str, str]) -> None:
    """Says which results belong to these samples, and forgets those that belong to none."""
    write_json(folder / "tables.json", files)
    if workspace.tables.exists():
        for path in workspace.tables.iterdir():
            if path.name not in files.values():
                path.unlink(missing_ok=True)


def _folder(workspace: Workspace) -> Path:
    folder = workspace.current()
    if folder is None or not folder.is_dir():
        raise WorkspaceError(
            f"{workspace.path} holds no results yet. Run: recipe scan SOURCE -w {workspace.path}"
        )
    return folder


def read_json(path: Path) -> Any:
    """A JSON file of ours. Raises WorkspaceError where it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as e:
        raise WorkspaceError(f"{path} cannot be read ({e}). Scan the data set again.") from None
