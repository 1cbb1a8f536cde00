"""What do the rooms of this house talk about?

Values only: frozen, without behaviour beyond reading themselves. Tables are Arrow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Verdict = Literal["pass", "warn", "fail", "skipped", "error"]
VERDICTS: tuple[Verdict, ...] = ("fail", "warn", "error", "pass", "skipped")
"""Worst news first: the order in which findings are shown."""

SAMPLE_FIELDS = pa.schema(
    [
        ("sample_id", pa.string()),
        ("path", pa.string()),
        ("file", pa.binary()),
        ("member", pa.int64()),
        ("label", pa.dictionary(pa.int32(), pa.string())),
        ("split", pa.dictionary(pa.int32(), pa.string())),
    ]
)
"""The columns that every source fills, one row per sample; any further columns follow.

sample_id   16 hex digits, stable while the sample's file name (and member) stays the same
path        posix path below the root as a person reads it (bytes that are no UTF-8 as \\xNN);
            for a picture inside a container file: `container::row`
file        os.fsencode of the path below the root (absolute when outside it);
            null where it is exactly `path` in UTF-8
member      row inside a container file (Parquet with embedded pictures), null for plain files
label       class name, null where there is none
split       as the data set names it, null where there is none
"""

BOX_FIELDS = pa.schema(
    [
        ("row", pa.int64()),
        ("label", pa.string()),
        ("xmin", pa.float64()),
        ("ymin", pa.float64()),
        ("xmax", pa.float64()),
        ("ymax", pa.float64()),
        ("relative", pa.bool_()),
        ("annotated_width", pa.int32()),
        ("annotated_height", pa.int32()),
        ("place", pa.string()),
    ]
)
"""One row per annotated box. `row`: index into the sample table; corners in pixels of the stored
image, or as shares of its width and height where `relative`; annotated_*: the image size that the
annotation claims, null where it claims none; `place`: file (and line or id) it was read from."""


@dataclass(frozen=True)
class Note:
    """Something seen while a data set was read that is worth a sentence, not a failure.

    `kind` is one of: other_files, missing_files, duplicate_rows, unreadable_folder, symlink_loop,
    case_clash, empty_folder, bad_annotation, detection, unlabelled.
    """

    kind: str
    text: str
    items: tuple[str, ...] = ()
    n_items: int = 0


@dataclass(frozen=True)
class Dataset:
    """A data set as it was read: which samples there are, not yet what is in them.

    samples      SAMPLE_FIELDS and any further columns, n rows
    boxes        BOX_FIELDS, zero rows where there are none
    class_names  in the data set's own order (labels and box labels)
    splits       in the order train, validation, test, others
    """

    name: str
    root: Path
    format: str
    samples: pa.Table
    boxes: pa.Table
    class_names: tuple[str, ...]
    splits: tuple[str, ...]
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class Subjects:
    """The samples that a finding is about.

    rows     (k,) int64, indices into the sample table
    scores   (k,) float32, 0 worst … 1 fine
    groups   (k,) int64, equal numbers belong together; None where grouping means nothing
    details  k short texts, one per row ("copy of train/cat/0001.jpg, 2 bits away")
    """

    rows: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]
    details: Sequence[str]
    groups: npt.NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def blamed(self) -> npt.NDArray[np.int64]:
        """(m,) int64 rows with a score below 1, ascending, each once.

        A copy that is to stay belongs to its group with a score of 1, and is not to blame.
        """
        return np.unique(self.rows[np.asarray(self.scores) < 1]).astype(np.int64)


NO_SUBJECTS = Subjects(np.empty(0, np.int64), np.empty(0, np.float32), ())


@dataclass(frozen=True)
class Chart:
    """The data of one picture, apart from how it is drawn (plain lists: it goes to JSON as it is).

    kind        bar          x: k categories;          series: name -> k heights (several: grouped)
                stacked_bar  x: k categories;          series: name -> k heights
                histogram    x: k + 1 bin edges;       series: name -> k counts
                line         x: k positions;           series: name -> k values
                scatter      x: k positions;           series: name -> k values
                heatmap      x: k column names;        series: row name -> k values
    limits      thresholds to draw as lines across the x axis (histogram) or the y axis (others)
    column      the sample-table column that x shows, where a click on x should filter by it
    """

    kind: Literal["bar", "stacked_bar", "histogram", "line", "scatter", "heatmap"]
    title: str
    x_title: str
    y_title: str
    x: Sequence[Any]
    series: Mapping[str, Sequence[float]]
    limits: Sequence[float] = ()
    column: str | None = None


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture that a finding shows as evidence.

    pixels  (H, W, 3) uint8, sRGB
    """

    title: str
    pixels: npt.NDArray[np.uint8]
    caption: str = ""


@dataclass(frozen=True)
class Table:
    """A table that a finding shows as evidence: plain texts and numbers, as many as columns."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Finding:
    """What a check has to say. A judge fills the first and the last block, the desk the second."""

    verdict: Verdict
    summary: str
    """One sentence: what was seen, what was expected; carries n and, for estimates, an interval."""
    next_step: str = ""
    """What the user should do next; empty only where nothing needs doing."""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    """JSON values by name: the figures behind the sentence."""
    subjects: Subjects = NO_SUBJECTS
    charts: tuple[Chart, ...] = ()

    check: str = ""
    stage: str = ""
    thresholds: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    value: Any = None
    """The one figure that the verdict hangs on, as a number or a short text; None without one."""
    expected: str = ""
    """What `value` should have been, in a few words ("2.30 ± 0.04", "at least 0.9")."""
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()
    because: tuple[str, ...] = ()
    """Ids of checks whose bad finding explains this one: mend those first."""
