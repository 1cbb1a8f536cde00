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

from recipe_core.data.near_pairs import FLOOR, NEAR, RADIUS, limits_of, recorded
from recipe_core.data.pixel_copies import firsts
from recipe_core.images.copy_keys import WAYS
from recipe_core.images.edits import EDITS, Plan, Recognised, recognised
from recipe_core.images.likeness import FINE_FROM, TURNS
from recipe_core.kernel.check import Finish, Measure
from recipe_core.kernel.evidence import Evidence, Files
from recipe_core.kernel.intervals import wilson
from recipe_core.kernel.nouns import Chart
from recipe_core.kernel.progress import Progress

Floats = npt.NDArray[np.float64]

SAMPLED = 48  # pictures: a recall of 1 is then at least 0.93 an edit, 0.99 over all (95 %)
TOGETHER = 24  # pictures edited by one worker at once: the fewer, the longer each takes
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
            among the data set's look-alikes, or not compared (near_pairs.Limits)
turn        as in near_pairs
"""


def measure_planted(evidence: Evidence, files: Files, progress: Progress) -> pa.Table:
    """PLANTED_FIELDS, len(EDITS) rows for each of at most SAMPLED pictures with something to see.

    Deterministic: the sample, spread over the data set, and the edits come from SEED.
    """
    return begin_planted(evidence, files)(evidence, progress)


def begin_planted(evidence: Evidence, files: Files) -> Finish:
    """Has the pictures edited and found again while other measures are made."""
    rows = spread(firsts(evidence), SAMPLED).tolist()
    longer = np.fmax(evidence.numbers("width"), evidence.numbers("height"))
    rough = bool((longer < FINE_FROM).any())  # else no pair is judged by coarser detail
    plans = (
        Plan(SEED, RADIUS, rough, {row: files.thumbnail(row) for row in rows[at : at + TOGETHER]})
        for at in range(0, len(rows), TOGETHER)
    )
    answers = files.shared_out(recognised, plans)

    def finish(evidence: Evidence, progress: Progress) -> pa.Table:
        progress("planting copies", 0, len(rows))
        found = {row: seen for answer in answers for row, seen in answer.items()}
        return _table(found, evidence.table(NEAR.name))

    return finish


def spread(rows: npt.NDArray[np.int64], k: int) -> npt.NDArray[np.int64]:
    """At most k of the rows, one drawn from each of k equal stretches; the same each time."""
    if len(rows) <= k:
        return rows
    place = (np.arange(k) + np.random.default_rng(SEED).random(k)) * (len(rows) / k)
    return rows[place.astype(np.int64)]


def _table(found: Mapping[int, Recognised], near: pa.Table) -> pa.Table:
    """PLANTED_FIELDS, as if the edited copies had been among the pictures of `near`."""
    least, small_too = recorded(near)
    if not found:
        return PLANTED_FIELDS.empty_table()
    distance, way, fine, rough = map(np.concatenate, zip(*found.values(), strict=True))
    similarity = rough if small_too else fine
    similarity[(similarity < least) | ~limits_of(near).compared(distance, way)] = 0
    columns = [
        list(EDITS) * len(found), np.repeat([*found], len(EDITS)), distance, similarity,
        [TURNS[WAYS[w].turn] for w in way],
    ]  # fmt: skip
    return pa.table(
        [pa.array(c, f.type) for c, f in zip(columns, PLANTED_FIELDS, strict=True)],
        schema=PLANTED_FIELDS,
    )


PLANTED = Measure(
    "planted_copies", 3, ("content_hash", "error"), measure_planted, pictures=True,
    begin=begin_planted,
)  # fmt: skip


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
