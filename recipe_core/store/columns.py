"""What has been worked out about single samples since the scan? Extra columns, one file a source.

WORKSPACE/columns/<source>.parquet holds sample_id, content_hash and label as they were, and the
columns. The front desk joins them to the sample table, so that browsing, filters, `recipe samples`
and reports see them like any other column. A value is shown only while the sample is what it was
about: after its picture or its label has changed it is null.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from recipe_core.kernel.errors import Misuse
from recipe_core.store.workspace import Workspace, read_table, write_table, writing

KEYS = ("sample_id", "content_hash", "label")
"""What says that a sample is still the one that a value was worked out for."""
RESERVED = ("row", "_row", "finding", "findings", "tag", "decision")
"""Names that filters and tables have a meaning of their own for."""


def folder(workspace: Workspace) -> Path:
    """Where the files lie."""
    return workspace.path / "columns"


def sources(workspace: Workspace) -> dict[str, Path]:
    """source -> its file, by name."""
    return {p.stem: p for p in sorted(folder(workspace).glob("[!.]*.parquet"))}


def state(workspace: Workspace) -> str:
    """A text that changes whenever an extra column does; '' where there are none."""
    found = []
    for name, path in sources(workspace).items():
        try:
            found.append(f"{name}-{path.stat().st_mtime_ns}")
        except FileNotFoundError:  # taken away since it was listed
            continue
    return " ".join(found)


def write(
    workspace: Workspace, source: str, samples: pa.Table, columns: pa.Table, fingerprint: str
) -> None:
    """Stores the columns of one source in place of its earlier ones.

    samples      the sample table that the values are about
    columns      `row` int64 (rows of `samples`, each at most once) and the columns
    fingerprint  of the data set, kept with the file

    Raises Misuse for a name that is taken or rows that do not exist, WorkspaceError.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", source):
        raise Misuse(f"A source of columns has a lower_case name, not {source!r}.")
    rows = np.asarray(columns["row"].to_numpy(), np.int64)
    if len(np.unique(rows)) != len(rows) or (
        len(rows) and not 0 <= rows.min() <= rows.max() < samples.num_rows
    ):
        raise Misuse(f"Rows must go from 0 to {samples.num_rows - 1}, each at most once.")
    values = columns.drop_columns(["row"])
    _refuse_taken(workspace, source, samples, values.column_names)
    kept = _keys(samples).take(pa.array(rows))
    for name in values.column_names:
        kept = kept.append_column(name, values[name])
    with writing(workspace):
        folder(workspace).mkdir(exist_ok=True)
        stamped = kept.replace_schema_metadata({"fingerprint": fingerprint})
        write_table(folder(workspace) / f"{source}.parquet", stamped)


def _refuse_taken(workspace: Workspace, source: str, samples: pa.Table, names: list[str]) -> None:
    taken = dict.fromkeys(samples.column_names, "the data set")
    taken |= dict.fromkeys(RESERVED, "Recipe")
    for other, path in sources(workspace).items():
        for name in _value_names(read_table(path)) if other != source else ():
            taken[name] = other
    for name in names:
        if name in taken:
            raise Misuse(f"{source} cannot add a column {name!r}: {taken[name]} has one.")


def remove(workspace: Workspace, source: str) -> bool:
    """Forgets the columns of a source; whether there were any."""
    path = sources(workspace).get(source)
    if path is None:
        return False
    with writing(workspace):
        path.unlink(missing_ok=True)
    return True


def joined(workspace: Workspace, samples: pa.Table) -> pa.Table:
    """The sample table with every extra column, null where nothing (or nothing valid) is known.

    A column that the data set has brought itself since keeps the data set's values.
    """
    keys = None
    for path in sources(workspace).values():
        table = read_table(path)
        keys = _keys(samples) if keys is None else keys
        places = _places(keys, table)
        for name in _value_names(table):
            if name not in samples.column_names:
                samples = samples.append_column(name, table[name].take(places).combine_chunks())
    return samples


def _value_names(table: pa.Table) -> list[str]:
    return [c for c in table.column_names if c not in KEYS]


def _keys(samples: pa.Table) -> pa.Table:
    names = [c for c in KEYS if c in samples.column_names]
    return pa.table({c: pc.fill_null(pc.cast(samples[c], pa.string()), "") for c in names})


def _places(keys: pa.Table, table: pa.Table) -> pa.Array:
    """(n,) int64 where each sample is in the table, null where it is not or has changed."""
    found = pc.index_in(keys["sample_id"], table["sample_id"].combine_chunks())
    found = found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
    there: npt.NDArray[np.int64] = np.asarray(pc.fill_null(found, -1).to_numpy(), np.int64)
    same = there >= 0
    for name in KEYS[1:]:
        if name in table.column_names and name in keys.column_names and len(table):
            then = table[name].take(pa.array(np.maximum(there, 0)))
            same &= np.asarray(pc.equal(keys[name], then).to_numpy(), bool)
    return pa.array(there, pa.int64(), mask=~same)
