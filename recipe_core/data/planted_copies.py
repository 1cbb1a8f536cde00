"""Which edits of your own pictures would be recognised as copies, and at which thresholds?

A sample of the data set is edited in eight ways, from the thumbnails, and each edited copy is put
to the same test as any pair: nominated by hash, compared on pixels. That gives recall. What the
same thresholds report among the unedited pictures is an upper bound of false alarms, because some
of it are real copies: so it gives a lower bound of precision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recipe_core.data.near_pairs import FLOOR, NEAR, RADIUS, compared, recorded
from recipe_core.data.pixel_copies import firsts
from recipe_core.images.copy_keys import WAYS, Keys
from recipe_core.images.edits import EDITS, Edited, edited
from recipe_core.images.likeness import TURNS, WHOLE
from recipe_core.kernel.check import Measure
from recipe_core.kernel.evidence import Evidence, Files
from recipe_core.kernel.intervals import wilson
from recipe_core.kernel.nouns import Chart
from recipe_core.kernel.progress import Progress, silent

Floats = npt.NDArray[np.float64]

SAMPLED = 48  # pictures: a recall of 1 is then at least 0.93 an edit, 0.99 over all (95 %)
SEED = 0
STEPS = np.round(np.linspace(FLOOR, 1, 21), 3)
"""Similarities at which the curve is drawn."""

PLANTED_FIELDS = pa.schema(
    [
        ("edit", pa.string()),
        ("row", pa.int64()),
        ("distance", pa.uint8()),
        ("similarity", pa.float32()),
        ("turn", pa.string()),
    ]
)
"""One row per planted copy.

row         the sample that was edited
distance    bits between the hashes that nominate the pair best, 0 … 64
similarity  as in near_pairs; 0 where the pair would not stand there: beyond the widest radius, or
            among the data set's look-alikes
