"""Do the boxes lie on their pictures, and does each mean one thing?

The recipe: look at the annotations as you look at the pictures. A box without area stops a
detector's training with an error or a loss that is no number; a box outside its picture was drawn
on another one; a second box on the same object teaches the detector to see two. A bad answer names
pictures whose boxes are impossible. Correct those in the labelling tool; leave them out until then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from recipe_core.kernel.check import Check
from recipe_core.kernel.errors import MissingInput
from recipe_core.kernel.evidence import Evidence
from recipe_core.kernel.nouns import Chart, Finding, Subjects, Verdict
from recipe_core.kernel.params import setting

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

NEIGHBOURS = 256
"""Boxes to the right that a box is compared with in search of a duplicate: bounds the time for a
picture with a hundred thousand boxes at one place."""


@dataclass(frozen=True)
class Params:
    """What is still an honest box."""

    outside_px: float = setting(
        1.5, low=0.0, high=100.0,
        why="pixels a box may stick out: VOC counts from 1 and other tools from 0, and shares of "
        "the width are rounded, which together moves a border by up to 1 px",
    )  # fmt: skip
    outside_share: float = setting(
        0.005, low=0.0, high=0.5,
        why="share of the picture's side a box may stick out: a box drawn on a reduced view of a "
        "large photo is exact to about one screen pixel in 200 to 1,000",
    )  # fmt: skip
    duplicate_iou: float = setting(
        0.95, low=0.5, high=1.0,
        why="overlap from which two boxes are one: two people who draw the same object agree to "
        "about 0.8 to 0.9, two close objects rarely exceed 0.9",
    )  # fmt: skip
    tiny_px: float = setting(
        2.0,
        low=0.0,
        high=64.0,
        why="shorter side in pixels under which a box shows nothing: a slip of the mouse",
    )
    tiny_share: float = setting(
        0.0, low=0.0, high=0.1,
        why="share of the picture's area below which a box is tiny; off, since what is too small "
        "depends on the size the net will see (0.0001 is 6 x 6 px at 640 x 640)",
    )  # fmt: skip
    size_px: float = setting(
        1.0, low=0.0, high=100.0,
        why="pixels by which the annotated size of a picture may differ from the measured one: "
        "halving an odd side rounds either way",
    )  # fmt: skip
    whole_share: float = setting(
        0.5, low=0.0, high=1.0,
        why="share of boxes that may cover their whole picture: one is a close-up, most of them "
        "are labels of pictures written as boxes, from which nothing can be located",
    )  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """One way in which a box can be wrong: its verdict, its picture's score, and its words.

    What breaks training or is on no picture fails. What a loader may clip, merge or scale warns:
    such a picture is still worth more than none, so its score stays at 0.5 and above, where
    `recipe export --drop annotations` keeps it.
    """

    verdict: Verdict
    score: float
    text: str
    remedy: str


KINDS: Mapping[str, Kind] = {
    "degenerate": Kind("fail", 0.0, "no width or height",
                       "remove them: they stop a detector's training"),
    "off_image": Kind("fail", 0.0, "wholly outside the picture",
                      "draw them again: they belong elsewhere"),
    "unknown_label": Kind("fail", 0.1, "a label that is not in the class list",
                          "correct the label or add the class"),
    "swapped_size": Kind("fail", 0.2, "annotated on a picture with width and height swapped",
                         "apply the EXIF orientation before drawing boxes, or swap the axes"),
    "other_size": Kind("warn", 0.5, "annotated on a picture of another size",
                       "scale the boxes to the picture, or restore the picture they were drawn on"),
    "outside": Kind("warn", 0.6, "sticking out of the picture",
                    "clip them to the picture's border"),
    "duplicate": Kind("warn", 0.7, "drawn twice with one label", "keep one of each pair"),
    "two_labels": Kind("warn", 0.7, "drawn twice with different labels",
                       "decide on a label, unless an object may have several"),
    "tiny": Kind("warn", 0.8, "too small to show anything",
                 "look at them: most are slips of the mouse"),
}  # fmt: skip


@dataclass(frozen=True)
class Boxes:
    """The boxes as arrays of length k; corners in pixels, NaN where they are not known.

    row, label           picture and label code of each box
    xmin … ymax          corners
    width, height        measured size of its picture, NaN where it could not be measured
    claimed_w, claimed_h the annotated size, NaN where there is none
    names                label texts by code
    known                (classes,) whether each name is in the class list
    judged               False where the corners could not be turned into pixels (null)
    """

    row: Ints
    label: Ints
    xmin: Floats
    ymin: Floats
    xmax: Floats
    ymax: Floats
    width: Floats
    height: Floats
    claimed_w: Floats
    claimed_h: Floats
    names: tuple[str, ...]
    known: Flags
    judged: Flags


def judge(evidence: Evidence, params: Params) -> Finding:
    """Every box against its picture and against its neighbours. MissingInput without boxes."""
    if evidence.boxes.num_rows == 0:
        raise MissingInput("the data set has no boxes")
    boxes = boxes_of(evidence)
    faults = faults_of(boxes, params)
    whole = covers_all(boxes, params)
    counts = {kind: int(flags.sum()) for kind, flags in faults.items()}
    too_many = whole.mean() > params.whole_share
    return Finding(
        _verdict(counts, too_many), _summary(evidence, boxes, counts, whole, too_many),
        _next_step(counts, too_many), _numbers(evidence, boxes, faults, whole),
        _subjects(evidence, boxes, faults), _charts(evidence, boxes),
    )  # fmt: skip


def boxes_of(evidence: Evidence) -> Boxes:
    """The evidence's boxes as arrays."""
    table = evidence.boxes
    row = table["row"].to_numpy()
    codes, names = _coded(table["label"])
    listed = set(evidence.dataset.class_names)
    known = np.array([name in listed for name in names])
    width, height = (evidence.numbers(c)[row] for c in ("width", "height"))
    judged = np.asarray(pc.is_valid(table["xmin"]).to_numpy(), dtype=bool)
    corners = (_floats(table[c]) for c in ("xmin", "ymin", "xmax", "ymax"))
    claimed = (_floats(table[c]) for c in ("annotated_width", "annotated_height"))
    xmin, ymin, xmax, ymax = corners
    claimed_w, claimed_h = claimed
    return Boxes(
        row, codes, xmin, ymin, xmax, ymax, width, height, claimed_w, claimed_h,
        names, known, judged,
    )  # fmt: skip


