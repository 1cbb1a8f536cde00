"""Where do the annotated boxes lie on the picture as it is displayed, and how large are they?

A camera may store a picture turned and say so in EXIF (orientation 2 … 8). Labelling tools that
run in a browser, and OpenCV, draw boxes on the turned (displayed) picture; older ones draw them on
the stored one. The annotated size decides where it can: for orientations 5 … 8 the two sizes are
each other's transpose. What it cannot decide (no size, square, orientations 2 … 4) follows the
majority of the data set's decided boxes, and is taken as displayed where there are none.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from recipe_core.kernel.nouns import BOX_FIELDS

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

BOX_COLUMN_FIELDS = pa.schema(
    [
        ("n_boxes", pa.int32()),
        ("box_labels", pa.string()),
        ("box_area_share", pa.float32()),
        ("smallest_box_share", pa.float32()),
    ]
)
"""
n_boxes             annotated boxes of the sample
box_labels          their labels, sorted, each once, joined by ", "
box_area_share      sum of their areas (cut at the image's border) / the image's area, at most 1;
                    boxes that overlap count twice
smallest_box_share  area of the smallest / the image's area, 0 … 1
All null where the data set has no boxes at all; the shares also where a sample has none or its
size is unknown.
"""

CORNERS = ("xmin", "ymin", "xmax", "ymax")


def pixel_boxes(boxes: pa.Table, samples: pa.Table) -> pa.Table:
    """BOX_FIELDS in pixels of the displayed picture, `relative` False everywhere.

    samples  with width, height (int32, pixels as displayed) and orientation (int8, 1 … 8), null
             where the picture could not be measured
    Relative corners of an unmeasured picture become null; pixel corners stay as annotated.
    annotated_width and annotated_height are turned with the box.
    """
    if boxes.num_rows == 0:
        return boxes
    width, height, orientation = (
        _of_box(boxes, samples, c) for c in ("width", "height", "orientation")
    )
    corners = np.stack([_floats(boxes[c]) for c in CORNERS])
    claimed = np.stack([_floats(boxes["annotated_width"]), _floats(boxes["annotated_height"])])
    stored = drawn_on_stored(claimed, width, height, orientation)
    turned = np.where(np.isfinite(orientation), orientation, 1).astype(int)
    stored_size = np.where(turned >= 5, [height, width], [width, height])
    relative = pc.fill_null(boxes["relative"], False).to_numpy().astype(bool)
    size = np.where(stored, stored_size, [width, height])
    scale = np.where(relative, size, 1.0)
    corners = corners * np.concatenate([scale, scale])
    corners = _turned(corners, size, np.where(stored, turned, 1))
    claimed = np.where(stored & (turned >= 5), claimed[::-1], claimed)
    return _rebuilt(boxes, corners, claimed, relative & ~np.isfinite(width))


def drawn_on_stored(claimed: Floats, width: Floats, height: Floats, orientation: Floats) -> Flags:
    """(k,) bool: whether each box was drawn on the picture as stored (see the module's text).

    claimed: (2, k) annotated width and height, NaN where none; the others (k,), as displayed.
    """
    pending = orientation >= 2
    transposing = (orientation >= 5) & (width != height)
    as_shown = transposing & (claimed[0] == width) & (claimed[1] == height)
    as_stored = transposing & (claimed[0] == height) & (claimed[1] == width)
    majority = as_stored.sum() > as_shown.sum()
    return np.asarray(as_stored | (pending & ~as_shown & majority), dtype=bool)


def box_columns(boxes: pa.Table, samples: pa.Table) -> pa.Table:
    """BOX_COLUMN_FIELDS, a row per sample. `boxes`: relative or in pixels of the displayed picture.

    samples  with width and height; where they are null, the annotated size stands in.
    """
    n = samples.num_rows
    if boxes.num_rows == 0:
        return pa.table({f.name: pa.nulls(n, f.type) for f in BOX_COLUMN_FIELDS})
    row = boxes["row"].to_numpy()
    share = box_shares(boxes, samples)
    known = np.isfinite(share)
    total = np.bincount(row[known], share[known], minlength=n).clip(0, 1)
    smallest = np.full(n, np.inf)
    np.minimum.at(smallest, row[known], share[known])
    unknown = np.bincount(row[known], minlength=n) == 0
    columns = [
        pa.array(np.bincount(row, minlength=n), pa.int32()),
        _labels(boxes, n),
        pa.array(total.astype(np.float32), mask=unknown),
        pa.array(np.where(unknown, 0, smallest).astype(np.float32), mask=unknown),
    ]
    return pa.Table.from_arrays(columns, schema=BOX_COLUMN_FIELDS)


def box_shares(boxes: pa.Table, samples: pa.Table) -> Floats:
    """(k,) area of each box within its image / the image's area, 0 … 1; NaN where unknown."""
    relative = pc.fill_null(boxes["relative"], False).to_numpy().astype(bool)
    size = []
    for measured, claimed in (("width", "annotated_width"), ("height", "annotated_height")):
        known = _of_box(boxes, samples, measured)
        side = np.where(np.isfinite(known), known, _floats(boxes[claimed]))
        size.append(np.where(relative, 1.0, side))
    xmin, ymin, xmax, ymax = (_floats(boxes[c]) for c in CORNERS)
    w = np.minimum(xmax, size[0]) - np.maximum(xmin, 0)
    h = np.minimum(ymax, size[1]) - np.maximum(ymin, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.maximum(w, 0) * np.maximum(h, 0) / (size[0] * size[1]))


def _turned(corners: Floats, size: Floats, orientation: npt.NDArray[np.int_]) -> Floats:
    """Corners on the stored picture of `size` (2, k) as corners on the displayed one.

    EXIF 2.32, tag 0x0112: 2 mirrored, 3 turned by 180°, 4 flipped, 5 transposed,
    6 to be turned 90° clockwise, 7 transversed, 8 to be turned 90° counter-clockwise.
    """
    x, y = np.stack([corners[0], corners[2]]), np.stack([corners[1], corners[3]])
    across, down = size[0] - x, size[1] - y
    cases = [orientation == o for o in range(2, 9)]
    new_x = np.select(cases, [across, across, x, y, down, down, y], x)
    new_y = np.select(cases, [y, down, down, x, x, across, across], y)
    # A turn swaps which corner is the smaller one; a box that was inverted must stay inverted
    swap_x = np.isin(orientation, (2, 3, 6, 7))
    swap_y = np.isin(orientation, (3, 4, 7, 8))
    new_x, new_y = np.where(swap_x, new_x[::-1], new_x), np.where(swap_y, new_y[::-1], new_y)
    return np.stack([new_x[0], new_y[0], new_x[1], new_y[1]])


def _rebuilt(boxes: pa.Table, corners: Floats, claimed: Floats, lost: Flags) -> pa.Table:
    new = {
        name: pa.array(c, pa.float64(), mask=lost) for name, c in zip(CORNERS, corners, strict=True)
    }
    new["relative"] = pa.array(np.zeros(boxes.num_rows, bool))
    for name, c in zip(("annotated_width", "annotated_height"), claimed, strict=True):
        new[name] = pa.array(np.nan_to_num(c), mask=~np.isfinite(c)).cast(pa.int32())
    columns = [new.get(f.name, boxes[f.name]) for f in BOX_FIELDS]
    return pa.table(columns, schema=BOX_FIELDS)


def _labels(boxes: pa.Table, n: int) -> pa.Array:
    coded = boxes["label"].combine_chunks().dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.combine_chunks()
    names = np.array([*coded.dictionary.to_pylist(), ""], dtype=object)
    order = np.argsort(names[:-1].astype(str))
    place = np.empty(len(names), np.int64)
    place[order], place[-1] = np.arange(len(order)), len(order)
    codes = place[pc.fill_null(coded.indices, len(names) - 1).to_numpy(zero_copy_only=False)]
    pairs = np.unique(boxes["row"].to_numpy() * len(names) + codes)
    rows, codes = np.divmod(pairs, len(names))
    texts = [""] * n
    by_place = [*names[order], ""]
    for row, code in zip(rows.tolist(), codes.tolist(), strict=True):
        texts[row] = f"{texts[row]}, {by_place[code]}" if texts[row] else by_place[code]
    return pa.array(texts, pa.string())


def _of_box(boxes: pa.Table, samples: pa.Table, column: str) -> Floats:
    """(k,) float64: the sample's value for each box, NaN where it is null or not measured."""
    if column not in samples.column_names:
        return np.full(boxes.num_rows, np.nan)
    rows: npt.NDArray[np.int64] = boxes["row"].to_numpy()
    return np.asarray(_floats(samples[column])[rows])


def _floats(column: pa.ChunkedArray) -> Floats:
    values = pc.cast(column, pa.float64(), safe=False)
    return np.asarray(pc.fill_null(values, np.nan).to_numpy(), dtype=np.float64)
