"""Does split_drift tell a drift from chance, at the level that it states?"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, false_discovery_control, ks_2samp

from recipe_core.data.checks import split_drift
from recipe_core.data.checks.split_drift import (
    CHECK,
    chi_square_p,
    distance_beyond,
    holm,
    kolmogorov_smirnov_p,
    total_variation,
    with_rare_together,
)
from recipe_core.kernel.check import judged
from recipe_core.kernel.evidence import Evidence
from recipe_core.kernel.progress import silent
from tests.making import make_evidence

NO_FILES = None
"""This measure reads columns only."""


def pictures(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    """Columns of n photos of one camera and a few formats: skewed, tied and discrete values."""
    return {
        "brightness": rng.beta(5, 5, n), "contrast": rng.beta(4, 12, n),
        "sharpness": rng.lognormal(5, 1, n),
        "width": rng.choice([400, 533, 640], n, p=[0.7, 0.2, 0.1]),
        "height": np.full(n, 400), "jpeg_quality": rng.choice([75, 85, 95], n),
        "format": rng.choice(["JPEG", "PNG"], n, p=[0.97, 0.03]), "mode": np.full(n, "RGB"),
        "label": rng.choice(list("abcdefgh"), n, p=[0.4, 0.2, 0.1, 0.1, 0.1, 0.05, 0.03, 0.02]),
    }  # fmt: skip


def split_at_random(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.permutation(
        np.repeat(["train", "validation", "test"], [n - 2 * (n // 5), n // 5, n // 5])
    )


def with_tests(evidence: Evidence) -> Evidence:
    table = split_drift.measure(evidence, NO_FILES, silent)
    return dataclasses.replace(evidence, tables={"split_tests": table})


def found(columns):
    return judged(CHECK, with_tests(make_evidence(columns)))


@pytest.mark.parametrize("n", [120, 1500])
def test_random_splits_raise_no_more_alarms_than_stated(n):
    rng = np.random.default_rng(7)
    columns = pictures(rng, n)
    alarms = sum(
        found(columns | {"split": split_at_random(rng, n)}).verdict != "pass" for _ in range(200)
    )
    # Level 0.01: more than 6 of 200 happens by chance once in 200 such tests.
    assert alarms <= 6


def test_a_brighter_test_split_is_named_with_its_samples():
    rng = np.random.default_rng(1)
    columns = pictures(rng, 1500)
    columns["split"] = split_at_random(rng, 1500)
    is_test = columns["split"] == "test"
    columns["brightness"] = columns["brightness"] + 0.25 * is_test
    finding = found(columns)
    assert finding.verdict == "fail"
    assert finding.numbers["drifted"] == ["brightness in test"]
    assert len(finding.subjects) > 50
    assert is_test[finding.subjects.rows].all()
    assert all(0 <= s <= 1 for s in finding.subjects.scores)


def test_a_shift_too_small_to_matter_passes_however_sure():
    rng = np.random.default_rng(2)
    n = 60_000
    split = split_at_random(rng, n)
    finding = found(
        {"split": split, "brightness": rng.normal(0.5, 0.1, n) + 0.01 * (split == "test")}
    )
    assert finding.verdict == "pass"
    assert min(t["p_holm"] for t in finding.numbers["tests"]) < 1e-6


def test_another_format_in_test_fails():
    rng = np.random.default_rng(3)
    columns = pictures(rng, 600)
    columns["split"] = split_at_random(rng, 600)
    columns["format"] = np.where(columns["split"] == "test", "PNG", "JPEG")
    finding = found(columns)
    assert finding.verdict == "fail"
    assert finding.numbers["drifted"] == ["format in test"]
    assert len(finding.subjects) == 120


def test_other_class_shares_warn_but_never_fail():
    rng = np.random.default_rng(4)
    split = split_at_random(rng, 1000)
    label = np.where(split == "test", rng.choice(["a", "b"], 1000), "a")
    finding = found({"split": split, "label": label})
    assert finding.verdict == "warn"
    assert set(label[finding.subjects.rows]) == {"b"}


def test_one_split_or_tiny_ones_are_skipped():
    evidence = make_evidence({"split": ["train"] * 50 + ["test"] * 9, "brightness": [0.5] * 59})
    finding = judged(CHECK, evidence)
    assert finding.verdict == "skipped"
    assert "fewer than two splits" in finding.summary


def test_broken_pictures_take_no_part():
    rng = np.random.default_rng(5)
    columns = pictures(rng, 600)
    columns["split"] = split_at_random(rng, 600)
    broken = (columns["split"] == "test") & (rng.random(600) < 0.4)
    columns["brightness"] = np.where(broken, 0.0, columns["brightness"])
    columns["error"] = np.where(broken, "truncated", "")
    assert found(columns).verdict == "pass"


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 40))
def test_without_grain_the_distance_is_scipys(seed, n, m):
    rng = np.random.default_rng(seed)
    a, b = np.sort(rng.integers(0, 9, n) / 8), np.sort(rng.integers(2, 12, m) / 8)
    assert distance_beyond(a, b, 0.0) == pytest.approx(ks_2samp(a, b).statistic, abs=1e-12)
    assert distance_beyond(a, b, 0.3) <= distance_beyond(a, b, 0.1)
    assert distance_beyond(a, b, 0.3) == distance_beyond(b, a, 0.3)


def test_a_pixel_more_is_no_drift():
    split = np.repeat(["train", "test"], 200)
    width = np.where(split == "train", 533, 534)
    assert found({"split": split, "width": width}).verdict == "pass"
    assert found({"split": split, "width": width + 60 * (split == "test")}).verdict == "fail"


def test_the_measured_distance_is_that_of_the_stored_values():
    rng = np.random.default_rng(6)
    columns = pictures(rng, 300)
    columns["split"] = split_at_random(rng, 300)
    table = with_tests(make_evidence(columns)).table("split_tests").to_pylist()
    row = next(r for r in table if r["property"] == "contrast" and r["split"] == "test")
    # Stored as float32, so compare with what is stored.
    contrast = columns["contrast"].astype(np.float32)
    a, b = (contrast[columns["split"] == s] for s in ("test", "train"))
    assert row["p"] == pytest.approx(ks_2samp(a, b, method="asymp").pvalue, rel=0.1)
    assert row["effect"] <= ks_2samp(a, b).statistic
    assert (row["n"], row["n_reference"]) == (60, 180)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_lies_between_raw_and_bonferroni(p):
    corrected = np.array(holm(p))
    assert (corrected >= np.array(p) - 1e-12).all()
    assert (corrected <= np.minimum(1, np.array(p) * len(p)) + 1e-12).all()
    assert (corrected >= false_discovery_control(p) - 1e-12).all()
    assert (np.diff(corrected[np.argsort(p, kind="stable")]) >= 0).all()


@pytest.mark.parametrize(("n", "m"), [(30, 60), (300, 900), (20_000, 3000)])
@pytest.mark.parametrize("shift", [0.0, 0.1, 0.3])
def test_p_values_are_scipys(n, m, shift):
    rng = np.random.default_rng(9)
    a, b = rng.normal(0, 1, n), rng.normal(shift, 1, m)
    expected = ks_2samp(a, b)
    p = kolmogorov_smirnov_p(expected.statistic, n, m)
    assert p == pytest.approx(expected.pvalue, rel=0.25, abs=1e-12)
    there = [0.5, 0.3 - shift / 2, 0.2 + shift / 2]
    table = np.array([rng.multinomial(n, [0.5, 0.3, 0.2]), rng.multinomial(m, there)])
    assert chi_square_p(table) == pytest.approx(chi2_contingency(table, correction=False).pvalue)


def test_rare_categories_are_pooled_and_nothing_is_lost():
    counts = np.array([[50, 3, 1, 0], [500, 20, 4, 6]])
    pooled = with_rare_together(counts)
    assert pooled.tolist() == [[50, 4], [500, 30]]
    assert total_variation(np.array([[1, 0], [0, 9]])) == 1.0
