"""How much do size, shape, light and colour vary, and would preprocessing remove it?

Variation that has nothing to do with the label is something the net must learn to ignore, and what
preprocessing can remove it need not learn. Most variation is healthy and only shown here: quantiles
of every property, and the pictures far outside of what is usual. Three kinds harm training without
an error, and only these are a verdict: sizes so mixed that one resize blurs some pictures and
throws away most of others; shapes so mixed that a resize to a square stretches some much more
than others; grey and colour pictures mixed, where colour tells how a picture was taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recipe_core.data import properties
from recipe_core.data.properties import Property, counted, listed, percent, rows_where, shown
from recipe_core.kernel.check import Check
from recipe_core.kernel.errors import MissingInput
from recipe_core.kernel.evidence import Evidence
from recipe_core.kernel.nouns import NO_SUBJECTS, Chart, Finding, Subjects
from recipe_core.kernel.params import setting

Floats = npt.NDArray[np.float64]

QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
NAMES = (
    "width", "height", "aspect", "brightness", "contrast", "saturation", "colorfulness",
    "sharpness", "entropy",
)  # fmt: skip
REMOVED_BY = {
    "width": "resize to one size", "height": "resize to one size",
    "aspect": "crop, or pad to the usual shape, instead of stretching",
    "brightness": "normalise the exposure of each picture, or vary it in augmentation",
    "contrast": "normalise the contrast of each picture, or vary it in augmentation",
    "saturation": "convert all to grey, or vary the colour in augmentation",
    "colorfulness": "convert all to grey, or vary the colour in augmentation",
    "sharpness": "resize to a size at which all are sharp", "entropy": "nothing: look at it",
}  # fmt: skip
"""Which preprocessing makes the pictures alike in this property."""
MOST_NAMED = 3
NORMAL_RATIO = 2.439
"""Width of the middle 90 % of a normal distribution in interquartile ranges: 3.290 / 1.349."""


@dataclass(frozen=True)
class Params:
    fence: float = setting(
        3.0, low=0.5, high=20.0,
        why="an outlier lies more than this many interquartile ranges outside the quartiles "
        "(Tukey's 'far out' is 3: of normally distributed values 2 in a million)",
    )  # fmt: skip
    size_ratio: float = setting(
        10.0, low=1.0, high=1000.0,
        why="95 % / 5 % quantile of the side (root of the area); from 10 on no single size fits: "
        "what keeps the detail of the large enlarges the small tenfold, which only blurs them",
    )  # fmt: skip
    stretch: float = setting(
        2.0, low=1.0, high=20.0,
        why="factor between a picture's aspect ratio and the usual one from which a resize to one "
        "shape changes what things look like (a circle becomes a 2 : 1 ellipse)",
    )  # fmt: skip
    stretched_share: float = setting(
        0.1, low=0.0, high=1.0,
        why="share of such pictures from which it is a trait of the set and not a few odd ones",
    )  # fmt: skip
    grey_share: float = setting(
        0.1, low=0.0, high=0.5,
        why="share of the rarer of grey and colour from which the set is mixed; a few per cent of "
        "grey pictures are usual in photos from the web (and are listed by image_quality)",
    )  # fmt: skip


@dataclass(frozen=True)
class Range:
    """What is usual for a property; values in its unit, fences on its scale."""

    prop: Property
    quantiles: Floats
    low: float
    high: float
    outliers: npt.NDArray[np.int64]
    scores: Floats


@dataclass(frozen=True)
class Mixture:
    """A kind of variation that harms training in silence."""

    text: str
    remedy: str


def judge(evidence: Evidence, params: Params) -> Finding:
    usable = properties.readable(evidence) & np.isfinite(evidence.numbers("width"))
    n = int(usable.sum())
    if n == 0:
        raise MissingInput("no picture could be read")
    props = [p for p in properties.measured(evidence, "number") if p.name in NAMES]
    found = (range_of(evidence, p, usable, params.fence) for p in props)
    ranges = [r for r in found if r is not None]
    mixed = mixtures(evidence, usable, params)
    return Finding(
        "warn" if mixed else "pass", summary(evidence, ranges, mixed, n),
        " ".join(m.remedy for m in mixed), figures(evidence, ranges, usable),
        subjects(evidence, ranges), charts(evidence, ranges, usable),
    )  # fmt: skip


def range_of(
    evidence: Evidence, prop: Property, usable: npt.NDArray[np.bool_], fence: float
) -> Range | None:
    """Quantiles of a property and the rows outside Tukey's fences; None where no picture has it
    (nobody can say how sharp a blank one is)."""
    values = properties.numbers(evidence, prop)
    on_scale = properties.scaled(values, prop)
    rows = rows_where(usable & np.isfinite(on_scale))
    x = on_scale[rows]
    if not len(x):
        return None
    quantiles = np.quantile(x, QUANTILES)
    q1, q3 = quantiles[3], quantiles[5]
    # Where most pictures are equal (one camera) the quartiles meet and everything else would be
    # "far out": then the middle 90 % speaks, as many interquartile ranges wide as if normal, and a
    # difference must still be worth a word.
    spread = max(q3 - q1, (quantiles[6] - quantiles[2]) / NORMAL_RATIO)
    reach = fence * max(spread, properties.grain(prop))
    beyond = np.maximum(q1 - x, x - q3)
    out = beyond > reach
    return Range(prop, np.array([properties.unscaled(q, prop) for q in quantiles]), q1 - reach,
                 q3 + reach, rows[out], reach / beyond[out])  # fmt: skip


def mixtures(evidence: Evidence, usable: npt.NDArray[np.bool_], params: Params) -> list[Mixture]:
    """What of the variation is a verdict."""
    found = (mixed_sizes(evidence, usable, params), mixed_shapes(evidence, usable, params),
             mixed_colour(evidence, usable, params))  # fmt: skip
    return [m for m in found if m is not None]


def mixed_sizes(
    evidence: Evidence, usable: npt.NDArray[np.bool_], params: Params
) -> Mixture | None:
    side = np.sqrt(evidence.numbers("width") * evidence.numbers("height"))[usable]
    low, high = np.quantile(side, [0.05, 0.95])
    if high / low < params.size_ratio:
        return None
    return Mixture(
        f"sizes are mixed {high / low:.0f} : 1 (side {low:.0f} px at the 5 % quantile, {high:.0f} "
        f"px at 95 %; less than {params.size_ratio:g} : 1 expected)",
        "Choose the input size with spatial_detail, and drop or treat apart what is smaller.",
    )


def mixed_shapes(
    evidence: Evidence, usable: npt.NDArray[np.bool_], params: Params
) -> Mixture | None:
    shape = np.log(evidence.numbers("width") / evidence.numbers("height"))[usable]
    usual = float(np.median(shape))
    share = float((np.abs(shape - usual) > np.log(params.stretch)).mean())
    if share < params.stretched_share:
        return None
    return Mixture(
        f"a resize to one shape stretches {percent(share)} of the pictures more than "
        f"{params.stretch:g} : 1 against the usual {np.exp(usual):.2f} (below "
        f"{percent(params.stretched_share)} expected)",
        "Crop or pad instead of stretching.",
    )


def mixed_colour(
    evidence: Evidence, usable: npt.NDArray[np.bool_], params: Params
) -> Mixture | None:
    grey = float(properties.is_grey(evidence)[usable].mean())
    if min(grey, 1 - grey) < params.grey_share:
        return None
    return Mixture(
        f"grey and colour pictures are mixed ({percent(grey)} grey; below "
        f"{percent(params.grey_share)} of the rarer expected)",
        "Convert all to grey, or drop colour at random in augmentation; see `shortcut` for whether "
        "colour goes with the label.",
    )


def summary(evidence: Evidence, ranges: list[Range], mixed: list[Mixture], n: int) -> str:
    n_out = len(np.unique(np.concatenate([r.outliers for r in ranges]))) if ranges else 0
    outliers = f"{counted(n_out, 'picture')} far outside the usual range of some property"
    if mixed:
        return f"In {counted(n, 'picture')} {'; '.join(m.text for m in mixed)}. Also {outliers}."
    size = _between([r for r in ranges if r.prop.name in ("width", "height")])
    return (
        f"{counted(n, 'picture')}{size}: nothing varies so much that a usual resize would harm; "
        f"{outliers}."
    )


def _between(sides: list[Range]) -> str:
    """The middle 90 % of width and height, in words."""
    told = [f"{r.prop.words} {r.quantiles[2]:.0f} to {r.quantiles[6]:.0f} px" for r in sides]
    return f" ({', '.join(told)} in 90 %)" if told else ""


def figures(
    evidence: Evidence, ranges: list[Range], usable: npt.NDArray[np.bool_]
) -> dict[str, object]:
    orientation = evidence.numbers("orientation")[usable]
    turned = orientation[np.isfinite(orientation)].astype(int)
    return {
        "n": int(usable.sum()),
        "quantiles": {
            r.prop.name: {f"{100 * q:g} %": round(float(v), 4)
                          for q, v in zip(QUANTILES, r.quantiles, strict=True)}
            for r in ranges
        },
        "outliers": {r.prop.name: len(r.outliers) for r in ranges},
        "removed_by": {r.prop.name: REMOVED_BY[r.prop.name] for r in ranges if len(r.outliers)},
        "grey_share": round(float(properties.is_grey(evidence)[usable].mean()), 4),
        "orientations": {str(k): int(v) for k, v in enumerate(np.bincount(turned)) if v},
    }  # fmt: skip


def subjects(evidence: Evidence, ranges: list[Range]) -> Subjects:
    """Outliers, with every property in which they stand out and what is usual."""
    details: dict[int, list[str]] = {}
    worst: dict[int, float] = {}
    for r in ranges:
        values = properties.numbers(evidence, r.prop)
        usual = f"usual {shown(r.quantiles[2], r.prop)} to {shown(r.quantiles[6], r.prop)}"
        for row, score in zip(r.outliers.tolist(), r.scores.tolist(), strict=True):
            details.setdefault(row, []).append(
                f"{r.prop.words} {shown(values[row], r.prop)} ({usual})"
            )
            worst[row] = min(score, worst.get(row, 1.0))
    if not details:
        return NO_SUBJECTS
    rows = sorted(details)
    return Subjects(np.array(rows, np.int64), np.array([worst[r] for r in rows], np.float32),
                    [listed(details[r], MOST_NAMED) for r in rows])  # fmt: skip


def charts(
    evidence: Evidence, ranges: list[Range], usable: npt.NDArray[np.bool_]
) -> tuple[Chart, ...]:
    return tuple(_histogram(evidence, r, usable) for r in ranges)


def _histogram(evidence: Evidence, r: Range, usable: npt.NDArray[np.bool_]) -> Chart:
    values = properties.numbers(evidence, r.prop)
    values = values[usable & np.isfinite(values)]
    fences = [properties.unscaled(r.low, r.prop), properties.unscaled(r.high, r.prop)]
    low, high = float(values.min()), float(values.max())
    edges = np.linspace(low, high if high > low else low + max(abs(low), 1.0) * 1e-3, 41)
    return Chart(
        "histogram", r.prop.words.capitalize(), f"{r.prop.words} {r.prop.unit}".strip(), "pictures",
        edges.round(6).tolist(), {"pictures": np.histogram(values, edges)[0].tolist()},
        limits=[round(f, 6) for f in fences if low <= f <= high], column=r.prop.name,
    )  # fmt: skip


CHECK = Check(
    id="image_variation",
    stage="data",
    question="How much do the pictures vary, and would preprocessing remove it?",
    why="What varies without meaning has to be learned away. Wildly mixed sizes, shapes or colour "
    "modes harm silently: the code runs, and some pictures reach the net stretched or blurred.",
    params=Params,
    judge=judge,
)
