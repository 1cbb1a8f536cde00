"""Does image_quality name poor pictures, and leave alone what is usual in a set?"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from recipe_core.data.checks.image_quality import CHECK
from recipe_core.images.look import FileRef, look
from recipe_core.kernel.check import judged
from tests.making import make_evidence

USUAL = {
    "brightness": 0.5, "contrast": 0.2, "entropy": 7.0, "sharpness": 0.5,
    "width": 400, "height": 300,
    "border_share": 0.0, "uniform_block_share": 0.0, "mode": "RGB", "grey_in_rgb": False,
}  # fmt: skip


def pictures(n: int, odd: dict[int, dict], **usual):
    """Columns of n usual pictures, a little different from each other, with some odd ones."""
    rng = np.random.default_rng(0)
    columns = {k: [v] * n for k, v in (USUAL | usual).items()}
    for name in ("brightness", "contrast", "entropy", "sharpness"):
        columns[name] = list(np.array(columns[name]) * rng.uniform(0.96, 1.04, n))
    for row, values in odd.items():
        for name, value in values.items():
            columns[name][row] = value
    return columns


ODD = {
    "blank": {"brightness": 0.6, "contrast": 0.001, "entropy": 0.1, "sharpness": 0.0},
    "cut_off": {"uniform_block_share": 0.4, "border_share": 0.4},
    "dark": {"brightness": 0.05, "contrast": 0.03},
    "light": {"brightness": 0.95, "contrast": 0.03},
    "blurry": {"sharpness": 0.06},
    "low_information": {"brightness": 0.4, "contrast": 0.02, "entropy": 1.0},
    "odd_aspect": {"width": 800, "height": 150},
    "odd_size": {"width": 40, "height": 30},
    "borders": {"border_share": 0.3},
    "grey": {"mode": "L"},
}


@pytest.mark.parametrize("kind", ODD)
def test_each_kind_is_named_alone(kind):
    finding = judged(CHECK, make_evidence(pictures(60, {7: ODD[kind], 31: ODD[kind]})))
    assert finding.subjects.rows.tolist() == [7, 31]
    assert {k: n for k, n in finding.numbers["issues"].items() if n} == {kind: 2}
    expected = {"blank": "fail", "cut_off": "fail", "borders": "pass", "grey": "pass"}
    assert finding.verdict == expected.get(kind, "warn")


def test_a_usual_set_passes():
    finding = judged(CHECK, make_evidence(pictures(500, {})))
    assert (finding.verdict, len(finding.subjects)) == ("pass", 0)


@pytest.mark.parametrize(
    "usual",
    [
        {"brightness": 0.06, "contrast": 0.04},
        {"brightness": 0.95, "contrast": 0.02},
        {"sharpness": 0.1},
        {"entropy": 0.9, "contrast": 0.3},
        {"width": 1600, "height": 300},
        {"border_share": 0.45},
        {"mode": "L"},
    ],
    ids=["night", "bleached", "soft", "two tones", "panoramas", "framed", "grey"],
)
def test_what_is_usual_in_a_set_is_not_poor(usual):
    finding = judged(CHECK, make_evidence(pictures(200, {}, **usual)))
    assert (finding.verdict, len(finding.subjects)) == ("pass", 0)


def test_a_single_blank_picture_warns_and_few_poor_ones_do_not():
    blank = judged(CHECK, make_evidence(pictures(1000, {5: ODD["blank"]})))
    dark = judged(CHECK, make_evidence(pictures(1000, {5: ODD["dark"]})))
    assert (blank.verdict, dark.verdict) == ("warn", "pass")
    assert dark.subjects.rows.tolist() == [5]


def test_the_worst_come_first():
    odd = {1: ODD["blank"], 2: ODD["dark"], 3: ODD["grey"], 4: ODD["dark"] | {"brightness": 0.01}}
    subjects = judged(CHECK, make_evidence(pictures(200, odd))).subjects
    order = subjects.rows[np.argsort(subjects.scores)].tolist()
    assert order == [1, 4, 2, 3]


def test_files_that_cannot_be_trusted_are_not_judged():
    columns = pictures(60, {7: ODD["blank"]})
    columns["error"] = ["damaged" if i == 7 else "" for i in range(60)]
    assert judged(CHECK, make_evidence(columns)).verdict == "pass"


def test_without_pictures_it_is_skipped():
    assert judged(CHECK, make_evidence({"label": ["a"], "brightness": [None]})).verdict == "skipped"


DATA = Path(os.environ.get("RECIPE_REAL_DATA", Path(__file__).parents[3] / "shared" / "data"))


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.parametrize("blur", [0.0, 1.5, 2.5])
def test_blur_on_real_photos(blur, tmp_path):
    """Sharp photos are not called blurred; blurred by 1.5 % of the longer side nearly all are."""
    from PIL import Image, ImageFilter

    photos = sorted((DATA / "clothing").rglob("*.jpg"))[::40]
    if not photos:
        pytest.skip(f"no photos below {DATA / 'clothing'}: set RECIPE_REAL_DATA")
    refs = []
    for i, path in enumerate(photos):
        picture = Image.open(path).convert("RGB")
        if i % 10 == 0:
            picture = picture.filter(ImageFilter.GaussianBlur(blur / 100 * max(picture.size)))
        picture.save(tmp_path / f"{i:04d}.jpg", quality=90)
        refs.append(FileRef(i, os.fsencode(tmp_path / f"{i:04d}.jpg")))
    table = look(refs, lambda _: None).table
    finding = judged(
        CHECK, make_evidence({n: table[n].to_pylist() for n in table.column_names[1:]})
    )
    blurred = set(range(0, len(photos), 10))
    named = set(finding.subjects.rows.tolist())
    assert not named - blurred
    assert len(named) >= (0 if blur == 0 else 0.8 * len(blurred))
    if blur == 0:
        assert not named
