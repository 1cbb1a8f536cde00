"""Does one plain property of the picture or its file give the label away?

A net takes the easiest way to a low loss. If the pictures of one class were saved at another
quality, in another size or with a frame, that is the easiest way, and it is gone with the next
batch of data. Each property alone tries to predict the label, with a histogram classifier in five
folds; the score is balanced accuracy on held-out samples, for all classes together and for each
class against the rest, since with ten classes a give-away of one moves the score of all by a
tenth only.

Properties of the file or the frame (format, quality, size, borders) should tell nothing about the
scene. Brightness, colour and texture may: skies are bright. Those only count when one of them alone
does nearly all of the work. File size follows texture, so it counts as far as it tells more than
the best measure of texture or light does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from recipe_core.data import properties
from recipe_core.data.properties import Property, counted, listed, rows_where, shown
from recipe_core.kernel.check import Check, Measure
from recipe_core.kernel.errors import MissingInput
from recipe_core.kernel.evidence import Evidence, Files
from recipe_core.kernel.intervals import Z95
from recipe_core.kernel.nouns import NO_SUBJECTS, Chart, Finding, Subjects, Verdict
from recipe_core.kernel.params import setting
from recipe_core.kernel.progress import Progress

N_FOLDS = 5
MIN_CLASS = 10
"""Samples that a class needs to take part: two in every fold."""
MOST_SAMPLES = 20_000
"""Above this a seeded sample is used: the interval of a class of 2,000 is ± 2 points already."""
MOST_BINS, FEWEST_BINS = 32, 4
SEED = 0

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

SCORES = pa.schema(
    [
        ("property", pa.string()),
        ("kind", pa.string()),
        ("label", pa.string()),
        ("score", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("chance", pa.float64()),
        ("n", pa.int64()),
        ("n_label", pa.int64()),
    ]
)
"""One row per property and label ('' for all classes together). kind: nuisance or content;
score, low, high: cross-validated balanced accuracy and its 95 % interval; chance: 1 / classes, or
1/2 for one class against the rest; n_label: samples of the class (0 for all together)."""


@dataclass(frozen=True)
class Params:
    nuisance: float = setting(
        0.3, low=0.0, high=1.0,
        why="how far from chance (0) to perfect (1) a property of the file or frame may get; 0.3 "
        "is 65 % where guessing gives 50 %: almost a third of the class stands out by it",
    )  # fmt: skip
    strong: float = setting(
        0.8, low=0.0, high=1.0,
        why="from here a property of the file or frame explains the label almost alone (90 % where "
        "guessing gives 50 %)",
    )  # fmt: skip
    content: float = setting(
        0.9, low=0.0, high=1.0,
        why="the same for light, colour and texture, which may belong to a class; above 0.9 a "
        "single mean value does the job of a net, and that deserves a look",
    )  # fmt: skip


# ---------------------------------------------------------------------------- measure


def measure(evidence: Evidence, files: Files, progress: Progress) -> pa.Table:
    """SCORES of every property, for all classes and one against the rest. Raises MissingInput."""
    rows, labels, classes = taking_part(evidence)
    folds = grouped_folds(labels, groups_of(evidence)[rows], len(classes))
    props = [*properties.measured(evidence, "number"), *properties.measured(evidence, "category")]
    found: list[dict[str, object]] = []
    for i, prop in enumerate(props):
        progress("looking for shortcuts", i, len(props))
        bins = binned(evidence, prop, rows, np.bincount(labels))
        if bins.max() > 0:
            found += scores_of(prop, bins, labels, folds, classes)
    return pa.Table.from_pylist(found, schema=SCORES)


def taking_part(evidence: Evidence) -> tuple[Codes, Codes, tuple[str, ...]]:
    """Rows of trusted, labelled pictures (at most MOST_SAMPLES), their labels 0 … C-1 and names.

    Raises MissingInput with fewer than two classes of MIN_CLASS samples.
    """
    codes, names = evidence.codes("label")
    usable = rows_where(properties.readable(evidence) & (codes >= 0))
    if len(usable) > MOST_SAMPLES:
        chosen = np.random.default_rng(SEED).choice(len(usable), MOST_SAMPLES, replace=False)
        usable = usable[np.sort(chosen)]
    large = rows_where(np.bincount(codes[usable], minlength=len(names)) >= MIN_CLASS)
    if len(large) < 2:
        raise MissingInput(f"fewer than two classes have {MIN_CLASS} readable samples")
    rows = usable[np.isin(codes[usable], large)]
    return rows, np.searchsorted(large, codes[rows]), tuple(names[c] for c in large)


def groups_of(evidence: Evidence) -> Codes:
    """(n,) equal numbers for copies of one picture: a copy must not sit on both sides of a fold."""
    if evidence.has("phash"):
        hashes = pc.fill_null(evidence.column("phash"), 0).to_numpy()
        return np.unique(hashes, return_inverse=True)[1].astype(np.int64)
    return np.unique(evidence.texts("content_hash"), return_inverse=True)[1].astype(np.int64)


def grouped_folds(labels: Codes, groups: Codes, n_classes: int) -> Codes:
    """(n,) fold 0 … N_FOLDS-1: groups stay whole, every class is dealt evenly, order is seeded."""
    unique, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    shuffled = np.random.default_rng(SEED).permutation(len(unique))
    order = shuffled[np.argsort(labels[first][shuffled], kind="stable")]
    of_group = labels[first][order]
    starts = np.searchsorted(of_group, np.arange(n_classes))
    fold = np.empty(len(unique), dtype=np.int64)
    fold[order] = (np.arange(len(order)) - starts[of_group]) % N_FOLDS
    return fold[inverse]


def binned(evidence: Evidence, prop: Property, rows: Codes, class_counts: Codes) -> Codes:
    """(m,) bin of each row's value. Bins never see the label; a frequent value gets its own."""
    if prop.kind == "category":
        return np.unique(properties.categories(evidence, prop)[0][rows], return_inverse=True)[1]
    values = properties.numbers(evidence, prop)[rows]
    known = np.isfinite(values)
    if not known.any():
        return np.zeros(len(rows), dtype=np.int64)
    # About five samples of a middling class per bin, else the bins hold noise.
    n_bins = int(np.clip(np.median(class_counts) / 5, FEWEST_BINS, MOST_BINS))
    edges = np.unique(np.quantile(values[known], np.linspace(0, 1, n_bins + 1), method="nearest"))
    # Between two edges and exactly on one are different bins: a spike is an edge of its own.
    place = np.searchsorted(edges, values, "left") + np.searchsorted(edges, values, "right")
    return np.unique(np.where(known, place, -1), return_inverse=True)[1].astype(np.int64)


