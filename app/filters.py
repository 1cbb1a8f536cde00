"""Which samples does a filter mean? Choices on the page as an expression over the sample table."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

UNLABELLED = "(no label)"
NO_SPLIT = "(no split)"


def literal(text: str) -> str:
    """The text as an SQL string: within quotes only a quote means anything."""
    return "'" + text.replace("'", "''").replace("\0", "") + "'"


def expression(labels: Sequence[str], splits: Sequence[str], text: str) -> str:
    """A WHERE expression; '' where everything is meant.

    text  part of the path or label, in any case of letters
    """
    parts = [_one_of("label", labels, UNLABELLED), _one_of("split", splits, NO_SPLIT)]
    if text:
        sought = literal(text.lower())
        parts.append(
            f"(contains(lower(path), {sought}) or "
            f"contains(lower(coalesce(cast(label as varchar), '')), {sought}))"
        )
    return " and ".join(p for p in parts if p)


def _one_of(column: str, chosen: Sequence[str], absent: str) -> str:
    if not chosen:
        return ""
    # cast: compared as an enumeration, a name that no row has would be an error
    listed = ", ".join(literal(c) for c in chosen if c != absent)
    within = f"cast({column} as varchar) in ({listed})" if listed else ""
    null = f"{column} is null" if absent in chosen else ""
    return "(" + " or ".join(p for p in (within, null) if p) + ")"


def sortable(table: pa.Table) -> list[str]:
    """Columns worth sorting by: names and the measured numbers that some row has, no hashes."""
    skipped = {"phash", "dhash", "member", "thumb_offset", "thumb_length", "mtime_ns", "row"}
    return [
        f.name
        for f in table.schema
        if f.name not in skipped
        and (f.name in ("path", "label", "split") or _number(f.type))
        and table[f.name].null_count < table.num_rows
    ]


def _number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))
