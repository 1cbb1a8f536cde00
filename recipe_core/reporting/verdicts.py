"""In which order, with which sign and word is a verdict shown?"""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType

from recipe_core.kernel.nouns import VERDICTS, Finding, Verdict

SIGNS = MappingProxyType({"fail": "✕", "warn": "!", "error": "?", "pass": "✓", "skipped": "–"})
WORDS = MappingProxyType(
    {"fail": "Fail", "warn": "Warning", "error": "Error", "pass": "Pass", "skipped": "Skipped"}
)


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Findings in the order of VERDICTS; alike verdicts stay in the order given."""
    return sorted(findings, key=lambda f: VERDICTS.index(f.verdict))


def tally(findings: Iterable[Finding]) -> list[tuple[Verdict, int]]:
    """How many findings have each verdict, worst first, verdicts that none has left out."""
    given = [f.verdict for f in findings]
    return [(v, given.count(v)) for v in VERDICTS if v in given]
