"""Does image_variation warn of what harms, and only show what does not?"""

from __future__ import annotations

import numpy as np
import pytest

from recipe_core.data.checks.image_variation import CHECK
from recipe_core.kernel.check import judged
from tests.making import make_evidence


def photos(n: int = 1000, seed: int = 0) -> dict[str, np.ndarray]:
    """An ordinary set: two formats, upright and lying, light and colour as they come."""
    rng = np.random.default_rng(seed)
    upright = rng.random(n) < 0.5
    long_side = rng.choice([800, 1024, 1600], n)
    return {
        "width": np.where(upright, long_side * 3 // 4, long_side),
        "height": np.where(upright, long_side, long_side * 3 // 4),
        "aspect": np.where(upright, 0.75, 1.333), "brightness": rng.beta(6, 6, n),
        "contrast": rng.beta(8, 30, n), "sharpness": rng.lognormal(-0.7, 0.4, n),
        "mode": np.full(n, "RGB"), "grey_in_rgb": rng.random(n) < 0.02,
        "orientation": rng.choice([1, 6], n),
    }  # fmt: skip


def test_an_ordinary_set_passes():
    finding = judged(CHECK, make_evidence(photos()))
    assert finding.verdict == "pass"
    assert len(finding.subjects) <= 2
    assert finding.numbers["orientations"].keys() == {"1", "6"}


def test_a_property_that_no_picture_has_is_left_out():
    blank = photos(20) | {"sharpness": np.full(20, np.nan)}
    finding = judged(CHECK, make_evidence(blank))
    assert finding.verdict == "pass"
    assert "sharpness" not in finding.numbers["quantiles"]


def test_quantiles_are_numpys():
    columns = photos()
    q = judged(CHECK, make_evidence(columns)).numbers["quantiles"]
    assert q["brightness"]["25 %"] == pytest.approx(
        np.quantile(columns["brightness"], 0.25), abs=1e-4
    )
    # Sizes are ranked on a log scale; order statistics are the same.
    assert (q["width"]["0 %"], q["width"]["100 %"]) == (600, 1600)


def test_mixed_sizes_warn():
    columns = photos()
    icons = np.arange(1000) < 80
    columns["width"] = np.where(icons, 48, columns["width"])
    columns["height"] = np.where(icons, 48, columns["height"])
    finding = judged(CHECK, make_evidence(columns))
    assert finding.verdict == "warn"
    assert "sizes are mixed" in finding.summary
    assert judged(CHECK, make_evidence(columns), {"size_ratio": 40.0}).verdict == "pass"


def test_mixed_shapes_warn_and_equal_panoramas_do_not():
    columns = photos()
    wide = columns | {"width": columns["height"] * 4}
    some = np.arange(1000) % 5 == 0
    mixed = columns | {"width": np.where(some, columns["height"] * 4, columns["width"])}
    assert judged(CHECK, make_evidence(wide)).verdict == "pass"
    finding = judged(CHECK, make_evidence(mixed))
    assert finding.verdict == "warn"
    assert "stretches" in finding.summary


@pytest.mark.parametrize(
    ("grey", "verdict"), [(0.03, "pass"), (0.3, "warn"), (0.7, "warn"), (1.0, "pass")]
)
def test_grey_among_colour_warns_only_where_mixed(grey, verdict):
    columns = photos()
    columns["mode"] = np.where(np.arange(1000) < grey * 1000, "L", "RGB")
    columns["grey_in_rgb"] = np.zeros(1000, dtype=bool)
    assert judged(CHECK, make_evidence(columns)).verdict == verdict


def test_outliers_are_named_with_what_is_usual():
    columns = photos()
    columns["width"][17], columns["brightness"][3] = 40, 0.0
    columns["sharpness"][17] = 60.0
    finding = judged(CHECK, make_evidence(columns))
    assert finding.verdict == "pass"
    assert 17 in finding.subjects.rows
    detail = finding.subjects.details[finding.subjects.rows.tolist().index(17)]
    assert "width 40 px (usual 600 px to 1,600 px)" in detail and "sharpness 60" in detail


def test_a_set_of_one_size_has_no_outliers_by_rounding():
    columns = {"width": [400] * 990 + [401] * 10, "height": [400] * 1000}
    assert len(judged(CHECK, make_evidence(columns)).subjects) == 0


def test_the_fence_has_the_rate_that_it_claims():
    values = np.random.default_rng(1).normal(0.5, 0.05, 400_000)
    base = {"width": np.full(400_000, 9), "height": np.full(400_000, 9), "brightness": values}
    loose = judged(CHECK, make_evidence(base), {"fence": 1.5}).numbers["outliers"]["brightness"]
    far = judged(CHECK, make_evidence(base)).numbers["outliers"]["brightness"]
    # Tukey: 0.7 % beyond 1.5 ranges of a normal distribution, 2.3 per million beyond 3.
    assert loose / 400_000 == pytest.approx(0.00698, rel=0.1)
    assert far <= 6


def test_without_pictures_it_is_skipped():
    assert judged(CHECK, make_evidence({"width": [None], "error": ["empty"]})).verdict == "skipped"
