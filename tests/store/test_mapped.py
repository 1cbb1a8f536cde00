"""Is a mapped copy the same table, and never that of another file?"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from recipe_core.kernel.errors import WorkspaceError
from recipe_core.store import mapped
from recipe_core.store.workspace import read_table, write_table

HASHES = pa.list_(pa.field("element", pa.uint64()), 2)
"""Parquet calls what a list holds `element`."""


def table(n: int = 1000, first: str = "a") -> pa.Table:
    """Every kind of column that a sample table has, in chunks with dictionaries of their own."""
    halves = [["cat", None] * (n // 4), ["dog", "cat"] * (n // 4)]
    coded = pa.chunked_array([pa.array(h, pa.string()).dictionary_encode() for h in halves])
    columns = {
        "path": pa.array([f"{first}{i}" for i in range(n)], pa.string()), "label": coded,
        "number": pa.array([None, *range(1, n)][:n], pa.float32()),
        "flag": pa.array([True, None] * (n // 2), pa.bool_()),
        "hashes": pa.array([[i, i + 1] for i in range(n)], HASHES),
        "file": pa.array([b"\xff"] * n, pa.binary()), "none": pa.nulls(n, pa.string()),
    }  # fmt: skip
    return pa.table(columns).replace_schema_metadata({"recipe.pass": "1"})


@pytest.mark.parametrize("n", [1000, 0])
def test_the_copy_is_the_table(tmp_path: Path, n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    path, written = tmp_path / "t.parquet", table(n)
    monkeypatch.setattr(mapped, "ROWS", 300)  # several pieces
    mapped.write_both(path, written)
    unpacked = read_table(path)
    before = pa.total_allocated_bytes()
    read = mapped.read_either(path)
    assert n == 0 or pa.total_allocated_bytes() - before < read.nbytes / 10  # mapped, not unpacked
    assert read.equals(unpacked) and read.schema.equals(unpacked.schema, check_metadata=True)
    assert read.to_pylist() == written.to_pylist()


def test_a_copy_of_another_file_is_left_aside(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    mapped.write_both(path, table(first="a"))
    write_table(path, table(first="b"))  # as large, with other values
    assert mapped.read_either(path)["path"][5].as_py() == "b5"


@pytest.mark.parametrize("left", [0, 100, 5000])
def test_a_copy_that_was_cut_off_is_left_aside(tmp_path: Path, left: int) -> None:
    path = tmp_path / "t.parquet"
    mapped.write_both(path, table())
    copy = path.with_suffix(".arrow")
    copy.write_bytes(copy.read_bytes()[:left])
    assert mapped.read_either(path).equals(read_table(path))


def test_a_file_without_a_copy_is_read_and_a_damaged_one_named(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_table(path, table())
    assert len(mapped.read_either(path)) == 1000
    path.write_bytes(b"no table")
    with pytest.raises(WorkspaceError, match=r"t\.parquet"):
        mapped.read_either(path)