turn        as in near_pairs
"""


def measure_planted(evidence: Evidence, files: Files, progress: Progress) -> pa.Table:
    """PLANTED_FIELDS, len(EDITS) rows for each of at most SAMPLED pictures with something to see.

    Deterministic: the sample, spread over the data set, and the edits come from SEED.
    """
    rows = spread(firsts(evidence), SAMPLED)
    progress("planting copies", 0, len(rows))
    parts = ((SEED, int(row), files.thumbnail(int(row))) for row in rows)
    pairs = zip(rows, files.shared_out(edited, parts), strict=True)
    made = {int(row): of_row for row, of_row in pairs if of_row is not None}
    if not made:
        return PLANTED_FIELDS.empty_table()
    squares, keys, coarse = zip(*made.values(), strict=True)
    each = Edited(
        np.concatenate(squares),
        Keys(np.concatenate([k.base for k in keys]), np.concatenate([k.others for k in keys])),
        np.concatenate(coarse),
    )
    return _table(np.array([*made], np.int64), each, recorded(evidence.table(NEAR.name)), files)


def spread(rows: npt.NDArray[np.int64], k: int) -> npt.NDArray[np.int64]:
    """At most k of the rows, one drawn from each of k equal stretches; the same each time."""
    if len(rows) <= k:
        return rows
    place = (np.arange(k) + np.random.default_rng(SEED).random(k)) * (len(rows) / k)
    return rows[place.astype(np.int64)]


def _table(
    rows: npt.NDArray[np.int64], made: Edited, near_pairs: tuple[float, bool], files: Files
) -> pa.Table:
    """From n pictures with their edits, one after the other; `near_pairs`: see `recorded`."""
    n, k = len(rows), len(EDITS)
    least, small_too = near_pairs
    copy = np.flatnonzero(np.arange(len(made.squares)) % (k + 1))
    original = copy // (k + 1) * (k + 1)
    a, b, distance, way = nominated(made.keys, original, copy)
    near = distance <= RADIUS
    similarity = np.zeros(len(copy), np.float32)
    similarity[near] = compared(
        made.squares, made.coarse * small_too, a[near], b[near], way[near], files, silent
    )
    similarity[similarity < least] = 0
    turn = [TURNS[WAYS[w].turn] for w in way]
    columns = [list(EDITS) * n, np.repeat(rows, k), distance, similarity, turn]
    return pa.table(
        [pa.array(c, f.type) for c, f in zip(columns, PLANTED_FIELDS, strict=True)],
        schema=PLANTED_FIELDS,
    )


def nominated(
    keys: Keys, one: npt.NDArray[np.int64], other: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], ...]:
    """(a, b, distance, way) of given pairs of pictures, as the search over all pairs finds them."""
    found = [(np.bitwise_count(keys.base[one] ^ keys.base[other]), 0, one, other)]
    for i, w in enumerate(WAYS[1:]):
        moving = keys.others[:, i]
        for a, b in ((one, other), (other, one)):
            still = keys.base if w.still == WHOLE else moving
            found.append((np.bitwise_count(still[a] ^ moving[b]), i + 1, a, b))
    distances = np.stack([f[0] for f in found])
    best, each = distances.argmin(axis=0), np.arange(len(one))  # the first: the plainest way
    a, b = np.stack([f[2] for f in found]), np.stack([f[3] for f in found])
    way = np.array([f[1] for f in found])[best]
    return a[best, each], b[best, each], distances[best, each].astype(np.int64), way


PLANTED = Measure("planted_copies", 2, ("content_hash", "error"), measure_planted)


# ---------------------------------------------------------------- for judges


def recall_by_radius(planted: pa.Table, similarity: float, turned: bool) -> dict[str, Floats]:
    """edit -> (RADIUS + 1,) share of its planted copies that are found at radius 0, 1 …"""
    edit = planted["edit"].to_numpy()
    distance = planted["distance"].to_numpy()
    alike = _alike(planted, similarity, turned)
    radii = np.arange(RADIUS + 1)[:, None]
    return {
        name: (alike & (distance <= radii))[:, edit == name].mean(axis=1)
        for name in EDITS if (edit == name).any()
    }  # fmt: skip


def _alike(planted: pa.Table, similarity: float, turned: bool) -> npt.NDArray[np.bool_]:
    alike = planted["similarity"].to_numpy() >= np.float32(similarity)
    return np.asarray(alike if turned else alike & (planted["turn"].to_numpy() == ""))


def smallest_radius(recall: Mapping[str, Floats], max_loss: float) -> int:
    """The smallest radius at which no edit's recall is more than `max_loss` below the widest one's.

    RADIUS where nothing was planted.
    """
    for radius in range(RADIUS):
        lost = [r[-1] - r[radius] for r in recall.values()]
        if lost and max(lost) <= max_loss + 1e-9:
            return radius
    return RADIUS


def found_and_reported(
    evidence: Evidence, radius: int, similarity: float, turned: bool
) -> tuple[int, int, int, int]:
    """(planted copies found, planted copies, pairs reported among unedited pictures, pictures)."""
    planted, near = evidence.table(PLANTED.name), evidence.table(NEAR.name)
    found = _alike(planted, similarity, turned) & (planted["distance"].to_numpy() <= radius)
    others = _alike(near, similarity, turned) & (near["distance"].to_numpy() <= radius)
    return int(found.sum()), len(planted), int(others.sum()), len(firsts(evidence))


def curve_numbers(
    evidence: Evidence, radius: int, similarity: float, turned: bool
) -> dict[str, object]:
    """Recall with its 95 % interval, and the lower bound of precision, as JSON values.

    `precision_at_least` holds for a data set in which every picture has one edited copy.
    """
    found, n, pairs, pictures = found_and_reported(evidence, radius, similarity, turned)
    if not n:
        return {"planted_copies": 0}
    low, high = wilson(found, n)
    each = recall_by_radius(evidence.table(PLANTED.name), similarity, turned)
    return {
        "planted_copies": n, "recall": found / n, "recall_low": low, "recall_high": high,
        "recall_of_edit": {name: float(r[radius]) for name, r in each.items()},
        "unplanted_pairs_per_picture": pairs / max(pictures, 1),
        "precision_at_least": _precision(found / n, pairs, pictures),
    }  # fmt: skip


def _precision(recall: float, pairs: int, pictures: int) -> float:
    reported = recall * pictures + pairs
    return recall * pictures / reported if reported else 1.0


def curve_charts(
    evidence: Evidence, radius: int, similarity: float, turned: bool
) -> tuple[Chart, ...]:
    """Recall of each edit over the radius; recall and precision over the similarity."""
    each = recall_by_radius(evidence.table(PLANTED.name), similarity, turned)
    if not each:
        return ()
    steps = [found_and_reported(evidence, radius, float(s), turned) for s in STEPS]
    recall = [found / n for found, n, _, _ in steps]
    precision = [_precision(found / n, pairs, m) for found, n, pairs, m in steps]
    return (
        Chart("line", "Planted copies found, by radius", "radius (bits)", "share found",
              list(range(RADIUS + 1)), {name: r.tolist() for name, r in each.items()}),
        Chart("line", f"Planted copies found, by similarity (radius {radius})", "least similarity",
              "share", _plain(STEPS), {"recall": recall, "precision, at least": precision}),
    )  # fmt: skip


def _plain(values: npt.NDArray[np.float64]) -> Sequence[float]:
    return [float(v) for v in values]