def scores_of(prop: Property, bins: Codes, labels: Codes, folds: Codes,
              classes: tuple[str, ...]) -> list[dict[str, object]]:  # fmt: skip
    """Rows of SCORES for one property."""
    hits, alarms = held_out_rates(bins, labels, folds, len(classes))
    n_class = np.bincount(labels, minlength=len(classes))
    common = {
        "property": prop.name,
        "kind": "nuisance" if prop.nuisance else "content",
        "n": len(labels),
    }
    found: list[dict[str, object]] = []
    score, low, high = balanced_accuracy(hits["all"], n_class)
    found.append({**common, "label": "", "score": score, "low": low, "high": high,
                  "chance": 1 / len(classes), "n_label": 0})  # fmt: skip
    for c, name in enumerate(classes):
        n_rest = len(labels) - n_class[c]
        right = np.array([hits["one"][c], n_rest - alarms[c]])
        score, low, high = balanced_accuracy(right, np.array([n_class[c], n_rest]))
        found.append({**common, "label": name, "score": score, "low": low, "high": high,
                      "chance": 0.5, "n_label": int(n_class[c])})  # fmt: skip
    return found


def held_out_rates(
    bins: Codes, labels: Codes, folds: Codes, n_classes: int
) -> tuple[dict[str, Codes], Codes]:
    """Right answers per class on held-out folds, and false alarms of each class against the rest.

    all  (C,) samples of each class whose bin is relatively most frequent in that class
    one  (C,) samples of each class whose bin is more frequent in it than in the rest
    """
    n_bins = int(bins.max()) + 1
    flat = (folds * n_bins + bins) * n_classes + labels
    counts = np.bincount(flat, minlength=N_FOLDS * n_bins * n_classes)
    counts = counts.reshape(N_FOLDS, n_bins, n_classes)
    hits = {"all": np.zeros(n_classes, np.int64), "one": np.zeros(n_classes, np.int64)}
    alarms = np.zeros(n_classes, np.int64)
    for test in counts:
        train = counts.sum(axis=0) - test
        inside, outside = _shares(train)
        best = np.argmax(inside, axis=1)
        hits["all"] += np.where(best[:, None] == np.arange(n_classes), test, 0).sum(axis=0)
        said = inside > outside
        hits["one"] += (test * said).sum(axis=0)
        alarms += ((test.sum(axis=1, keepdims=True) - test) * said).sum(axis=0)
    return hits, alarms


def _shares(train: Codes) -> tuple[Floats, Floats]:
    """(B, C) share of each class's samples in a bin, and of all others', one pseudo-sample each."""
    per_bin, per_class = train.sum(axis=1, keepdims=True), train.sum(axis=0, keepdims=True)
    prior = (per_bin + 1) / (per_bin.sum() + len(per_bin))
    rest, n_rest = per_bin - train, per_bin.sum() - per_class
    return (train + prior) / (per_class + 1), (rest + prior) / (n_rest + 1)