def faults_of(b: Boxes, params: Params) -> dict[str, Flags]:
    """(k,) bool for each of KINDS. A box has at most one fault of place, the gravest."""
    w, h = b.xmax - b.xmin, b.ymax - b.ymin
    with np.errstate(invalid="ignore"):
        degenerate = b.judged & ~((w > 0) & (h > 0) & np.isfinite(w) & np.isfinite(h))
        sound = b.judged & ~degenerate
        off = sound & ((b.xmax <= 0) | (b.ymax <= 0) | (b.xmin >= b.width) | (b.ymin >= b.height))
        outside = sound & ~off & (_overshoot(b, params) > 0)
        short, share = np.minimum(w, h), w * h / (b.width * b.height)
        tiny = sound & ~off & ((short < params.tiny_px) | (share < params.tiny_share))
        differs = _differs(b.claimed_w, b.claimed_h, b, params)
        swapped = differs & ~_differs(b.claimed_h, b.claimed_w, b, params)
    duplicate, two_labels = duplicates(b, sound, params.duplicate_iou)
    return {
        "degenerate": degenerate, "off_image": off, "unknown_label": ~b.known[b.label],
        "swapped_size": swapped, "other_size": differs & ~swapped, "outside": outside,
        "duplicate": duplicate, "two_labels": two_labels, "tiny": tiny,
    }  # fmt: skip


def covers_all(b: Boxes, params: Params) -> Flags:
    """(k,) bool: boxes that reach all four borders of their picture, give or take the tolerance."""
    x, y = _tolerance(b.width, params), _tolerance(b.height, params)
    with np.errstate(invalid="ignore"):
        across = (b.xmin <= x) & (b.xmax >= b.width - x)
        down = (b.ymin <= y) & (b.ymax >= b.height - y)
    return np.asarray(across & down, dtype=bool)


def duplicates(b: Boxes, sound: Flags, iou: float) -> tuple[Flags, Flags]:
    """(k,) bool twice: boxes that repeat another of one label, and such of different labels.

    Of a pair the later box (further right, then later in the file) is flagged as duplicate, since
    one of them is right; of a pair with different labels both are.

    Boxes of one picture, sorted by xmin, are compared with those that follow: where IoU >= t, the
    right one starts within (1 - t) of the left one's width, since IoU <= shared width / width.
    """
    order = np.flatnonzero(sound)
    order = order[np.lexsort((b.xmin[order], b.row[order]))]
    row, label = b.row[order], b.label[order]
    corners = np.stack([b.xmin[order], b.ymin[order], b.xmax[order], b.ymax[order]])
    x0, x1 = corners[0], corners[2]
    reach = (x1 - x0) * (1 - iou) + 1e-9 * np.abs(x1)
    twice, torn = np.zeros(len(order), bool), np.zeros(len(order), bool)
    original = np.arange(len(order))
    first = original
    for step in range(1, min(NEIGHBOURS, len(order))):
        first = first[first + step < len(order)]
        second = first + step
        near = (row[second] == row[first]) & (x0[second] - x0[first] <= reach[first])
        first, second = first[near], second[near]
        if not len(first):
            break
        overlap = _iou(corners[:, first], corners[:, second])
        same = label[first] == label[second]
        twice[second[(overlap >= iou) & same]] = True
        for side in (first, second):
            torn[side[(overlap >= iou) & ~same]] = True
        # An exact copy is set aside: what it would find, its original finds
        exact = (overlap == 1) & same
        original[second[exact]] = first[exact]
        first = first[original[first] == first]
    while (original != original[original]).any():
        original = original[original]
    torn |= torn[original]
    return _back(twice, order, len(b.row)), _back(torn, order, len(b.row))


