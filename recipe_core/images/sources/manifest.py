"""Which samples does a table name? CSV, TSV, JSON lines or Parquet, one row per sample.

Columns: a path (see PATH_NAMES), optionally a label and a split; all others follow with their
types. Paths are relative to the table's folder, or absolute. A name with bytes that are no UTF-8
is written as Recipe shows it (\\xNN). Every row is kept, also those of missing files and doubles.

A folder is read by the manifest in it where the manifest goes by a usual name, gives labels or
splits, and names at least 90 % of the pictures there; train.csv, val.csv … are read together.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from recipe_core.images.sources.listing import list_folder
from recipe_core.images.sources.source import (
    Rows,
    Source,
    below,
    dataset,
    natural,
    note,
    notes_of,
    split_of,
)
from recipe_core.kernel.errors import SourceError
from recipe_core.kernel.nouns import Dataset, Note
from recipe_core.kernel.progress import Progress, silent

PATH_NAMES = ("path", "file", "filename", "file_name", "image", "image_path", "filepath")
LABEL_NAMES = ("label", "class", "category", "target", "y")
SPLIT_COLUMNS = ("split", "subset", "set", "partition")
USUAL_STEMS = frozenset(
    ["manifest", "labels", "annotations", "index", "dataset", "data", "samples", "images"]
)
ENDINGS = (".csv", ".tsv", ".jsonl", ".parquet")
COVERAGE = 0.9
"""A manifest that names fewer of the pictures in its folder is about something else."""

_BAD_BYTE = re.compile(rb"\\x([0-9a-f]{2})")


def recognise(path: Path) -> str | None:
    """A table with a path column, or a folder that such a table describes."""
    if path.is_file():
        named = path.suffix.lower() in ENDINGS and names_files(path)
        return "one of its columns names files" if named else None
    tables = _tables_in(path) if path.is_dir() else []
    if not tables or not _covers(path, tables):
        return None
    return f"{' and '.join(t.name for t in tables)} names the pictures in it, with their labels"


def read(path: Path, progress: Progress) -> Dataset:
    """The Dataset of a manifest, or of the folder that it lies in. Raises SourceError."""
    tables = _tables_in(path) if path.is_dir() else [path]
    if not tables:
        raise SourceError(
            f"{path} holds no manifest: expected a table ({', '.join(ENDINGS)}) with the columns "
            "path, label and, optionally, split; name it directly if it goes by another name."
        )
    progress("reading the manifest", 0, 0)
    root = path if path.is_dir() else path.parent
    parts = [read_table(t) for t in tables]
    if len(parts) > 1:
        parts = [_with_split(t, part) for t, part in zip(tables, parts, strict=True)]
    table = pa.concat_tables(parts, promote_options="permissive") if len(parts) > 1 else parts[0]
    name = root.name if path.is_dir() else path.stem
    return dataset_of(root, table, tables[0].name, name=name or "root", form="manifest")


def dataset_of(
    root: Path,
    table: pa.Table,
    place: str,
    *,
    name: str,
    form: str,
    notes: Sequence[Note] = (),
    boxes: pa.Table | None = None,
    box_classes: Iterable[str] = (),
) -> Dataset:
    """The Dataset of a table with a path column. Raises SourceError naming the columns seen."""
    path, label, split = columns_of(table.column_names, place)
    files = [_file(root, text, place, i) for i, text in enumerate(_texts(table[path]))]
    gone = missing_but_found(root, files)
    labels = None if label is None else _texts(table[label])
    rows = Rows(
        files,
        labels=labels,
        splits=None if split is None else _texts(table[split]),
        extra=table.select([c for c in table.column_names if c not in (path, label, split)]),
    )
    classes = sorted({c for c in labels or () if c is not None}, key=natural)
    return dataset(
        root=root,
        name=name,
        form=form,
        rows=rows,
        boxes=boxes,
        class_names=[*classes, *(c for c in box_classes if c not in classes)],
        notes=[*notes, *_notes(table, files, labels, gone)],
    )


def columns_of(names: Sequence[str], place: str) -> tuple[str, str | None, str | None]:
    """The path, label and split column. Raises SourceError where none, or no single one, fits."""
    path = _path_column(names)
    if path is None:
        raise SourceError(
            f"{place} has no column that names files: "
            f"its columns are {', '.join(map(repr, names))}. "
            f"Rename one to 'path' (also understood: {', '.join(PATH_NAMES[1:])})."
        )
    return path, _first(names, LABEL_NAMES), _first(names, SPLIT_COLUMNS)


def read_table(path: Path) -> pa.Table:
    """The table in a file, by its ending. Raises SourceError with the line that cannot be read."""
    readers: dict[str, Callable[[Path], pa.Table]] = {
        ".csv": _read_csv,
        ".tsv": _read_csv,
        ".jsonl": _read_jsonl,
        ".parquet": _read_parquet,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise SourceError(f"{path} is no manifest: expected a file ending in {', '.join(ENDINGS)}.")
    table = reader(path)
    if table.num_rows == 0:
        raise SourceError(f"{path} has no rows: expected one per picture.")
    return table


def names_files(path: Path) -> bool:
    """Whether the table in a file has a path column; only its header is read."""
    return _path_column(_header(path)) is not None


def missing_but_found(root: Path, files: list[bytes]) -> list[bytes]:
    """The files that are not there; names that exist under another spelling are put right.

    Other spellings: \\xNN for bytes that are no UTF-8, backslashes for slashes.
    """
    gone = []
    base = os.fsencode(root)
    for i, file in enumerate(files):
        if os.path.exists(os.path.join(base, file)):  # noqa: PTH110
            continue
        for other in (_unescaped(file), file.replace(b"\\", b"/")):
            if other != file and os.path.exists(os.path.join(base, other)):  # noqa: PTH110
                files[i] = other
                break
        else:
            gone.append(file)
    return gone


def _notes(
    table: pa.Table, files: list[bytes], labels: list[str | None] | None, gone: list[bytes]
) -> list[Note]:
    unlabelled = (
        [] if labels is None else [f for f, c in zip(files, labels, strict=True) if c is None]
    )
    notes = notes_of(
        (
            "missing_files",
            "{n} rows name files that do not exist; they stay in the data set and are "
            "reported as missing",
            gone,
        ),
        (
            "duplicate_rows",
            "{n} rows name a file that an earlier row names with the same label; all rows are kept",
            _repeated(files, labels or [None] * len(files)),
        ),
        (
            "duplicate_rows",
            "{n} files have more than one label; each row is a sample",
            _relabelled(files, labels or []),
        ),
        ("unlabelled", "{n} rows have no label", unlabelled),
    )
    if labels is None:
        seen = ", ".join(table.column_names)
        text = f"No column of labels among {seen}: expected one of {', '.join(LABEL_NAMES)}"
        notes.append(note("unlabelled", text, files))
    return notes


def _repeated(files: list[bytes], labels: Sequence[str | None]) -> list[bytes]:
    counts = Counter(zip(files, labels, strict=True))
    return sorted(f for (f, _), k in counts.items() for _ in range(k - 1))


def _relabelled(files: list[bytes], labels: Sequence[str | None]) -> list[bytes]:
    counts = Counter(f for f, _ in set(zip(files, labels, strict=False)))
    return sorted(f for f, k in counts.items() if k > 1)


def _file(root: Path, text: str | None, place: str, i: int) -> bytes:
    if text is None or text == "" or "\0" in text:
        raise SourceError(f"{place}: row {i + 1} names no file.")
    return below(root, os.fsencode(text.encode("utf-8", "surrogatepass")))


def _unescaped(file: bytes) -> bytes:
    return _BAD_BYTE.sub(lambda m: bytes([int(m[1], 16)]), file)


def _path_column(names: Sequence[str]) -> str | None:
    return _first(names, PATH_NAMES)


def _first(names: Sequence[str], wanted: Sequence[str]) -> str | None:
    lower = {n.lower(): n for n in reversed(names)}
    return next((lower[w] for w in wanted if w in lower), None)


def _tables_in(folder: Path) -> list[Path]:
    """The manifest in a folder, or one per split; [] where none goes by a usual name."""
    tables = sorted(p for p in folder.iterdir() if p.suffix.lower() in ENDINGS and p.is_file())
    tables = [t for t in tables if names_files(t)]
    usual = [t for t in tables if t.stem.lower() in USUAL_STEMS]
    if usual:
        return (
            usual[:1] if len(usual) == 1 else [t for t in usual if t.stem.lower() == "manifest"][:1]
        )
    return [t for t in tables if split_of(t.stem)]


def _covers(folder: Path, tables: Sequence[Path]) -> bool:
    """Whether the tables tell labels or splits for nearly all of the pictures there."""
    if len(tables) == 1 and not (
        _first(_header(tables[0]), LABEL_NAMES) or _first(_header(tables[0]), SPLIT_COLUMNS)
    ):
        return False
    pictures = set(list_folder(folder, silent).pictures)
    try:
        parts = [read_table(t) for t in tables]
    except SourceError:
        return True  # a manifest by name that cannot be read must be told, not passed over
    named = [
        below(folder, os.fsencode(t))
        for p in parts
        for t in _texts(p[_path_column(p.column_names)])
        if t and "\0" not in t
    ]
    missing_but_found(folder, named)
    found = pictures & set(named)
    return bool(found) and len(found) >= COVERAGE * len(pictures)


def _with_split(path: Path, table: pa.Table) -> pa.Table:
    if _first(table.column_names, SPLIT_COLUMNS):
        return table
    return table.append_column("split", pa.array([path.stem] * table.num_rows))


def _header(path: Path) -> list[str]:
    """The column names, [] where they cannot be read."""
    try:
        if path.suffix.lower() == ".parquet":
            import pyarrow.parquet as pq  # most data sets are plain files

            with path.open("rb") as f:
                return list(pq.read_schema(f).names)
        with path.open("rb") as f:
            first = f.readline(1 << 20).decode("utf-8-sig")
        if path.suffix.lower() == ".jsonl":
            return list(json.loads(first))
        return next(csv.reader([first], delimiter=_delimiter(path, first)), [])
    except (OSError, ValueError, TypeError, pa.ArrowException, csv.Error):
        return []


def _read_parquet(path: Path) -> pa.Table:
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as f:  # Arrow itself opens no name that is not UTF-8
            table = pq.read_table(f)
    except (OSError, pa.ArrowException) as e:
        raise SourceError(f"{path} cannot be read as Parquet: {e}.") from None
    return table.select([c for c in table.column_names if _is_plain(table.schema.field(c).type)])


def _is_plain(kind: pa.DataType) -> bool:
    return not (
        pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    )


def _read_jsonl(path: Path) -> pa.Table:
    records = []
    for i, line in enumerate(_text_of(path).split("\n")):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as e:
            raise SourceError(f"{path}: line {i + 1} is no JSON: {e}.") from None
        if not isinstance(record, dict):
            raise SourceError(f'{path}: line {i + 1} must be an object like {{"path": …}}.')
        records.append(record)
    names = list(dict.fromkeys(name for record in records for name in record))
    return pa.table({name: json_column([r.get(name) for r in records]) for name in names})


def json_column(values: list[Any]) -> pa.Array:
    """JSON values as a column: as Arrow infers it, or as text where types are mixed or nested."""
    try:
        column = pa.array(values)
        if _is_plain(column.type):
            return column
    except (pa.ArrowException, OverflowError):
        pass
    return pa.array(
        [v if v is None or isinstance(v, str) else json.dumps(v) for v in values], pa.string()
    )


def _read_csv(path: Path) -> pa.Table:
    text = _text_of(path)
    reader = csv.reader(
        io.StringIO(text, newline=""),
        strict=True,
        delimiter=_delimiter(path, text[: 1 << 16].partition("\n")[0]),
    )
    rows: list[list[str]] = []
    try:
        for row in reader:
            if not row:
                continue
            if rows and len(row) != len(rows[0]):
                raise SourceError(
                    f"{path}: line {reader.line_num} has {len(row)} fields, the header has "
                    f"{len(rows[0])}. A field that holds the separator must stand in quotes."
                )
            rows.append(row)
    except csv.Error as e:
        raise SourceError(f"{path}: line {reader.line_num} cannot be read as CSV: {e}.") from None
    return _typed(_unique(rows[0]), rows[1:]) if rows else pa.table({})


def _delimiter(path: Path, header: str) -> str:
    if path.suffix.lower() == ".tsv":
        return "\t"
    return max((",", ";", "\t"), key=header.count)


def _unique(header: list[str]) -> list[str]:
    seen: Counter[str] = Counter()
    names = []
    for name in (n.strip() for n in header):
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return names


def _typed(header: list[str], rows: list[list[str]]) -> pa.Table:
    text_only = {_first(header, w) for w in (PATH_NAMES, LABEL_NAMES, SPLIT_COLUMNS)}
    columns = list(zip(*rows, strict=True)) or [()] * len(header)
    return pa.table(
        {
            name: text_column(values) if name in text_only else csv_column(values)
            for name, values in zip(header, columns, strict=True)
        }
    )


def text_column(values: Sequence[str]) -> pa.Array:
    """Text, null where it is empty."""
    column = pa.array(values, pa.string())
    return pc.if_else(pc.equal(column, ""), None, column)


def csv_column(values: Sequence[str]) -> pa.Array:
    """int64 or float64 where every field that is not empty is such a number, else text.

    Numbers with leading zeros are names (007 is not 7).
    """
    column = text_column(values)
    if pc.any(pc.match_substring_regex(column, r"^\s*[+-]?0[0-9]")).as_py():
        return column
    for kind in (pa.int64(), pa.float64()):
        try:
            return pc.cast(pc.utf8_trim_whitespace(column), kind)
        except pa.ArrowInvalid:
            continue
    return column


def _text_of(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as e:
        raise SourceError(f"{path} cannot be read: {e.strerror}.") from None
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise SourceError(f"{path} is UTF-16: save it as UTF-8.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        line = raw[: e.start].count(b"\n") + 1
        raise SourceError(
            f"{path}: line {line} is not UTF-8 (byte 0x{raw[e.start]:02x}): save the file as UTF-8."
        ) from None


def _texts(column: pa.ChunkedArray) -> list[str | None]:
    if pa.types.is_floating(column.type):  # a class number that met an empty field
        whole = pc.all(pc.equal(pc.floor(column), column)).as_py()
        column = pc.cast(column, pa.int64()) if whole else column
    return [v or None for v in pc.cast(column, pa.string()).to_pylist()]


SOURCE = Source("manifest", recognise, read)
