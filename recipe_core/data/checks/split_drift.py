"""Do the splits show the same kind of pictures?

Validation and test are there to predict how the net does on new pictures of the same kind. If they
are brighter, larger, saved otherwise or hold other class shares than training, the gap between the
curves is no longer over-fitting alone. Each measured property of each split is compared with the
training split: two-sample Kolmogorov-Smirnov for numbers, chi-square for categories, Holm's
correction over all comparisons. With a million samples everything is significant and with thirty
nothing is, so a drift needs both: significance, and an effect that is worth a word.

Copies of one picture in two splits are another check's question.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recipe_core.data import properties
from recipe_core.data.properties import Property, listed, rows_where, shown
from recipe_core.kernel.check import Check, Measure
from recipe_core.kernel.errors import MissingInput
from recipe_core.kernel.evidence import Evidence, Files
from recipe_core.kernel.nouns import NO_SUBJECTS, Chart, Finding, Subjects, Verdict
from recipe_core.kernel.params import setting
from recipe_core.kernel.progress import Progress

LABEL = Property("label", "class share", "category")
MIN_EXPECTED = 5.0
"""Cochran's rule: chi-square needs an expected count of about 5 in every cell."""
MIN_SPLIT = 10

TESTS = pa.schema(
    [
        ("property", pa.string()),
        ("split", pa.string()),
        ("reference", pa.string()),
        ("n", pa.int64()),
        ("n_reference", pa.int64()),
        ("effect", pa.float64()),
        ("p", pa.float64()),
        ("here", pa.string()),
        ("there", pa.string()),
    ]
)
"""One row per comparison. effect: 0 … 1, for numbers the KS distance beyond the property's grain,
for categories the total variation; p: of the two being equal, uncorrected; here, there: median,
or the category that differs most, in the split and in the reference."""


@dataclass(frozen=True)
class Params:
    effect: float = setting(
        0.12, low=0.0, high=1.0,
        why="KS distance or total variation from which a drift counts: 0.12 is what a shift by 0.3 "
        "standard deviations does, or 12 % of the pictures on the other side of some value",
    )  # fmt: skip
    strong: float = setting(
        0.38, low=0.0, high=1.0,
        why="from here the split is another kind of data: 0.38 is a shift by one standard "
        "deviation (class shares never fail: a balanced test set may be on purpose)",
    )  # fmt: skip
    level: float = setting(
        0.01, low=1e-9, high=0.5,
        why="chance of calling any property of a truly random split different (Holm-corrected over "
        "all comparisons)",
    )  # fmt: skip


# ---------------------------------------------------------------------------- measure


def measure(evidence: Evidence, files: Files, progress: Progress) -> pa.Table:
    """Every property of every split against the reference split. Raises MissingInput."""
    groups = split_rows(evidence)
    reference = reference_split(groups)
    props = [*properties.measured(evidence, "number"), *properties.measured(evidence, "category")]
    props += [LABEL] if evidence.has("label") else []
    found = []
    for i, prop in enumerate(props):
        progress("comparing splits", i, len(props))
        compare = compare_numbers if prop.kind == "number" else compare_categories
        for split in groups:
            if split != reference:
                row = compare(evidence, prop, groups[split], groups[reference])
                found += (
                    [{"property": prop.name, "split": split, "reference": reference, **row}]
                    if row
                    else []
                )
    return pa.Table.from_pylist(found, schema=TESTS)


def split_rows(evidence: Evidence) -> dict[str, npt.NDArray[np.int64]]:
    """Rows with a trusted picture of every split that has enough. Raises MissingInput below two."""
    codes, names = evidence.codes("split")
    usable = properties.readable(evidence)
    rows = {name: rows_where(usable & (codes == i)) for i, name in enumerate(names)}
    rows = {name: r for name, r in rows.items() if len(r) >= MIN_SPLIT}
    if len(rows) < 2:
        raise MissingInput(f"the data set has fewer than two splits with {MIN_SPLIT} pictures")
    return rows


def reference_split(groups: dict[str, npt.NDArray[np.int64]]) -> str:
    """The training split, else the largest."""
    for name in groups:
        if name.lower() in ("train", "training"):
            return name
    return max(groups, key=lambda name: len(groups[name]))