def _iou(a: Floats, b: Floats) -> Floats:
    """(p,) overlap of each pair of boxes; a, b: (4, p) corners."""
    w, h = (np.minimum(a[k + 2], b[k + 2]) - np.maximum(a[k], b[k]) for k in (0, 1))
    shared = np.maximum(w, 0) * np.maximum(h, 0)
    areas = sum((c[2] - c[0]) * (c[3] - c[1]) for c in (a, b))
    return np.asarray(shared / (areas - shared), dtype=np.float64)


def _back(flags: Flags, order: Ints, n: int) -> Flags:
    result = np.zeros(n, bool)
    result[order] = flags
    return result


def _overshoot(b: Boxes, params: Params) -> Floats:
    """Pixels by which a box sticks out beyond the tolerance, on its worst side."""
    x, y = _tolerance(b.width, params), _tolerance(b.height, params)
    sides = [-b.xmin - x, b.xmax - b.width - x, -b.ymin - y, b.ymax - b.height - y]
    return np.asarray(np.fmax.reduce(sides), dtype=np.float64)


def _tolerance(side: Floats, params: Params) -> Floats:
    return np.asarray(np.fmax(params.outside_px, params.outside_share * np.nan_to_num(side)))


def _differs(w: Floats, h: Floats, b: Boxes, params: Params) -> Flags:
    return np.asarray(
        (np.abs(w - b.width) > params.size_px) | (np.abs(h - b.height) > params.size_px), dtype=bool
    )


def _verdict(counts: Mapping[str, int], too_many_whole: bool) -> Verdict:
    found = {KINDS[kind].verdict for kind, n in counts.items() if n}
    if "fail" in found:
        return "fail"
    return "warn" if found or too_many_whole else "pass"


def _summary(
    evidence: Evidence, b: Boxes, counts: Mapping[str, int], whole: Flags, too_many_whole: bool
) -> str:
    n, pictures = len(b.row), len(np.unique(b.row))
    about = f"{n:,} boxes on {pictures:,} of {len(evidence):,} pictures"
    faults = [f"{k:,} {KINDS[kind].text}" for kind, k in counts.items() if k]
    if too_many_whole:
        faults.append(f"{int(whole.sum()):,} covering the whole picture")
    unjudged = int((~b.judged).sum())
    unmeasured = f" ({unjudged:,} on unmeasured pictures not judged)" if unjudged else ""
    if faults:
        return f"Of {about}{unmeasured}: {'; '.join(faults)}."
    return f"{about}{unmeasured}: all lie on their picture, none twice, all labels known."


def _next_step(counts: Mapping[str, int], too_many_whole: bool) -> str:
    steps = [f"{KINDS[kind].text}: {KINDS[kind].remedy}" for kind, n in counts.items() if n]
    if too_many_whole:
        steps.append("covering the whole picture: use them as labels of the picture, or draw boxes")
    return "; ".join(steps).capitalize() + "." if steps else ""


def _numbers(
    evidence: Evidence, b: Boxes, faults: Mapping[str, Flags], whole: Flags
) -> dict[str, Any]:
    per_class = np.bincount(b.label, minlength=len(b.names))
    return {
        "n_boxes": len(b.row),
        "n_images": len(evidence),
        "n_images_without_boxes": len(evidence) - len(np.unique(b.row)),
        "n_not_judged": int((~b.judged).sum()),
        "n_whole_image": int(whole.sum()),
        **{f"n_{kind}": int(flags.sum()) for kind, flags in faults.items()},
        "boxes_per_class": dict(zip(b.names, per_class.tolist(), strict=True)),
        "faults_per_class": {
            kind: _counts_by_name(b, flags) for kind, flags in faults.items() if flags.any()
        },
        "classes_without_boxes": sorted(set(evidence.dataset.class_names) - set(b.names)),
    }


