"""What does a script read of an examination? The sanity JSON of the contract, schema 1."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from recipe_core.kernel.nouns import Finding
from recipe_core.kernel.plain import plain
from recipe_core.kernel.report import further

SCHEMA = 1


def sanity_json(findings: Iterable[Finding], about: Mapping[str, Any]) -> dict[str, Any]:
    """The document: what was examined, and every check with its evidence.

    Pictures are named, not embedded: the page and the HTML report show them.
    """
    document: dict[str, Any] = plain({
        "schema": SCHEMA,
        "task": about.get("task") or "built-in",
        "device": about.get("device", ""),
        "seed": about.get("seed", 0),
        "checks": [_row(f) for f in findings],
    })  # fmt: skip
    return document


def _row(f: Finding) -> dict[str, Any]:
    more = further(f)
    return {
        "id": f.check, "verdict": f.verdict, "value": f.value, "expected": f.expected,
        "summary": f.summary, "next_step": f.next_step, "seconds": round(f.seconds, 3),
        "evidence": {
            "numbers": dict(f.numbers), "thresholds": dict(f.thresholds),
            "because": list(f.because), "tables": more.get("tables", []),
            "charts": [asdict(c) for c in f.charts],
            "pictures": [
                {"title": p.title, "caption": p.caption, "height": p.pixels.shape[0],
                 "width": p.pixels.shape[1]}
                for p in f.pictures
            ],
        },
    }  # fmt: skip
