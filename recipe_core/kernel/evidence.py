"""What may a judge look at? Columns and tables, never a file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from recipe_core.kernel.errors import MissingInput
from recipe_core.kernel.nouns import Dataset

T = TypeVar("T")
P = TypeVar("P")
R = TypeVar("R")


class Files(Protocol):
    """The bytes behind the rows and the cores to work on, for measures only: no judge gets this."""

    folder: Path | None
    """Where a measure may keep what is dear to make again; None: nowhere."""

    def original(self, row: int) -> bytes:
        """The bytes of the sample's file. Raises OSError where it cannot be read."""

    def thumbnail(self, row: int) -> bytes | None:
        """The sample's thumbnail (JPEG), None where the picture could not be decoded."""

    def shared_out(self, work: Callable[[P], R], parts: Iterable[P]) -> Iterator[R]:
        """`work` of every part, in the parts' order, worked out by as many processes as there are.

        `work` is a function of a module that imports little; it, parts and results are pickled.
        `parts` is read lazily; processes have begun when this returns, and a job that is under way
        is worked to its end first. Raises RecipeError where a part has no result.
        """


@dataclass(frozen=True)
class Evidence:
    """A data set and everything measured about it so far.

    samples   one row per sample: what the source said and every measured column
    boxes     BOX_FIELDS in pixels of the displayed image (never relative any more)
    tables    measures whose one subject is the whole table, by name
    """

    dataset: Dataset
    samples: pa.Table
    boxes: pa.Table
    tables: Mapping[str, pa.Table] = field(default_factory=dict)
    _cache: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return int(self.samples.num_rows)

    def has(self, column: str) -> bool:
        """Whether the sample table has this column with at least one value in it."""
        return column in self.samples.column_names and (
            self.samples[column].null_count < self.samples.num_rows
        )

    def column(self, name: str) -> pa.ChunkedArray:
        """A column of the sample table. Raises MissingInput where it was not measured."""
        if name not in self.samples.column_names:
            raise MissingInput(
                f"the column {name!r} has not been measured; scan the data set again"
            )
        return self.samples[name]

    def table(self, name: str) -> pa.Table:
        """A measure of the whole table. Raises MissingInput where it was not measured."""
        if name not in self.tables:
            raise MissingInput(f"{name!r} has not been measured; scan the data set again")
        return self.tables[name]

    def numbers(self, name: str) -> npt.NDArray[np.float64]:
        """(n,) float64 of a numeric or boolean column, NaN where it is null."""
        return self.once("numbers", name, lambda: _numbers(self.column(name)))

    def flags(self, name: str) -> npt.NDArray[np.bool_]:
        """(n,) bool of a boolean column, False where it is null."""
        return self.once(
            "flags", name, lambda: pc.fill_null(self.column(name), False).to_numpy().astype(bool)
        )

    def codes(self, name: str) -> tuple[npt.NDArray[np.int32], tuple[str, ...]]:
        """A text column as (n,) int32 codes (-1 where null) and the texts they stand for.

        Labels come in the order of `dataset.class_names`, splits in that of `dataset.splits`,
        anything else sorted; texts that no row has are left out, except class names and splits.
        """
        return self.once("codes", name, lambda: self._codes(name))

    def texts(self, name: str) -> npt.NDArray[np.object_]:
        """(n,) object array of str, '' where it is null."""
        return self.once("texts", name, lambda: _texts(self.column(name)))

    def _codes(self, name: str) -> tuple[npt.NDArray[np.int32], tuple[str, ...]]:
        encoded = self.column(name).combine_chunks()
        if isinstance(encoded, pa.ChunkedArray):  # an empty or very long column stays chunked
            encoded = (
                pa.concat_arrays(encoded.chunks)
                if encoded.num_chunks
                else pa.array([], pa.string())
            )
        if not pa.types.is_dictionary(encoded.type):
            encoded = encoded.cast(pa.string()).dictionary_encode()
        found = [str(v) for v in encoded.dictionary.to_pylist()]
        fixed = {"label": self.dataset.class_names, "split": self.dataset.splits}.get(name, ())
        used = sorted(set(found) - set(fixed))
        names = (*fixed, *used)
        place = {text: i for i, text in enumerate(names)}
        lookup = np.array([place[t] for t in found] + [-1], dtype=np.int32)
        raw = pc.fill_null(encoded.indices, len(found)).to_numpy(zero_copy_only=False)
        return lookup[raw], tuple(names)

    def fingerprint(self) -> str:
        """24 hex digits over every sample's path, label, split and content, in order."""
        digest = hashlib.blake2b(digest_size=12)
        for name in ("path", "label", "split", "content_hash"):
            for text in self.texts(name):
                digest.update(text.encode("utf-8", "surrogatepass"))
                digest.update(b"\0")
        return digest.hexdigest()

    def once(self, kind: str, name: str, make: Callable[[], T]) -> T:
        """`make()`, worked out once for this evidence and kept with it."""
        if (kind, name) not in self._cache:
            self._cache[kind, name] = make()
        kept: T = self._cache[kind, name]
        return kept


def is_number(kind: pa.DataType) -> bool:
    """Whether values of this type are whole numbers or floats; flags are neither."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _numbers(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    if not (is_number(column.type) or pa.types.is_boolean(column.type)):
        raise MissingInput(f"a column of type {column.type} holds no numbers")
    as_float = pc.cast(column, pa.float64(), safe=False)
    return np.asarray(pc.fill_null(as_float, np.nan).to_numpy(), dtype=np.float64)


def _texts(column: pa.ChunkedArray) -> npt.NDArray[np.object_]:
    values = pc.fill_null(pc.cast(column, pa.string()), "")
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=object)