def _counts_by_name(b: Boxes, flags: Flags) -> dict[str, int]:
    counts = np.bincount(b.label[flags], minlength=len(b.names))
    return {b.names[i]: int(counts[i]) for i in np.flatnonzero(counts)}


def _subjects(evidence: Evidence, b: Boxes, faults: Mapping[str, Flags]) -> Subjects:
    """One subject per picture: the score of its gravest box, the first few faults in words."""
    score = np.ones(len(evidence), np.float32)
    details: dict[int, list[str]] = {}
    places = evidence.boxes["place"]
    for kind, flags in faults.items():
        at = np.flatnonzero(flags)
        np.minimum.at(score, b.row[at], np.float32(KINDS[kind].score))
        texts = places.take(pa.array(at)).to_pylist()
        for i, place in zip(at.tolist(), texts, strict=True):
            details.setdefault(int(b.row[i]), []).append(_detail(kind, b, i, place))
    rows = np.array(sorted(details), dtype=np.int64)
    rows = rows[np.argsort(score[rows], kind="stable")]
    return Subjects(rows, score[rows], [_joined(details[r]) for r in rows.tolist()])


def _detail(kind: str, b: Boxes, i: int, place: str | None) -> str:
    if kind in ("swapped_size", "other_size"):
        claimed, measured = (b.claimed_w[i], b.claimed_h[i]), (b.width[i], b.height[i])
        seen = "{:.0f} x {:.0f}, is {:.0f} x {:.0f}".format(*claimed, *measured)
    else:
        corners = (b.xmin[i], b.ymin[i], b.xmax[i], b.ymax[i])
        seen = f"{b.names[b.label[i]]} [{', '.join(f'{c:.6g}' for c in corners)}]"
    return f"{KINDS[kind].text}: {seen}" + (f" ({place})" if place else "")


def _joined(texts: Sequence[str]) -> str:
    more = f"; and {len(texts) - 3:,} more" if len(texts) > 3 else ""
    return "; ".join(texts[:3]) + more


def _charts(evidence: Evidence, b: Boxes) -> tuple[Chart, ...]:
    return (_class_chart(b), _count_chart(evidence, b), *_size_charts(b))


def _class_chart(b: Boxes) -> Chart:
    counts = np.bincount(b.label, minlength=len(b.names))
    order = np.argsort(-counts, kind="stable")
    return Chart(
        "bar", "Boxes per class", "class", "boxes", [b.names[i] for i in order],
        {"boxes": counts[order].tolist()},
    )  # fmt: skip


def _count_chart(evidence: Evidence, b: Boxes) -> Chart:
    per_image = np.bincount(b.row, minlength=len(evidence))
    # The last bin takes the rest, so that one crowd does not flatten all others
    most = int(min(per_image.max(), 50))
    counts = np.bincount(np.minimum(per_image, most), minlength=most + 1)
    return Chart(
        "histogram", "Boxes per picture" + (" (50: 50 or more)" if per_image.max() > 50 else ""),
        "boxes", "pictures", [i - 0.5 for i in range(most + 2)], {"pictures": counts.tolist()},
        column="n_boxes",
    )  # fmt: skip


def _size_charts(b: Boxes) -> tuple[Chart, ...]:
    """Side of a square of the box's area as a share of such a square for the picture."""
    with np.errstate(invalid="ignore", divide="ignore"):
        area = (b.xmax - b.xmin).clip(0) * (b.ymax - b.ymin).clip(0)
        share = np.sqrt(area / (b.width * b.height))
    share = share[np.isfinite(share)]
    if not len(share):
        return ()
    counts, edges = np.histogram(share.clip(0, 1), bins=20, range=(0, 1))
    title = "Box size (square root of the share of the picture's area)"
    bars = {"boxes": counts.tolist()}
    return (Chart("histogram", title, "relative size", "boxes", edges.tolist(), bars),)


def _coded(column: pa.ChunkedArray) -> tuple[Ints, tuple[str, ...]]:
    coded = pc.fill_null(column, "").dictionary_encode().unify_dictionaries()
    names = coded.chunk(0).dictionary.to_pylist()
    codes = np.concatenate([c.indices.to_numpy(zero_copy_only=False) for c in coded.chunks])
    return codes.astype(np.int64), tuple(names)


def _floats(column: pa.ChunkedArray) -> Floats:
    values = pc.fill_null(pc.cast(column, pa.float64()), np.nan)
    return np.asarray(values.to_numpy(), dtype=np.float64)


CHECK = Check(
    id="annotations",
    stage="data",
    question="Do the boxes lie on their pictures, once each, with labels that exist?",
    why="Boxes without area break a detector's training, boxes off the picture or drawn twice "
    "teach it what is not there. A bad answer names pictures with impossible boxes.",
    params=Params,
    judge=judge,
)