def balanced_accuracy(right: Codes, n: Codes) -> tuple[float, float, float]:
    """Mean of the classes' recalls and its 95 % interval (Agresti & Coull's adjustment per class).

    right, n  (C,) right answers and samples of each class
    """
    adjusted = (right + 2) / (n + 4)
    half = Z95 * float(np.sqrt((adjusted * (1 - adjusted) / (n + 4)).sum())) / len(n)
    score = float((right / n).mean())
    return score, max(0.0, score - half), min(1.0, score + half)


SHORTCUT_SCORES = Measure(
    "shortcut_scores", 1,
    ("label", "error", "content_hash", "phash", *properties.COLUMNS), measure,
)  # fmt: skip


# ---------------------------------------------------------------------------- judge


def judge(evidence: Evidence, params: Params) -> Finding:
    taking_part(evidence)
    rows = evidence.table("shortcut_scores").to_pylist()
    if not rows:
        raise MissingInput("no property varies between the samples")
    for r in rows:
        r["told"] = told(r["low"], r["chance"])
    rows.sort(key=lambda r: -r["told"])
    flagged = standing_out([r for r in rows if r["told"] >= limit(r, rows, params)])
    return Finding(
        verdict(flagged, params), summary(rows, flagged), next_step(flagged),
        figures(rows, flagged), subjects(evidence, flagged),
        charts(evidence, rows, flagged, params),
    )  # fmt: skip


def told(score: float, chance: float) -> float:
    """How far a score lies from chance (0) to perfect (1); 0 below chance."""
    return max(0.0, (score - chance) / (1 - chance))


def standing_out(flagged: list[dict[str, object]]) -> list[dict[str, object]]:
    """Without the classes that are only dragged along: where one of three classes is known by its
    frame, "no frame" tells each of the other two half as well."""
    best: dict[object, float] = {}
    for r in flagged:
        if r["label"]:
            best[r["property"]] = max(best.get(r["property"], 0.0), _number(r, "told"))
    return [r for r in flagged if not r["label"] or _number(r, "told") > 0.6 * best[r["property"]]]


def limit(row: dict[str, object], rows: list[dict[str, object]], params: Params) -> float:
    """How much this property may tell. File size: at least what the picture's content tells."""
    if row["kind"] == "content":
        return params.content
    if row["property"] != "file_size":
        return params.nuisance
    content = [told(_number(r, "high"), _number(r, "chance")) for r in rows
               if r["kind"] == "content" and r["label"] == row["label"]]  # fmt: skip
    return max([params.nuisance, *content])


def verdict(flagged: list[dict[str, object]], params: Params) -> Verdict:
    if any(r["kind"] == "nuisance" and _number(r, "told") >= params.strong for r in flagged):
        return "fail"
    return "warn" if flagged else "pass"


def summary(rows: list[dict[str, object]], flagged: list[dict[str, object]]) -> str:
    n_props = len({r["property"] for r in rows})
    head = f"{n_props} properties of {counted(int(_number(rows[0], 'n')), 'sample')}"
    if not flagged:
        return f"{head}: none gives the label away; the most telling is {_told_by(rows[0])}."
    best: dict[object, dict[str, object]] = {}
    for r in flagged:
        best.setdefault(r["property"], r)
    return f"{head}: {listed([_told_by(r) for r in best.values()], 3)}."


def _told_by(r: dict[str, object]) -> str:
    whom = f"{r['label']} from the rest" if r["label"] else "the class"
    return (
        f"{_prop(r).words}, which tells {whom} with {r['score']:.0%} balanced accuracy "
        f"(95 % interval {r['low']:.0%} to {r['high']:.0%}, chance {r['chance']:.0%})"
    )


def next_step(flagged: list[dict[str, object]]) -> str:
    if not flagged:
        return ""
    names = {str(r["property"]) for r in flagged}
    if all(r["kind"] == "content" for r in flagged):
        return (
            f"Look at pictures of the class that differ in {listed(sorted(names))}: if the "
            "property belongs to the scene fine; if it comes from how they were taken, vary it."
        )
    return (
        "Bring all classes to the same form before training (decode, crop, resize, save all alike, "
        "remove frames), find out where the class's files came from, and test on files from "
        "elsewhere."
    )


def figures(rows: list[dict[str, object]], flagged: list[dict[str, object]]) -> dict[str, object]:
    keep = ("property", "kind", "label", "score", "low", "high", "chance", "n", "n_label")
    rounded = [{k: round(v, 4) if isinstance(v := r[k], float) else v for k in keep} for r in rows]
    best: dict[object, dict[str, object]] = {}
    for r in rounded:
        best.setdefault(r["property"], r)
    return {
        "n": rows[0]["n"],
        "properties": list(best.values()),
        "flagged": [f"{r['property']}: {r['label'] or 'all classes'}" for r in flagged],
    }


