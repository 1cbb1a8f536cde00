"""What does a net say about the same few pictures while it learns?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app import opened
from recipe_core.reporting.wording import escaped, shortened

FILE = "dynamics.npz"
Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Dynamics:
    """Looks at a fixed batch of k samples.

    steps          (t,) ascending
    probabilities  (t, k, classes)
    rows, targets  (k,) rows of the sample table, -1 where unknown; codes of the labels
    """

    steps: npt.NDArray[np.int64]
    probabilities: Floats
    rows: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """(t, k) the most probable class."""
        return np.asarray(self.probabilities.argmax(axis=2), np.int64)

    def jitter(self) -> Floats:
        """(t,) share of the samples whose predicted class differs from the look before; first 0."""
        changed = np.zeros(len(self))
        changed[1:] = (self.predicted[1:] != self.predicted[:-1]).mean(axis=1)
        return changed

    def right(self) -> Floats:
        """(t,) share of the samples whose predicted class is the label."""
        return np.asarray((self.predicted == self.targets).mean(axis=1))


def read(folder: Path) -> Dynamics | None:
    """What the run wrote so far; None where there is nothing, or half of it."""
    try:
        with np.load(folder / FILE, allow_pickle=False) as found:
            parts = [found[n] for n in ("steps", "probabilities", "rows", "targets")]
    except (OSError, ValueError, KeyError, EOFError):
        return None
    seen = Dynamics(*parts)
    fits = seen.probabilities.ndim == 3 and len(seen.steps) == len(seen.probabilities) > 0
    return seen if fits and seen.probabilities.shape[1] == len(seen.rows) else None


def grid(seen: Dynamics, look: int, class_names: Sequence[str]) -> str:
    """The pictures with what is said of each at this look; those that changed are marked."""
    now = seen.predicted[look]
    before = seen.predicted[look - 1] if look else now
    confident = seen.probabilities[look].max(axis=1)
    cells = "".join(
        _cell(int(seen.rows[i]), _name(class_names, seen.targets[i]), _name(class_names, now[i]),
              float(confident[i]), bool(now[i] == seen.targets[i]),
              _name(class_names, before[i]) if before[i] != now[i] else "")
        for i in range(len(now))
    )  # fmt: skip
    return f'<div class="r-guesses">{cells}</div>'


def _name(names: Sequence[str], code: int) -> str:
    return names[code] if 0 <= code < len(names) else f"class {int(code)}"


def _cell(row: int, label: str, guess: str, sure: float, right: bool, before: str) -> str:
    sign, word = ("✓", "right") if right else ("✕", "wrong")
    named = escaped(shortened(guess, 24))
    label_ = "" if right else f"<u>labelled {escaped(shortened(label, 16))}</u>"
    was = f"<u>before: {escaped(shortened(before, 16))}</u>" if before else ""
    alt = f"labelled {label}, predicted {guess} with {sure:.0%}, {word}"
    return (
        f'<figure class="r-guess {"r-pass" if right else "r-fail"}{" r-moved" if before else ""}" '
        f'title="{escaped(alt)}">{_picture(row, alt)}'
        f'<figcaption><b><span class="r-sign" aria-hidden="true">{sign}</span> {named}</b>'
        f"<i>{sure:.0%}</i>{label_}{was}</figcaption></figure>"
    )


def _picture(row: int, alt: str) -> str:
    if not 0 <= row < len(opened.evidence()):
        return '<span class="r-unseen">not in the data set</span>'
    return (
        f'<img src="/api/thumbnail/{opened.token()}/{row}" alt="{escaped(alt)}" loading="lazy" '
        'decoding="async">'
    )
