"""What is a planted fault? A data set with it, its healthy twin, and who must be named.

Every check has a file `plant_<check id>.py` here with `PLANTS`; tests/contracts/test_checks.py
scans both folders of each and refuses a check without one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Plant:
    """One fault of one check.

    name      what was planted, in a few words
    fault     writes a data set with the fault into the (empty) folder
    healthy   writes its twin without the fault, otherwise as alike as can be
    subjects  paths (below the folder) that must be exactly the finding's subjects, order aside;
              None where the finding is about the whole data set
    verdicts  the verdicts that count as caught
    """

    name: str
    fault: Callable[[Path], None]
    healthy: Callable[[Path], None]
    subjects: frozenset[str] | None = None
    verdicts: frozenset[str] = frozenset({"warn", "fail"})
    settings: Mapping[str, float | int | bool | str] = field(default_factory=dict)
