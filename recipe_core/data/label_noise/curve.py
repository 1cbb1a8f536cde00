"""How many pictures must one look at to find so many of the wrong labels?

From the probabilities alone before anyone has looked; what people decided since takes their place.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]


def found_by(wrong: Floats, decided: Floats | None = None) -> npt.NDArray[np.float64]:
    """(n,) expected share of all wrong labels among the first k + 1 of the queue.

    wrong    (n,) P(wrong) in any order; the queue goes from the most probable down
    decided  (n,) 1 where a person found it wrong, 0 where right, NaN where nobody looked
    """
    order = np.argsort(-wrong, kind="stable")
    believed = wrong.astype(np.float64)[order]
    if decided is not None:
        said = decided[order]
        believed = np.where(np.isnan(said), believed, said)
    total = believed.sum()
    return np.asarray(np.cumsum(believed) / total if total > 0 else np.ones(len(believed)))


def look_at(wrong: Floats, share: float, decided: Floats | None = None) -> int:
    """How many of the queue's first contain this share of the wrong labels, as expected."""
    if not len(wrong):
        return 0
    found = found_by(wrong, decided)
    return min(int(np.searchsorted(found, share - 1e-12)) + 1, len(found))


def precision_at(wrong: Floats, n: int) -> float:
    """Expected share of wrong labels among the first n of the queue."""
    return float(np.sort(wrong)[::-1][:n].mean()) if n and len(wrong) else 0.0