def compare_numbers(evidence: Evidence, prop: Property, here: npt.NDArray[np.int64],
                    there: npt.NDArray[np.int64]) -> dict[str, object] | None:  # fmt: skip
    """Two-sample Kolmogorov-Smirnov; None where a side has too few values."""
    values = properties.numbers(evidence, prop)
    a, b = values[here], values[there]
    a, b = np.sort(a[np.isfinite(a)]), np.sort(b[np.isfinite(b)])
    if min(len(a), len(b)) < MIN_SPLIT:
        return None
    p = kolmogorov_smirnov_p(distance_beyond(a, b, 0.0), len(a), len(b))
    x, y = properties.scaled(a, prop), properties.scaled(b, prop)
    effect = distance_beyond(x, y, properties.grain(prop))
    return {"n": len(a), "n_reference": len(b), "effect": effect, "p": p,
            "here": f"median {shown(float(np.median(a)), prop)}",
            "there": f"median {shown(float(np.median(b)), prop)}"}  # fmt: skip


def kolmogorov_smirnov_p(distance: float, n: int, m: int) -> float:
    """Asymptotic two-sided p of a distance between samples of n and m (Stephens 1970).

    Conservative with ties, as sizes and qualities have them. scipy.stats has it too, but takes a
    second to import, in every scan.
    """
    from scipy.special import kolmogorov

    root = np.sqrt(n * m / (n + m))
    return float(kolmogorov((root + 0.12 + 0.11 / root) * distance))


def chi_square_p(counts: npt.NDArray[np.int64]) -> float:
    """Pearson's chi-square test that both rows of (2, K) counts have the same shares."""
    from scipy.special import chdtrc

    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / counts.sum()
    return float(chdtrc(counts.shape[1] - 1, ((counts - expected) ** 2 / expected).sum()))


def distance_beyond(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64], grain: float) -> float:
    """KS distance of two sorted samples, where values closer than `grain` count as equal.

    533 and 534 pixels are the same width, although the plain distance between a set of one and a
    set of the other is 1. With grain 0 it is the plain distance.
    """
    return max(_lead(a, b, grain), _lead(b, a, grain), 0.0)


def _lead(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64], grain: float) -> float:
    """How far the share of `a` up to some x exceeds that of `b` up to x + grain."""
    up_to = np.arange(1, len(a) + 1) / len(a)
    # 1e-9: 0.3 + 0.05 must reach what was stored as 0.35.
    return float((up_to - np.searchsorted(b, a + grain + 1e-9, "right") / len(b)).max())


def compare_categories(evidence: Evidence, prop: Property, here: npt.NDArray[np.int64],
                       there: npt.NDArray[np.int64]) -> dict[str, object] | None:  # fmt: skip
    """Chi-square of the category shares; None where nothing varies or a side has too few."""
    codes, names = (
        evidence.codes("label") if prop is LABEL else properties.categories(evidence, prop)
    )
    a, b = codes[here], codes[there]
    a, b = a[a >= 0], b[b >= 0]
    if min(len(a), len(b)) < MIN_SPLIT:
        return None
    counts = np.stack([np.bincount(a, minlength=len(names)), np.bincount(b, minlength=len(names))])
    shares = counts / counts.sum(axis=1, keepdims=True)
    pooled = with_rare_together(counts)
    if pooled.shape[1] < 2:
        return None
    worst = int(np.argmax(np.abs(shares[0] - shares[1])))
    return {"n": len(a), "n_reference": len(b),
            "effect": total_variation(pooled),
            "p": chi_square_p(pooled),
            "here": f"{names[worst]} {properties.percent(shares[0, worst])}",
            "there": f"{names[worst]} {properties.percent(shares[1, worst])}"}  # fmt: skip


