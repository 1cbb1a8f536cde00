"""What is wrong, in which words, and what to do about it? The pieces of a finding's sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recipe_core.kernel.nouns import Verdict


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    text    what was seen and what was expected; the middle of a sentence
    mend    what to do about it; a sentence
    """

    verdict: Verdict
    text: str
    mend: str


def worst(problems: Sequence[Problem]) -> Verdict:
    """fail before warn before pass."""
    verdicts = {p.verdict for p in problems}
    return "fail" if "fail" in verdicts else "warn" if "warn" in verdicts else "pass"


def sentence(problems: Sequence[Problem], good: str, most: int = 3) -> str:
    """The problems, worst first, as one sentence; `good` where there is none."""
    if not problems:
        return good
    texts = [p.text for p in sorted(problems, key=lambda p: p.verdict != "fail")]
    more = f"; and {len(texts) - most} more" if len(texts) > most else ""
    joined = "; ".join(texts[:most]) + more
    return joined[0].upper() + joined[1:] + "."


def mends(problems: Sequence[Problem]) -> str:
    """What to do, each step once, in the order of the problems."""
    return " ".join(dict.fromkeys(p.mend for p in problems))


def some(names: Sequence[str], most: int = 4) -> str:
    """`a, b and 7 more`: the first few names of many."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
