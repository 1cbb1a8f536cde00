"""What goes into a report: the findings, the thresholds they used, and what they were made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recipe_core.kernel.nouns import Finding, Verdict
from recipe_core.kernel.plain import plain

SCHEMA = 1


@dataclass(frozen=True)
class Report:
    """The data set in one paragraph, and what every check said.

    dataset   name, source, n_samples, n_classes, splits (name -> n), fingerprint, and extras
    created   ISO-8601 with time zone
    """

    dataset: Mapping[str, Any]
    findings: tuple[Finding, ...]
    versions: Mapping[str, str]
    created: str

    def to_json(self) -> dict[str, Any]:
        """The JSON report of the contract (schema 1), without subjects and charts."""
        document: dict[str, Any] = plain({
            "schema": SCHEMA,
            "dataset": dict(self.dataset),
            "checks": [_row(f) for f in self.findings],
            "versions": dict(self.versions),
            "created": self.created,
        })  # fmt: skip
        return document

    def worst(self) -> Verdict:
        """The worst verdict among the findings: error, fail, warn, pass, skipped."""
        order: tuple[Verdict, ...] = ("error", "fail", "warn", "pass", "skipped")
        return min((f.verdict for f in self.findings), key=order.index, default="skipped")


def _row(f: Finding) -> dict[str, Any]:
    return {
        "id": f.check, "stage": f.stage, "verdict": f.verdict, "summary": f.summary,
        "next_step": f.next_step, "numbers": dict(f.numbers), "n_subjects": len(f.subjects),
        "thresholds": dict(f.thresholds), "seconds": round(f.seconds, 4), **further(f),
    }  # fmt: skip


def further(f: Finding) -> dict[str, Any]:
    """What only some findings have, by its name in JSON: value, expected, because, tables."""
    tables = [{"title": t.title, "columns": t.columns, "rows": t.rows} for t in f.tables]
    every = {"value": f.value, "expected": f.expected, "because": f.because, "tables": tables}
    return {name: held for name, held in every.items() if held not in (None, "", (), [])}
