"""What do all forms of the report say in the same words? Plain rows and sentences, no markup."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recipe_core.kernel.check import Check
from recipe_core.kernel.nouns import Finding
from recipe_core.reporting.wording import counted, number

MOST_NUMBERS = 60
MOST_IN_LIST = 20
IN_PARAGRAPH = ("name", "source", "n_samples", "n_classes", "splits", "fingerprint", "format")


def paragraph(dataset: Mapping[str, Any]) -> str:
    """The data set in one paragraph, from the `dataset` block of a report."""
    n = int(dataset.get("n_samples", 0))
    classes = dataset.get("n_classes") or 0
    text = counted(n, "sample") + (f" in {counted(classes, 'class', 'classes')}" if classes else "")
    text += f"{_splits(dataset.get('splits') or {}, n)}."
    read = f" as {dataset['format']}" if dataset.get("format") else ""
    return text + (f" Read{read} from {dataset['source']}." if dataset.get("source") else "")


def _splits(splits: Mapping[str, int], n: int) -> str:
    if not splits:
        return ", not split"
    parts = [f"{name} {number(count)}" for name, count in splits.items()]
    rest = n - sum(splits.values())
    return ": " + ", ".join(parts + ([f"without a split {number(rest)}"] if rest > 0 else []))


def further(dataset: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(name, value) of what the data set block holds beside the paragraph."""
    rest = {k: v for k, v in dataset.items() if k not in IN_PARAGRAPH}
    return number_rows(rest)


def number_rows(numbers: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(name, text) of every number of a finding; nested names are joined by " · ".

    At most MOST_NUMBERS rows; the last one says how many more the JSON report holds.
    """
    rows = list(_flat("", numbers))
    if len(rows) <= MOST_NUMBERS:
        return rows
    return [*rows[:MOST_NUMBERS], ("…", f"{len(rows) - MOST_NUMBERS:,} more in the JSON report")]


def _flat(above: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(f"{above} · {key}" if above else str(key), inner)
    elif isinstance(value, (list, tuple)) or hasattr(value, "tolist"):
        yield above, _listed(value)
    else:
        yield above, number(value)


def _listed(value: Any) -> str:
    items = value.tolist() if hasattr(value, "tolist") else value
    if not isinstance(items, (list, tuple)):
        return number(items)
    texts = [_listed(v) if isinstance(v, (list, tuple)) else _item(v) for v in items[:MOST_IN_LIST]]
    rest = [f"and {len(items) - MOST_IN_LIST:,} more"] if len(items) > MOST_IN_LIST else []
    return ", ".join(texts + rest) or "–"


def _item(value: Any) -> str:
    if isinstance(value, Mapping):
        return "(" + ", ".join(f"{k} {number(v)}" for k, v in value.items()) + ")"
    return number(value)


@dataclass(frozen=True)
class Threshold:
    """A threshold as used; default, range and reason are empty where the check is not at hand."""

    name: str
    used: str
    default: str = ""
    range: str = ""
    why: str = ""

    @property
    def changed(self) -> bool:
        """Whether someone moved it."""
        return bool(self.default) and self.used != self.default


def thresholds(finding: Finding, check: Check | None) -> list[Threshold]:
    """The thresholds that a finding used, beside their defaults and reasons."""
    known = {s.name: s for s in check.settings} if check else {}
    rows = []
    for name, value in finding.thresholds.items():
        s = known.get(name)
        if s is None:
            rows.append(Threshold(name, number(value)))
        else:
            allowed = ", ".join(s.choices) if s.choices else _range(s.low, s.high)
            rows.append(Threshold(name, number(value), number(s.default), allowed, s.why))
    return rows


def _range(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return ""
    return f"{'' if low is None else number(low)} … {'' if high is None else number(high)}".strip()


def against(finding: Finding) -> str:
    """What was seen against what was expected: "Seen 4.1, expected 2.30 ± 0.04"; '' without."""
    if finding.value is None and not finding.expected:
        return ""
    seen = f"Seen {number(finding.value)}" if finding.value is not None else ""
    wanted = f"expected {finding.expected}" if finding.expected else ""
    text = ", ".join(filter(None, (seen, wanted)))
    return text[:1].upper() + text[1:]


def explained(finding: Finding) -> str:
    """The earlier checks that explain this one: "Mend parameters_update first"; '' without."""
    names = ", ".join(finding.because)
    return (
        f"Explained by {names}: mend {'that' if len(finding.because) == 1 else 'those'} first."
        if names
        else ""
    )


def by_id(checks: Sequence[Check]) -> dict[str, Check]:
    """The checks by their id."""
    return {c.id: c for c in checks}


def listing_command(check_id: str) -> str:
    """The command that lists every subject of a check."""
    return f"recipe findings -w WORKSPACE --check {check_id}"
