"""Which pictures are too poor to learn from?

A blank picture with a label teaches the net that this label can mean anything; dark, washed-out
and blurred ones teach the blur. What is poor depends on the data set: X-rays are dark, sketches
hold two greys, night scenes are blurred. So a picture is named only if it crosses an absolute
limit and also lies far below what is usual here; where most of a set is dark, dark is how that
set looks. Blank pictures and those whose lower part is one flat band, as a decoder leaves it
where the data stopped, hold no content whatever the rest looks like. Flat borders and single grey
pictures among coloured ones are named for information and never decide the verdict. Look at them,
worst first, and exclude what a person could not label either.

Files that a strict decoder rejects are corruption's job and are not judged here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from recipe_core.data import properties
from recipe_core.data.properties import counted, listed, percent, rows_where
from recipe_core.kernel.check import Check
from recipe_core.kernel.errors import MissingInput
from recipe_core.kernel.evidence import Evidence
from recipe_core.kernel.nouns import NO_SUBJECTS, Chart, Finding, Subjects, Verdict
from recipe_core.kernel.params import setting

Floats = npt.NDArray[np.float64]
Weight = Literal["unusable", "poor", "information"]


@dataclass(frozen=True)
class Params:
    dark: float = setting(
        0.25, low=0.0, high=1.0,
        why="mean brightness plus two standard deviations: below it even the light parts of the "
        "picture are darker than a quarter of the range",
    )  # fmt: skip
    light: float = setting(
        0.8, low=0.0, high=1.0,
        why="mean brightness minus two standard deviations: above it even the dark parts are "
        "nearly white (an object on white paper stays far below)",
    )  # fmt: skip
    blur: float = setting(
        0.12, low=0.0, high=5.0,
        why="sharpness below which a picture is out of focus whatever it shows; photos in focus "
        "have 0.2 to 1.5, and a Gaussian blur of 1 % of the longer side leaves about 0.1",
    )  # fmt: skip
    blur_usual: float = setting(
        0.33, low=0.0, high=1.0,
        why="and below this share of the sharpness that is usual here (the median): soft pictures "
        "are no fault in a set where most are soft",
    )  # fmt: skip
    blank: float = setting(
        0.012, low=0.0, high=0.5,
        why="standard deviation of the brightness below which nothing is to be seen: 3 of 255 "
        "levels, the noise of a photo of nothing",
    )  # fmt: skip
    entropy: float = setting(
        2.5, low=0.0, high=8.0,
        why="bits of the brightness histogram below which a picture holds little, where it has no "
        "strong contrast either (drawings in two tones hold 1 bit and are fine)",
    )  # fmt: skip
    band: float = setting(
        0.15, low=0.02, high=1.0,
        why="share of the picture in one flat band at its lower end, where no other side is flat: "
        "what a decoder leaves where the data stopped",
    )  # fmt: skip
    borders: float = setting(
        0.2, low=0.02, high=1.0,
        why="share of the area in flat borders, above what is usual here: bars of this size take a "
        "fifth of the net's input",
    )  # fmt: skip
    aspect: float = setting(
        3.0, low=1.0, high=50.0,
        why="long side / short side from which a resize to a square distorts beyond recognition, "
        "if the usual shape differs by this factor too",
    )  # fmt: skip
    size: float = setting(
        5.0, low=1.0, high=100.0,
        why="factor between a picture's side (root of the area) and the usual one; five times "
        "smaller is 4 % of the pixels, and enlarging adds none",
    )  # fmt: skip
    poor_share: float = setting(
        0.01, low=0.0, high=1.0,
        why="share of poor pictures from which they are a warning; below it they are fewer than "
        "the wrong labels of a good data set, and listed all the same",
    )  # fmt: skip
    unusable_share: float = setting(
        0.01, low=0.0, high=1.0,
        why="share of blank or cut-off pictures from which the set fails; a single one warns",
    )  # fmt: skip


@dataclass(frozen=True)
class Issue:
    """One way to be poor, and who is.

    score   (k,) 0 worst … 1 at the limit
    """

    name: str
    weight: Weight
    rows: npt.NDArray[np.int64]
    scores: Floats
    details: list[str]


@dataclass(frozen=True)
class Look:
    """The columns of the pictures that are judged; (n,) each, NaN where not measured."""

    judged: npt.NDArray[np.bool_]
    column: Callable[[str], Floats]

    def usual(self, values: Floats) -> float:
        """The median over the judged pictures."""
        known = values[self.judged & np.isfinite(values)]
        return float(np.median(known)) if len(known) else float("nan")


def judge(evidence: Evidence, params: Params) -> Finding:
    look = Look(properties.readable(evidence) & np.isfinite(evidence.numbers("brightness")),
                lambda name: evidence.numbers(name) if evidence.has(name)
                else np.full(len(evidence), np.nan))  # fmt: skip
    n = int(look.judged.sum())
    if n == 0:
        raise MissingInput("no picture could be read")
    issues = found_in(evidence, look, params)
    share = {w: len(_rows(issues, w)) / n for w in ("unusable", "poor")}
    return Finding(
        verdict(share, params), summary(issues, n, params), next_step(issues, share, params),
        figures(issues, n), subjects(issues), charts(look, params),
    )  # fmt: skip


def found_in(evidence: Evidence, look: Look, params: Params) -> list[Issue]:
    """Every issue, also those without pictures. What is blank is not called dark or blurred too."""
    blank = blank_pictures(look, params)
    shows_something = look.judged.copy()
    shows_something[blank.rows] = False
    rest = Look(shows_something, look.column)
    return [blank, *(find(rest, params) for find in ISSUES), grey_pictures(evidence, rest)]


def blank_pictures(look: Look, params: Params) -> Issue:
    contrast = look.column("contrast")
    return _issue("blank", "unusable", look, contrast < params.blank, contrast / params.blank,
                  lambda i: f"blank: brightness varies by {contrast[i]:.4f} (limit "
                            f"{params.blank:g})")  # fmt: skip


def cut_off_pictures(look: Look, params: Params) -> Issue:
    band, borders = look.column("uniform_block_share"), look.column("border_share")
    # Bars at both ends, or paper all around, are borders: there the band is at most half of them.
    alone = ~(borders > 1.5 * band)
    return _issue("cut_off", "unusable", look, (band > params.band) & alone,
                  (1 - band) / (1 - params.band),
                  lambda i: f"the lower {percent(band[i])} is one flat band (limit "
                            f"{percent(params.band)})")  # fmt: skip


def dark_pictures(look: Look, params: Params) -> Issue:
    top = look.column("brightness") + 2 * look.column("contrast")
    usual = look.usual(top)
    return _issue("dark", "poor", look, (top < params.dark) & (top < usual / 2), top / params.dark,
                  lambda i: f"dark: light parts at {top[i]:.2f} of the range (limit "
                            f"{params.dark:g}, usual {usual:.2f})")  # fmt: skip


def light_pictures(look: Look, params: Params) -> Issue:
    low = look.column("brightness") - 2 * look.column("contrast")
    usual = look.usual(low)
    return _issue("light", "poor", look, (low > params.light) & (1 - low < (1 - usual) / 2),
                  (1 - low) / (1 - params.light),
                  lambda i: f"washed out: dark parts at {low[i]:.2f} of the range (limit "
                            f"{params.light:g}, usual {usual:.2f})")  # fmt: skip


def blurred_pictures(look: Look, params: Params) -> Issue:
    sharpness = look.column("sharpness")
    usual = look.usual(sharpness)
    limit = min(params.blur, params.blur_usual * usual)
    return _issue("blurry", "poor", look, sharpness < limit, sharpness / max(limit, 1e-12),
                  lambda i: f"blurred: sharpness {sharpness[i]:.3g} (limit {limit:.3g}, usual "
                            f"{usual:.3g})")  # fmt: skip


def empty_pictures(look: Look, params: Params) -> Issue:
    entropy, contrast = look.column("entropy"), look.column("contrast")
    usual = look.usual(entropy)
    bad = (entropy < params.entropy) & (entropy < usual / 2) & (contrast < 0.1)
    return _issue("low_information", "poor", look, bad, entropy / params.entropy,
                  lambda i: f"holds little: {entropy[i]:.1f} bits (limit {params.entropy:g}, usual "
                            f"{usual:.1f})")  # fmt: skip


def odd_shapes(look: Look, params: Params) -> Issue:
    shape = np.log(look.column("width") / look.column("height"))
    usual, limit = look.usual(shape), np.log(params.aspect)
    off = np.minimum(np.abs(shape), np.abs(shape - usual))
    return _issue("odd_aspect", "poor", look, off > limit, limit / np.maximum(off, limit),
                  lambda i: f"odd shape: {np.exp(shape[i]):.2f} wide to 1 high (usual "
                            f"{np.exp(usual):.2f})")  # fmt: skip


def odd_sizes(look: Look, params: Params) -> Issue:
    side = np.sqrt(look.column("width") * look.column("height"))
    usual, limit = look.usual(side), np.log(params.size)
    off = np.abs(np.log(side / usual))
    return _issue("odd_size", "poor", look, off > limit, limit / np.maximum(off, limit),
                  lambda i: f"odd size: side {side[i]:.0f} px (usual {usual:.0f} px)")  # fmt: skip


def bordered_pictures(look: Look, params: Params) -> Issue:
    borders, band = look.column("border_share"), look.column("uniform_block_share")
    usual = look.usual(borders)
    cut_off = (band > params.band) & ~(borders > 1.5 * band)
    return _issue("borders", "information", look, (borders - usual > params.borders) & ~cut_off,
                  1 - borders / 2,
                  lambda i: f"flat borders take {percent(borders[i])} of the area (usual "
                            f"{percent(usual)})")  # fmt: skip


def grey_pictures(evidence: Evidence, look: Look) -> Issue:
    """Grey pictures where most are in colour; with more of them image_variation calls it mixed."""
    grey = properties.is_grey(evidence) & look.judged
    minority = grey.sum() <= 0.5 * look.judged.sum()
    share = percent(float(grey.sum() / max(1, look.judged.sum())))
    return _issue("grey", "information", look, grey & minority, np.full(len(grey), 0.9),
                  lambda i: f"grey among pictures in colour ({share} of them are)")  # fmt: skip


ISSUES: tuple[Callable[[Look, Params], Issue], ...] = (
    cut_off_pictures, dark_pictures, light_pictures, blurred_pictures, empty_pictures, odd_shapes,
    odd_sizes, bordered_pictures,
)  # fmt: skip


def _issue(
           name: str, weight: Weight, look: Look, bad: npt.NDArray[np.bool_], score: Floats,
           tell: Callable[[int], str]) -> Issue:  # fmt: skip
    rows = rows_where(bad & look.judged)
    scores = np.clip(np.nan_to_num(score[rows], nan=1.0), 0.0, 1.0)
    return Issue(name, weight, rows, scores, [tell(i) for i in rows.tolist()])


def _rows(issues: list[Issue], weight: str) -> npt.NDArray[np.int64]:
    return np.unique(np.concatenate([i.rows for i in issues if i.weight == weight]))


def verdict(share: dict[str, float], params: Params) -> Verdict:
    if share["unusable"] > params.unusable_share:
        return "fail"
    return "warn" if share["unusable"] > 0 or share["poor"] > params.poor_share else "pass"


def summary(issues: list[Issue], n: int, params: Params) -> str:
    unusable, poor = len(_rows(issues, "unusable")), len(_rows(issues, "poor"))
    named = [f"{len(i.rows):,} {i.name.replace('_', ' ')}" for i in issues if len(i.rows)]
    found = f": {listed(named, 8)}" if named else ""
    return (
        f"Of {counted(n, 'picture')} {unusable:,} are unusable and {poor:,} poor "
        f"({percent(poor / n)}; none and at most {percent(params.poor_share)} expected){found}."
    )


def next_step(issues: list[Issue], share: dict[str, float], params: Params) -> str:
    if verdict(share, params) == "pass":
        return ""
    return (
        "Look at them, worst first, and exclude those that a person could not label either; if one "
        "class or source holds most of them, ask how it was collected."
    )


def figures(issues: list[Issue], n: int) -> dict[str, object]:
    return {
        "n": n,
        "unusable": len(_rows(issues, "unusable")),
        "poor": len(_rows(issues, "poor")),
        "issues": {i.name: len(i.rows) for i in issues},
    }


def subjects(issues: list[Issue]) -> Subjects:
    """Every picture with an issue, its details joined, its score the worst of them.

    Unusable 0 … 0.3, poor 0.3 … 0.8, information above: the worst come first.
    """
    low, high = {"unusable": 0.0, "poor": 0.3, "information": 0.8}, {"unusable": 0.3, "poor": 0.8}
    details: dict[int, list[str]] = {}
    worst: dict[int, float] = {}
    for issue in issues:
        start, end = low[issue.weight], high.get(issue.weight, 1.0)
        told = zip(issue.rows.tolist(), issue.scores.tolist(), issue.details, strict=True)
        for row, score, detail in told:
            details.setdefault(row, []).append(detail)
            worst[row] = min(worst.get(row, 1.0), start + (end - start) * score)
    if not details:
        return NO_SUBJECTS
    rows = sorted(details)
    return Subjects(np.array(rows, np.int64), np.array([worst[r] for r in rows], np.float32),
                    ["; ".join(details[r]) for r in rows])  # fmt: skip


def charts(look: Look, params: Params) -> tuple[Chart, ...]:
    sharpness = look.column("sharpness")
    blur = min(params.blur, params.blur_usual * look.usual(sharpness))
    kinds = (("brightness", "Brightness", ()), ("contrast", "Contrast", (params.blank,)),
             ("sharpness", "Sharpness", (blur,)),
             ("entropy", "Entropy (bits)", (params.entropy,)))  # fmt: skip
    made = (_histogram(look, name, title, limits) for name, title, limits in kinds)
    return tuple(c for c in made if c is not None)


def _histogram(look: Look, name: str, title: str, limits: tuple[float, ...]) -> Chart | None:
    values = look.column(name)[look.judged]
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    top = float(np.quantile(values, 0.995))
    edges = np.linspace(0.0, top if top > 0 else 1.0, 41)
    heights = np.histogram(np.clip(values, 0, edges[-1]), edges)[0]
    return Chart("histogram", title, title, "pictures", edges.round(6).tolist(),
                 {"pictures": heights.tolist()}, limits=limits, column=name)  # fmt: skip


CHECK = Check(
    id="image_quality",
    stage="data",
    question="Which pictures are too poor to learn from?",
    why="A label on a picture that shows nothing teaches noise. A few blurred or dark pictures are "
    "life; many, or many in one class, are how the data was collected.",
    params=Params,
    judge=judge,
)
