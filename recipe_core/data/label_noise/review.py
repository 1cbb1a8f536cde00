"""What do people's decisions say about the queue of suspected labels?

A label that was changed, or a sample that was left out, was wrong; one that was kept was right; one
tagged `unsure` was looked at and says neither.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recipe_core.data.label_noise.measure import NAME, NEAR_ROWS, PROBABILITY, SUGGESTED, summary_of
from recipe_core.kernel.evidence import Evidence
from recipe_core.kernel.intervals import wilson

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

UNSURE = "unsure"
"""The tag of a sample that somebody looked at and could not judge."""
SPARSE = 0.1
"""When fewer of the next ones than this are expected to be wrong, looking on pays little."""
NEXT = 50


@dataclass(frozen=True)
class Queue:
    """Suspected labels, the most probable first; k samples.

    rows       (k,) int64 sample rows
    wrong      (k,) P(wrong)
    given, suggested  (k,) object str
    decided    (k,) 1 found wrong, 0 found right, NaN nobody said
    seen       (k,) bool: somebody looked, `decided` or `unsure`
    near       (k,) lists of sample rows that look alike
    typical    class name -> sample rows that show it best
    """

    rows: Rows
    wrong: Floats
    given: npt.NDArray[np.object_]
    suggested: npt.NDArray[np.object_]
    decided: Floats
    seen: npt.NDArray[np.bool_]
    near: pa.Array
    typical: dict[str, list[int]]

    def __len__(self) -> int:
        return len(self.rows)

    def pairs(self, least: float) -> npt.NDArray[np.bool_]:
        """(k,) which are suspected: another class suggested, P(wrong) at least so high."""
        return np.asarray((self.suggested != self.given) & (self.wrong >= least))

    def precision(self) -> tuple[int, int, float, float]:
        """(found wrong, judged, low, high): the share of judged ones that were wrong, 95 %."""
        known = ~np.isnan(self.decided)
        n, k = int(known.sum()), int(np.nansum(self.decided))
        return k, n, *wilson(k, n)


def queue(evidence: Evidence, decided: pa.Table) -> Queue:
    """The queue of a data set whose label noise was measured. Raises MissingInput else.

    decided  recipe.decided: decisions in force, with `row`
    """
    bare = evidence.once("queue", NAME, lambda: _undecided(evidence))
    said, seen = _said(bare.rows, bare.given, decided)
    return replace(bare, decided=said, seen=seen)


def _undecided(evidence: Evidence) -> Queue:
    """The queue before anybody decided anything: worked out once."""
    table = evidence.table(NAME)
    about = summary_of(table)
    order = np.argsort(-table[PROBABILITY].to_numpy(), kind="stable")
    table = table.take(pa.array(order)).combine_chunks()
    rows = table["row"].to_numpy().astype(np.int64)
    return Queue(
        rows, table[PROBABILITY].to_numpy().astype(np.float64), evidence.texts("label")[rows],
        np.asarray(table[SUGGESTED].to_pylist(), dtype=object), np.full(len(rows), np.nan),
        np.zeros(len(rows), bool), pa.concat_arrays(table[NEAR_ROWS].chunks),
        dict(zip(about["class_names"], about["typical"], strict=True)),
    )  # fmt: skip


def _said(
    rows: Rows, given: npt.NDArray[np.object_], decided: pa.Table
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    place = {int(r): i for i, r in enumerate(rows)}
    said, seen = np.full(len(rows), np.nan), np.zeros(len(rows), bool)
    for act in decided.select(["row", "excluded", "label", "tags"]).to_pylist():
        i = place.get(act["row"], -1) if act["row"] is not None else -1
        if i < 0:
            continue
        if act["excluded"] or (act["label"] is not None and act["label"] != given[i]):
            said[i] = 1
        elif act["excluded"] is False:
            said[i] = 0
        seen[i] = not np.isnan(said[i]) or UNSURE in (act["tags"] or ())
    return said, seen


def advice(queue: Queue) -> tuple[int, float, float]:
    """(found, expected in all, expected share among the next NEXT unseen): when to stop.

    Expected in all: what was found, and the probabilities of what nobody judged, each times the
    ratio of found to expected among what was judged (at least 20 judged).
    """
    known = ~np.isnan(queue.decided)
    found = int(np.nansum(queue.decided))
    believed = float(queue.wrong[known].sum())
    factor = found / believed if known.sum() >= 20 and believed > 0 else 1.0
    left = queue.wrong[~queue.seen]
    ahead = float(np.clip(left[:NEXT] * factor, 0, 1).mean()) if len(left) else 0.0
    total = found + float(np.clip(queue.wrong[~known] * factor, 0, 1).sum())
    return found, total, ahead