def subjects(evidence: Evidence, flagged: list[dict[str, object]]) -> Subjects:
    """The samples of each class that a property gives away, by its strongest give-away."""
    codes, names = evidence.codes("label")
    usable = properties.readable(evidence)
    found: list[tuple[int, float, str, int]] = []
    done: set[object] = {""}
    for r in flagged:
        if r["label"] not in done:
            done.add(r["label"])
            c = names.index(str(r["label"]))
            detail = compared(
                evidence, _prop(r), usable & (codes == c), usable & (codes >= 0) & (codes != c)
            )
            rows = rows_where(usable & (codes == c)).tolist()
            found += [(row, 1 - _number(r, "told"), f"{r['label']}: {detail}", c) for row in rows]
    if not found:
        return NO_SUBJECTS
    found.sort()
    rows_, scores, details, groups = zip(*found, strict=True)
    return Subjects(
        np.array(rows_, np.int64), np.array(scores, np.float32), details, np.array(groups, np.int64)
    )


def compared(evidence: Evidence, prop: Property, inside: npt.NDArray[np.bool_],
             outside: npt.NDArray[np.bool_]) -> str:  # fmt: skip
    """What the class has and the rest has not, in words."""
    if prop.kind == "number":
        values = properties.numbers(evidence, prop)
        here, there = _median(values[inside], prop), _median(values[outside], prop)
        return f"{prop.words} {here}, elsewhere {there}"
    codes, names = properties.categories(evidence, prop)
    a = np.bincount(codes[inside] + 1, minlength=len(names) + 1) / max(1, inside.sum())
    b = np.bincount(codes[outside] + 1, minlength=len(names) + 1) / max(1, outside.sum())
    k = int(np.argmax(np.abs(a - b)))
    name = ("unknown", *names)[k]
    share = properties.percent
    return f"{prop.words} {name} in {share(a[k])}, elsewhere in {share(b[k])}"


def _median(values: Floats, prop: Property) -> str:
    """The median in words; a PNG has no JPEG quality."""
    known = values[np.isfinite(values)]
    return f"{shown(float(np.median(known)), prop)} (median)" if len(known) else "not there"


def charts(evidence: Evidence, rows: list[dict[str, object]], flagged: list[dict[str, object]],
           params: Params) -> tuple[Chart, ...]:  # fmt: skip
    best: dict[str, float] = {}
    for r in rows:
        best.setdefault(str(r["property"]), round(_number(r, "told"), 4))
    kind = {str(r["property"]): str(r["kind"]) for r in rows}
    series = {
        k: [v if kind[name] == k else 0.0 for name, v in best.items()]
        for k in ("nuisance", "content")
    }
    bars = Chart("stacked_bar", "How much each property alone tells about the label", "property",
                 "0 chance … 1 perfect (lower end of the interval)", list(best), series,
                 limits=(params.nuisance, params.content))  # fmt: skip
    numeric = next((r for r in flagged or rows if r["label"] and _prop(r).kind == "number"), None)
    return (bars,) if numeric is None else (bars, _histogram(evidence, numeric))


def _histogram(evidence: Evidence, r: dict[str, object]) -> Chart:
    prop = _prop(r)
    codes, names = evidence.codes("label")
    values = properties.numbers(evidence, prop)
    known = np.isfinite(values) & (codes >= 0) & properties.readable(evidence)
    low, high = np.quantile(values[known], [0.005, 0.995])
    edges = np.linspace(low, max(high, low + 1e-6), 31)
    inside = codes == names.index(str(r["label"]))
    shares = {}
    for name, mask in ((str(r["label"]), inside), ("the rest", ~inside)):
        heights = np.histogram(np.clip(values[known & mask], edges[0], edges[-1]), edges)[0]
        shares[name] = (heights / max(1, heights.sum())).round(5).tolist()
    return Chart("histogram", f"{prop.words.capitalize()}: {r['label']} and the rest", prop.words,
                 "share", edges.round(6).tolist(), shares, column=prop.name)  # fmt: skip


def _prop(r: dict[str, object]) -> Property:
    return properties.by_name(str(r["property"]))


def _number(r: dict[str, object], key: str) -> float:
    return float(r[key])  # type: ignore[arg-type]


CHECK = Check(
    id="shortcut",
    stage="data",
    question="Does one plain property of the picture or its file give the label away?",
    why="A net takes the easiest way. If a class is known by its JPEG quality, size or frame, the "
    "score is high here and falls apart on the next batch of data.",
    params=Params,
    judge=judge,
    measures=(SHORTCUT_SCORES,),
)
