"""Are there samples that show the same shot, edited: resized, cropped, mirrored, captioned?

Near copies are worth less than the number of samples suggests, and a net memorises what it sees
in five versions. Hashes nominate pairs; what decides is whether the fine detail agrees once one
picture is laid over the other, so that two shots of two white shirts are no copies. Keep one of
each group, or keep a group within one split. Exact copies are the matter of exact_duplicates and
are counted once here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recipe_core.data.copies import (
    Copies,
    crowded,
    described,
    near_copies,
    scored,
)
from recipe_core.data.embedded import EMBEDDED
from recipe_core.data.embedded_pairs import PAIRS, card_numbers
from recipe_core.data.near_pairs import FLOOR, NEAR, RADIUS, Limits, limits_of, recorded
from recipe_core.data.pixel_copies import PIXELS
from recipe_core.data.planted_copies import (
    PLANTED,
    curve_charts,
    curve_numbers,
    recall_by_radius,
    smallest_radius,
)
from recipe_core.data.properties import counted, percent
from recipe_core.kernel.check import Check
from recipe_core.kernel.evidence import Evidence
from recipe_core.kernel.nouns import Chart, Finding, Subjects, Verdict
from recipe_core.kernel.params import setting

TELLING = 0.5
"""Share of the planted copies below which finding none means nothing."""


@dataclass(frozen=True)
class Params:
    radius_from: str = setting(
        "your data", choices=("your data", "the slider"),
        why="your data: the smallest radius that still finds copies planted in a sample of it; "
        "the slider: the radius below",
    )  # fmt: skip
    max_loss: float = setting(
        0.01, low=0.0, high=0.2,
        why="share of the planted copies of any one edit that the smaller radius may lose; more "
        "than one in a hundred is worth the wider search",
    )  # fmt: skip
    radius: int = setting(
        8, low=0, high=RADIUS,
        why="bits of 64 in which the hashes that nominate a pair may differ; the pixels decide "
        "afterwards, so the widest radius finds most and costs no precision",
    )  # fmt: skip
    min_similarity: float = setting(
        0.85, low=FLOOR, high=1.0,
        why="agreement of the fine detail at the best overlay; recompressed, resized, brightened "
        "copies lie above 0.9, most crops and captions above 0.85, different shots of alike "
        "things nearly all below 0.8",
    )  # fmt: skip
    turned: bool = setting(True, why="whether mirrored and rotated copies count")
    max_share: float = setting(
        0.2, low=0.0, high=1.0,
        why="extra near copies as a share of all samples; above a fifth (fail) the effective "
        "number of samples is no longer the number that learning curves and intervals assume",
    )  # fmt: skip
    protected: str = setting(
        "", why="folder below the data set's root whose samples are kept before all their copies; "
        "empty for none",
    )  # fmt: skip


def judge(evidence: Evidence, params: Params) -> Finding:
    radius = chosen_radius(evidence, params)
    copies = near_copies(evidence, radius, params.min_similarity, params.turned, params.protected)
    figures = numbers(copies, len(evidence)) | radius_numbers(evidence, radius, params)
    figures |= by_embedding(evidence, params)
    curve = curve_charts(evidence, radius, params.min_similarity, params.turned)
    n, extra = len(evidence), copies.extra
    more = crowded(evidence, radius)
    if not extra and blind(evidence, figures):
        return Finding(
            "skipped",
            "Not judged: so many pictures resemble one another that an edited copy cannot be told "
            f"from them ({figures['recall']:.0%} of {figures['planted_copies']} planted ones were "
            "found).",
            "Go by exact_duplicates, which asks for every pixel.", figures, charts=curve,
        )  # fmt: skip
    if not extra:
        return Finding(
            "pass", f"None of {n:,} samples is a near copy of another{more}.", "",
            figures, charts=curve,
        )  # fmt: skip
    verdict: Verdict = "fail" if extra / n > params.max_share else "warn"
    summary = (
        f"{extra:,} of {n:,} samples ({percent(extra / n)}) "
        f"{'is a near copy' if extra == 1 else 'are near copies'} of another, in "
        f"{counted(copies.n_groups, 'group')}; expected none{more}."
    )
    return Finding(
        verdict, summary,
        "Look at the groups; export with --drop near_duplicates to keep one of each.",
        figures,
        Subjects(
            copies.rows, scored(copies),
            described(evidence, copies, params.protected), copies.groups,
        ),
        (chart(copies, params), *curve),
    )  # fmt: skip


def blind(evidence: Evidence, figures: Mapping[str, object]) -> bool:
    """Whether the data set's own look-alikes, or their number, hide most edited copies."""
    recall, near = figures.get("recall"), evidence.table(NEAR.name)
    hidden = recorded(near)[0] > FLOOR or limits_of(near) != Limits()
    return hidden and isinstance(recall, float) and recall < TELLING


def chosen_radius(evidence: Evidence, params: Params) -> int:
    """The slider's radius, or the smallest that loses none of the planted copies to speak of."""
    if params.radius_from == "the slider":
        return params.radius
    planted = evidence.table(PLANTED.name)
    recall = recall_by_radius(planted, params.min_similarity, params.turned)
    return smallest_radius(recall, params.max_loss)


def radius_numbers(evidence: Evidence, radius: int, params: Params) -> dict[str, object]:
    if params.radius_from == "the slider":
        why = "set by hand"
    elif not len(evidence.table(PLANTED.name)):
        why = "the widest: there was no picture to plant copies of"
    else:
        why = (f"the smallest at which no edit loses more than {params.max_loss:.0%} of its "
               "planted copies")  # fmt: skip
    curve = curve_numbers(evidence, radius, params.min_similarity, params.turned)
    return {"radius": radius, "radius_because": why, **curve}


def numbers(copies: Copies, n: int) -> dict[str, object]:
    near = copies.how[copies.rows != copies.keepers]
    return {
        "samples": n,
        "groups": copies.n_groups,
        "extra_copies": copies.extra,
        "share": copies.extra / max(n, 1),
        "turned": int(sum("rotated" in h or "mirrored" in h for h in near)),
        "cropped_or_bordered": int(sum("crop" in h for h in near)),
    }


def by_embedding(evidence: Evidence, params: Params) -> dict[str, object]:
    """What an embedding adds to the hashes, where `recipe embed` has made one."""
    if PAIRS.name not in evidence.tables:
        return {"embedding": "none: recipe embed finds stronger crops and recoloured copies, too"}
    pictures = int((evidence.table(EMBEDDED.name)["row"].to_numpy() >= 0).sum())
    return card_numbers(evidence.table(PAIRS.name), params.min_similarity, pictures)


def chart(copies: Copies, params: Params) -> Chart:
    edges = np.linspace(FLOOR, 1, 26)
    count, _ = np.histogram(copies.similarity[copies.rows != copies.keepers], edges)
    return Chart(
        "histogram", "How alike the near copies are", "similarity to the copy to keep", "samples",
        edges.round(3).tolist(), {"samples": count.tolist()}, (params.min_similarity,),
    )  # fmt: skip


CHECK = Check(
    id="near_duplicates",
    stage="data",
    question="Are there samples that show the same shot, edited?",
    why="Edited copies add less than their number suggests, and a net memorises what it sees "
    "again and again.",
    params=Params,
    judge=judge,
    measures=(PIXELS, NEAR, PLANTED, EMBEDDED, PAIRS),
)
