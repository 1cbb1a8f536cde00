"""Which samples of a data set stay in once people and findings have had their say?

What stays out: samples that someone excluded, and the subjects with a score below DROP_BELOW of the
findings named (the copy to keep in a group of duplicates has score 1.0, so it stays). A person's
`include` outweighs any finding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from recipe_core.kernel.errors import Misuse, UnknownName
from recipe_core.kernel.evidence import Evidence
from recipe_core.kernel.nouns import Finding

DROP_BELOW = 0.5


@dataclass(frozen=True)
class Cleaned:
    """What is left of a data set; every list has one entry per sample.

    reasons  why it stays out; '' where it stays in
    labels   after relabelling, None where there is none
    notes    sentences that the user should read
    """

    ids: list[str]
    paths: list[str]
    labels: list[str | None]
    before: list[str | None]
    splits: list[str | None]
    reasons: list[str]
    notes: tuple[str, ...] = ()

    @property
    def n_relabelled(self) -> int:
        """Samples that stay in with another label than the data set's own."""
        rows = zip(self.labels, self.before, self.reasons, strict=True)
        return sum(new != old and not reason for new, old, reason in rows)


def cleaned(
    evidence: Evidence, decisions: pa.Table, findings: Sequence[Finding], drop: Sequence[str] = ()
) -> Cleaned:
    """The data set after decisions (store.decisions.DECISION_FIELDS) and the findings in drop.

    Raises UnknownName for a check without a finding, Misuse for one that was not judged.
    """
    decided = by_sample(decisions)
    ids = [str(v) for v in evidence.column("sample_id").to_pylist()]
    before = optional(evidence, "label")
    reasons, notes = _reasons(ids, decided, _named(findings, drop))
    gone = len(decided.keys() - set(ids))
    if gone:
        notes.append(f"{gone:,} decisions are about samples that the data set no longer has.")
    labels = [decided.get(i, {}).get("label") or own for i, own in zip(ids, before, strict=True)]
    paths = [str(v) for v in evidence.column("path").to_pylist()]
    splits = optional(evidence, "split")
    return Cleaned(ids, paths, labels, before, splits, reasons, tuple(notes))


def preview(
    evidence: Evidence, decisions: pa.Table, findings: Sequence[Finding], drop: Sequence[str] = ()
) -> pa.Table:
    """Samples per class and split, before and after: columns label, split, before, after.

    Writes nothing. Raises as `cleaned` does.
    """
    return counts(cleaned(evidence, decisions, findings, drop))


def counts(clean: Cleaned) -> pa.Table:
    before = Counter(zip(clean.before, clean.splits, strict=True))
    rows = zip(clean.labels, clean.splits, clean.reasons, strict=True)
    after = Counter((label, split) for label, split, reason in rows if not reason)
    keys = sorted(before.keys() | after.keys(), key=lambda k: (k[0] or "", k[1] or ""))
    return pa.table({
        "label": pa.array([k[0] for k in keys], pa.string()),
        "split": pa.array([k[1] for k in keys], pa.string()),
        "before": pa.array([before[k] for k in keys], pa.int64()),
        "after": pa.array([after[k] for k in keys], pa.int64()),
    })  # fmt: skip


def optional(evidence: Evidence, name: str) -> list[str | None]:
    column = evidence.column(name)
    return [None if v is None else str(v) for v in pc.cast(column, pa.string()).to_pylist()]


def by_sample(decisions: pa.Table) -> dict[str, dict[str, Any]]:
    return {row["sample_id"]: row for row in decisions.to_pylist()}


def _named(findings: Sequence[Finding], drop: Sequence[str]) -> list[Finding]:
    known = {f.check: f for f in findings}
    for check in drop:
        if check not in known:
            raise UnknownName("finding to drop by", check, known)
        if known[check].verdict in ("skipped", "error"):
            raise Misuse(f"Nothing can be dropped by {check}: {known[check].summary}")
    return [known[check] for check in dict.fromkeys(drop)]


def _reasons(
    ids: Sequence[str], decided: Mapping[str, Mapping[str, Any]], findings: Sequence[Finding]
) -> tuple[list[str], list[str]]:
    """Why each sample stays out ('' where it stays in), and notes."""
    by_hand = [decided.get(i, {}).get("excluded") for i in ids]
    said: list[list[str]] = [
        [_hand_reason(decided[i])] if excluded else []
        for i, excluded in zip(ids, by_hand, strict=True)
    ]
    kept: set[int] = set()
    for f in findings:
        for place in np.flatnonzero(np.asarray(f.subjects.scores) < DROP_BELOW).tolist():
            row = int(f.subjects.rows[place])
            if by_hand[row] is False:
                kept.add(row)
            else:
                said[row].append(f"{f.check}: {f.subjects.details[place]}".rstrip(": "))
    reasons = ["; ".join(dict.fromkeys(r)) for r in said]
    return reasons, _drop_notes(findings, reasons, len(kept))


def _hand_reason(decision: Mapping[str, Any]) -> str:
    return (
        f"excluded by hand: {decision['reason']}" if decision.get("reason") else "excluded by hand"
    )


def _drop_notes(findings: Sequence[Finding], reasons: Sequence[str], n_kept: int) -> list[str]:
    notes = []
    if n_kept:
        notes.append(f"{n_kept:,} samples stay in because someone included them by hand.")
    out = np.array([bool(r) for r in reasons], dtype=bool)
    for f in findings:
        emptied = _emptied(f, out)
        if emptied:
            notes.append(
                f"{emptied:,} groups of {f.check} go out whole: their kept copy is excluded too."
            )
    return notes


def _emptied(f: Finding, out: npt.NDArray[np.bool_]) -> int:
    """Groups with a copy to keep of which nothing is left."""
    if f.subjects.groups is None or not len(f.subjects):
        return 0
    groups, inverse = np.unique(np.asarray(f.subjects.groups), return_inverse=True)
    keeps, stays = np.zeros(len(groups), bool), np.zeros(len(groups), bool)
    np.logical_or.at(keeps, inverse, np.asarray(f.subjects.scores) >= DROP_BELOW)
    np.logical_or.at(stays, inverse, ~out[np.asarray(f.subjects.rows)])
    return int((keeps & ~stays).sum())
