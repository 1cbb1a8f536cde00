"""How does a test get a report worth looking at? Findings by hand, pieces of real photos."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

from recipe_core.kernel.check import Check
from recipe_core.kernel.evidence import Evidence
from recipe_core.kernel.nouns import Chart, Finding, Subjects
from recipe_core.kernel.params import setting
from recipe_core.kernel.report import Report
from tests.making import make_evidence

N = 240
CLASSES = ("T-shirt", "dress", "hat", "longsleeve", "outwear", "pants", "shirt", "shoes")
HOSTILE = "train/<script>alert(1)</script>/\"quoted\" & 'torn'\n| `cell` \x1b[31m \u202egpj.exe"


@dataclass(frozen=True)
class Album:
    """Thumbnails by row, None for those in `broken`."""

    broken: frozenset[int] = frozenset()

    def original(self, row: int) -> bytes:
        return b"" if row in self.broken else photo(row)

    def thumbnail(self, row: int) -> bytes | None:
        return None if row in self.broken else photo(row)


@cache
def photo(row: int) -> bytes:
    """A JPEG of at most 160 pixels a side: a piece of one of scikit-learn's two photographs."""
    rng = np.random.default_rng(row)
    image = Image.fromarray(load_sample_images().images[row % 2])
    x, y, size = rng.integers(0, 400), rng.integers(0, 200), int(rng.integers(120, 220))
    piece = image.crop((x, y, x + size, y + size * (3 + row % 3) // 4))
    piece.thumbnail((160, 160))
    buffer = io.BytesIO()
    piece.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def evidence(names: Mapping[int, str] = MappingProxyType({}), n: int = N) -> Evidence:
    """n samples in 8 classes and 3 splits; `names` replaces paths by row."""
    splits = [("train", "validation", "test")[min(i % 10 // 7, 2)] for i in range(n)]
    labels = [CLASSES[(i * i) % 8] for i in range(n)]
    paths = [names.get(i, f"{splits[i]}/{labels[i]}/{i:05d}.jpg") for i in range(n)]
    return make_evidence(
        {
            "path": paths,
            "label": labels,
            "split": splits,
            "error": ["truncated" if i in (3, 4) else "" for i in range(n)],
        }
    )


@dataclass(frozen=True)
class Thresholds:
    radius: int = setting(6, low=0, high=8, why="bits of 64 that may differ; recompression moves 4")
    ratio: float = setting(10.0, low=1.0, high=1000.0, why="beyond it the rare class is drowned")
    side: str = setting("test", choices=("train", "test"), why="the copy to drop")


def check(check_id: str, question: str) -> Check:
    """A check whose judge is never called."""
    why = "A test picture that was seen in training measures memory, not skill."
    return Check(check_id, "data", question, why, Thresholds, lambda e, p: Finding("pass", ""))


CHECKS = (
    check("split_leak", "Does the test set hold copies of training pictures?"),
    check("corruption", "Can every file be trusted?"),
    check("class_balance", "Are there enough samples of every class?"),
    check("image_variation", "How much do size, brightness and colour vary?"),
    check("shortcut", "Does an image property give the label away?"),
    check("annotations", "Do the boxes fit their pictures?"),
    check("format_forensics", "Do the files hold what their names say?"),
)


def subjects(rows: Sequence[int], groups: Sequence[int] | None = None, what: str = "") -> Subjects:
    """Subjects with falling scores; the first of each group is the copy to keep."""
    first = {g: i for i, g in reversed(list(enumerate(groups or [])))}
    scores = [
        1.0 if groups and first[groups[i]] == i else 0.4 * i / len(rows) for i in range(len(rows))
    ]
    details = [what or f"copy of train/{i:05d}.jpg, {i % 5} bits away" for i in rows]
    return Subjects(
        np.array(rows, np.int64), np.array(scores, np.float32), details,
        None if groups is None else np.array(groups, np.int64),
    )  # fmt: skip


def histogram(seed: int = 1, shift: float = 0.0) -> list[float]:
    values = np.random.default_rng(seed).normal(0.55 + shift, 0.12, 2000)
    return [float(v) for v in np.histogram(values, np.linspace(0, 1, 31))[0]]


EDGES = [float(e) for e in np.linspace(0, 1, 31)]
CHARTS = (
    Chart("heatmap", "Copies between splits", "this split", "copied from",
          ("train", "validation", "test"),
          {"train": [0, 14, 31], "validation": [14, 0, 3], "test": [31, 3, 0]}),
    Chart("bar", "Samples per class", "class", "samples", CLASSES,
          {"samples": [1011, 357, 171, 699, 312, 692, 378, 12]}, limits=(30,), column="label"),
    Chart("stacked_bar", "Samples per class and split", "class", "samples", CLASSES,
          {"train": [800, 290, 141, 560, 262, 592, 318, 9],
           "validation": [120, 37, 15, 70, 25, 50, 30, 1],
           "test": [91, 30, 15, 69, 25, 50, 30, 2]}, column="label"),
    Chart("bar", "Boxes per class", "class", "boxes",
          [f"a species with a rather long name, no. {i}" for i in range(120)],
          {"boxes": [float(2000 // (i + 1)) for i in range(120)]}),
    Chart("histogram", "Brightness", "mean luma", "samples", EDGES, {"samples": histogram()},
          limits=(0.15, 0.92), column="brightness"),
    Chart("histogram", "Brightness per split", "mean luma", "samples", EDGES,
          {"train": histogram(), "test": histogram(2, -0.15)}, column="brightness"),
    Chart("line", "Accuracy at each resolution", "longest side in pixels", "accuracy",
          (8, 16, 32, 64, 128, 224),
          {"whole image": [0.31, 0.48, 0.62, 0.7, 0.73, 0.735],
           "patches": [0.2, 0.3, float("nan"), 0.5, 0.52, 0.55]},
          limits=(0.125,)),
    Chart("scatter", "Size of the pictures", "width in pixels", "height in pixels",
          [float(v) for v in np.random.default_rng(3).normal(400, 60, 900)],
          {"height": [float(v) for v in np.random.default_rng(4).normal(533, 80, 900)]}),
)  # fmt: skip


def findings() -> tuple[Finding, ...]:
    """One finding of every verdict, in no good order, with every kind of chart."""
    used = {"radius": 6, "ratio": 10.0, "side": "test"}
    return (
        Finding("pass", "All 240 files hold the format that their name says.", "", {"n": 240},
                check="format_forensics", stage="data", thresholds=used),
        Finding("skipped", "Not judged: the data set has no boxes.", check="annotations",
                stage="data"),
        Finding("warn", "Class shoes has 12 samples, 84 times fewer than T-shirt (1,011); at most "
                "10 times was expected.",
                "Collect more of shoes, or weight the loss by class frequency.",
                {"imbalance": 84.25, "effective_classes": np.float64(6.4), "per_class":
                 {"shoes": {"train": 9, "test": 2}, "<b>hat</b>": {"train": 141}}},
                subjects([7, 15, 23], what="class shoes: 12 samples"), CHARTS[1:4],
                "class_balance", "data", used | {"ratio": 20.0}),
        Finding("fail", "31 of 372 test pictures (8.3 %, 95 % interval 5.7 to 11.6 %) are copies "
                "of training pictures; none was expected.",
                "Drop the test copies: recipe export --drop split_leak.",
                {"leaked": 31, "share": 0.0833, "share_low": 0.057, "share_high": 0.116,
                 "pairs": [["train", "test", 31], ["validation", "test", 3]],
                 "nothing": float("nan")},
                subjects(list(range(20, 80)), [i // 3 for i in range(60)]), (CHARTS[0],),
                "split_leak", "data", used),
        Finding("fail", "2 of 240 files cannot be trusted: 2 truncated.", "Fetch them again.",
                {"truncated": 2},
                subjects([3, 4], what="image file is truncated (7 bytes missing)"), (),
                "corruption", "data", used),
        Finding("warn", "Pictures of train and test differ in brightness.", "Look at both.", {},
                subjects(list(range(100, 190)), what="brightness 0.04"), CHARTS[4:],
                "image_variation", "data", used),
        Finding("error", "The check itself broke: ZeroDivisionError: division by zero",
                "This is a bug in Recipe: please report it with the text above.",
                {"line": "shortcut.py:12"}, check="shortcut", stage="data"),
    )  # fmt: skip


def report(given: Sequence[Finding] | None = None) -> Report:
    """The report of these findings."""
    dataset = {
        "name": "clothing", "source": "photos/clothing", "n_samples": N, "n_classes": 8,
        "splits": {"train": 168, "validation": 24, "test": 48}, "fingerprint": "1f00ba12" * 4,
        "format": "folder",
    }  # fmt: skip
    versions = {"recipe": "0.1.0", "python": "3.11.9", "pillow": "13.0"}
    return Report(dataset, tuple(given or findings()), versions, "2025-01-31T12:00:00+01:00")


@dataclass(frozen=True)
class Made:
    """Everything that the report functions take."""

    report: Report = field(default_factory=report)
    evidence: Evidence = field(default_factory=lambda: evidence({21: HOSTILE}))
    files: Album = field(default_factory=lambda: Album(frozenset({3, 4})))