def with_rare_together(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """(2, K) counts with the categories too rare for chi-square pooled into one."""
    expected = counts.sum(axis=0) * counts.sum(axis=1).min() / counts.sum()
    rare = expected < MIN_EXPECTED
    together = counts[:, rare].sum(axis=1, keepdims=True)
    kept = counts[:, ~rare]
    return np.hstack([kept, together]) if together.any() else kept


def total_variation(counts: npt.NDArray[np.int64]) -> float:
    """Half the sum of the differences of two rows of shares: 0 equal, 1 nothing in common."""
    shares = counts / counts.sum(axis=1, keepdims=True)
    return float(np.abs(shares[0] - shares[1]).sum() / 2)


SPLIT_TESTS = Measure("split_tests", 1, ("split", "label", "error", *properties.COLUMNS), measure)


# ---------------------------------------------------------------------------- judge


def judge(evidence: Evidence, params: Params) -> Finding:
    split_rows(evidence)
    tests = evidence.table("split_tests").to_pylist()
    if not tests:
        raise MissingInput("no property was measured in two splits")
    corrected = holm([t["p"] for t in tests])
    for t, p in zip(tests, corrected, strict=True):
        t["p"] = p
    tests.sort(key=lambda t: -t["effect"])
    drifted = [t for t in tests if t["p"] <= params.level and t["effect"] >= params.effect]
    return Finding(
        verdict(drifted, params), summary(tests, drifted, params), next_step(drifted),
        figures(tests, drifted), subjects(evidence, drifted), charts(evidence, tests, params),
    )  # fmt: skip


def holm(p: list[float]) -> list[float]:
    """Holm's (1979) step-down corrected p values, in the order given."""
    order = np.argsort(p, kind="stable")
    steps = np.asarray(p)[order] * np.arange(len(p), 0, -1)
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return [float(x) for x in corrected]


def verdict(drifted: list[dict[str, object]], params: Params) -> Verdict:
    strong = [t for t in drifted if _effect(t) >= params.strong and t["property"] != "label"]
    return "fail" if strong else "warn" if drifted else "pass"


def summary(
    tests: list[dict[str, object]], drifted: list[dict[str, object]], params: Params
) -> str:
    n_props = len({t["property"] for t in tests})
    splits = list(dict.fromkeys(str(t["split"]) for t in tests))
    where = f"{listed(splits)} against {tests[0]['reference']}"
    if not drifted:
        t = tests[0]
        return (
            f"{n_props} properties of {where}: no drift of {params.effect:g} or more; the "
            f"largest is {t['effect']:.2f} ({_words(t)}, n = {t['n']:,} and {t['n_reference']:,})."
        )
    told = [
        f"{_words(t)} of {t['split']} ({t['here']}; {t['reference']}: {t['there']}; effect "
        f"{t['effect']:.2f}, n = {t['n']:,} and {t['n_reference']:,})"
        for t in drifted
    ]
    return f"{n_props} properties of {where}: {len(drifted)} differ: {listed(told, 3)}."


def next_step(drifted: list[dict[str, object]]) -> str:
    if not drifted:
        return ""
    names = {str(t["property"]) for t in drifted}
    advice = (
        "Look at the named splits side by side and split at random (by source, if photos come in "
        "series)"
    )
    if names == {"label"}:
        return f"{advice}, or, if the shares differ on purpose, read per-class numbers only."
    return f"{advice}, or make them equal in preprocessing, before reading a gap as over-fitting."


def figures(tests: list[dict[str, object]], drifted: list[dict[str, object]]) -> dict[str, object]:
    keep = ("property", "split", "reference", "n", "n_reference", "here", "there")
    rows = [
        {k: t[k] for k in keep} | {"effect": round(_effect(t), 4), "p_holm": t["p"]} for t in tests
    ]
    return {
        "n_comparisons": len(tests),
        "largest_effect": round(_effect(tests[0]), 4),
        "drifted": [f"{t['property']} in {t['split']}" for t in drifted],
        "tests": rows,
    }


def subjects(evidence: Evidence, drifted: list[dict[str, object]]) -> Subjects:
    """Samples of a drifted split that are strange to the reference, by the largest effect."""
    found: dict[int, tuple[float, str]] = {}
    for t in drifted:
        rows, scores, details = strangers(evidence, t)
        for row, score, detail in zip(rows.tolist(), scores, details, strict=True):
            found.setdefault(row, (score, detail))
    if not found:
        return NO_SUBJECTS
    rows = np.array(sorted(found), dtype=np.int64)
    worst = np.array([found[r][0] for r in rows.tolist()], dtype=np.float32)
    return Subjects(rows, worst, [found[r][1] for r in rows.tolist()])


def strangers(
    evidence: Evidence, t: dict[str, object]
) -> tuple[npt.NDArray[np.int64], list[float], list[str]]:
    """Rows outside the reference's middle 90 %, or in a category that the split over-represents."""
    groups = split_rows(evidence)
    here, there = groups[str(t["split"])], groups[str(t["reference"])]
    prop = LABEL if t["property"] == "label" else properties.by_name(str(t["property"]))
    if prop.kind == "category":
        return _over_represented(evidence, prop, here, there)
    values = properties.numbers(evidence, prop)
    low, high = np.nanquantile(values[there], [0.05, 0.95])
    usual = f"{shown(low, prop)} to {shown(high, prop)} in 90 % of {t['reference']}"
    out = here[(values[here] < low) | (values[here] > high)]
    width = max(high - low, 1e-9)
    beyond = np.maximum(low - values[out], values[out] - high)
    scores = (1 / (1 + beyond / width)).tolist()
    return out, scores, [f"{prop.words} {shown(v, prop)}; {usual}" for v in values[out].tolist()]


def _over_represented(
    evidence: Evidence, prop: Property, here: npt.NDArray[np.int64], there: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], list[float], list[str]]:
    codes, names = (
        evidence.codes("label") if prop is LABEL else properties.categories(evidence, prop)
    )
    a = np.bincount(codes[here][codes[here] >= 0], minlength=len(names)) / len(here)
    b = np.bincount(codes[there][codes[there] >= 0], minlength=len(names)) / len(there)
    # Twice its usual share, and more than a percent of the split: what makes up the drift.
    many = rows_where((a > 2 * b) & (a - b > 0.01))
    out = here[np.isin(codes[here], many)]
    scores = [float(b[c] / a[c]) for c in codes[out]]
    told = {
        int(c): f"{prop.words} {names[c]}: {properties.percent(a[c])} of this split, "
        f"{properties.percent(b[c])} of the other"
        for c in many
    }
    return out, scores, [told[int(c)] for c in codes[out]]


def charts(evidence: Evidence, tests: list[dict[str, object]], params: Params) -> tuple[Chart, ...]:
    names = list(dict.fromkeys(str(t["property"]) for t in tests))
    splits = list(dict.fromkeys(str(t["split"]) for t in tests))
    effect = {(t["property"], t["split"]): round(_effect(t), 4) for t in tests}
    bars = Chart(
        "bar", "Drift of each property", "property", "KS distance or total variation", names,
        {s: [effect.get((name, s), 0.0) for name in names] for s in splits},
        limits=(params.effect, params.strong),
    )  # fmt: skip
    numeric = next((t for t in tests if t["property"] != "label" and _kind(t) == "number"), None)
    return (bars,) if numeric is None else (bars, _histogram(evidence, str(numeric["property"])))


def _histogram(evidence: Evidence, name: str) -> Chart:
    prop, groups = properties.by_name(name), split_rows(evidence)
    values = properties.numbers(evidence, prop)
    low, high = np.nanquantile(values[np.concatenate(list(groups.values()))], [0.005, 0.995])
    edges = np.linspace(low, max(high, low + 1e-6), 31)
    shares = {}
    for split, rows in groups.items():
        heights = np.histogram(np.clip(values[rows], edges[0], edges[-1]), edges)[0]
        shares[split] = (heights / max(1, heights.sum())).round(5).tolist()
    title = f"{prop.words.capitalize()} by split"
    return Chart("histogram", title, prop.words, "share of the split",
                 edges.round(6).tolist(), shares, column=name)  # fmt: skip


def _kind(t: dict[str, object]) -> str:
    return "category" if t["property"] == "label" else properties.by_name(str(t["property"])).kind


def _words(t: dict[str, object]) -> str:
    return (
        "class shares" if t["property"] == "label" else properties.by_name(str(t["property"])).words
    )


def _effect(t: dict[str, object]) -> float:
    return float(t["effect"])  # type: ignore[arg-type]


CHECK = Check(
    id="split_drift",
    stage="data",
    question="Do the splits show the same kind of pictures?",
    why="A validation set of another kind measures the difference between the sets, not how well "
    "the net generalises; a gap then looks like over-fitting and is none.",
    params=Params,
    judge=judge,
    measures=(SPLIT_TESTS,),
)
