"""Does shortcut find what gives the label away, and stay quiet where nothing does?"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import cross_val_predict
from sklearn.tree import DecisionTreeClassifier

from recipe_core.data.checks import shortcut
from recipe_core.data.checks.shortcut import CHECK, balanced_accuracy, grouped_folds, held_out_rates
from recipe_core.kernel.check import judged
from recipe_core.kernel.progress import silent
from tests.making import make_evidence

CLASSES = np.array(list("abcdefghij"))


def photos(rng: np.random.Generator, n: int, n_classes: int = 10) -> dict[str, np.ndarray]:
    """Columns that say nothing about the label."""
    return {
        "label": rng.choice(CLASSES[:n_classes], n), "brightness": rng.beta(5, 5, n),
        "entropy": rng.normal(7, 0.5, n), "file_size": rng.lognormal(10, 0.4, n).astype(int),
        "width": rng.choice([400, 533, 640], n), "height": np.full(n, 400),
        "jpeg_quality": rng.choice([75.0, 85.0, 95.0], n), "format": np.full(n, "JPEG"),
        "mode": np.full(n, "RGB"), "phash": rng.integers(0, 2**63, n).astype(np.uint64),
    }  # fmt: skip


def scored(columns):
    evidence = make_evidence(columns)
    return dataclasses.replace(
        evidence, tables={"shortcut_scores": shortcut.measure(evidence, None, silent)}
    )


def found(columns, **settings):
    return judged(CHECK, scored(columns), settings)


@pytest.mark.parametrize("n_classes", [2, 3, 10])
@pytest.mark.parametrize("n", [100, 1000])
def test_unrelated_properties_raise_no_alarm(n, n_classes):
    alarms = [
        found(photos(np.random.default_rng(s), n, n_classes)).verdict != "pass" for s in range(40)
    ]
    assert sum(alarms) == 0


@pytest.mark.parametrize("n_classes", [3, 10])
def test_one_class_at_another_quality_is_found_and_only_its_samples_named(n_classes):
    columns = photos(np.random.default_rng(0), 600, n_classes)
    is_b = columns["label"] == "b"
    columns["jpeg_quality"] = np.where(is_b, 40.0, columns["jpeg_quality"])
    finding = found(columns)
    assert finding.verdict == "fail"
    assert finding.subjects.rows.tolist() == np.flatnonzero(is_b).tolist()
    assert "JPEG quality 40" in finding.subjects.details[0]
    assert "JPEG quality" in finding.summary


def test_half_a_class_with_borders_warns():
    rng = np.random.default_rng(1)
    columns = photos(rng, 1000)
    framed = (columns["label"] == "c") & (rng.random(1000) < 0.6)
    finding = found(columns | {"border_share": 0.3 * framed})
    assert finding.verdict == "warn"
    assert set(columns["label"][finding.subjects.rows]) == {"c"}


def test_a_format_of_its_own_is_found():
    columns = photos(np.random.default_rng(2), 600)
    columns["format"] = np.where(columns["label"] == "a", "PNG", "JPEG")
    columns["jpeg_quality"] = np.where(columns["label"] == "a", np.nan, 85.0)
    finding = found(columns)
    assert finding.verdict == "fail"
    assert {"format: a", "jpeg_quality: a"} <= set(finding.numbers["flagged"])


def test_brightness_may_belong_to_a_class_but_not_alone_decide():
    rng = np.random.default_rng(3)
    columns = photos(rng, 1000, 4)
    is_sky = columns["label"] == "a"
    usual = found(columns | {"brightness": columns["brightness"] * 0.6 + 0.3 * is_sky})
    alone = found(columns | {"brightness": columns["brightness"] * 0.3 + 0.6 * is_sky})
    assert usual.verdict == "pass"
    assert alone.verdict == "warn"


def test_file_size_that_only_follows_texture_passes():
    rng = np.random.default_rng(4)
    columns = photos(rng, 1000, 4)
    entropy = columns["entropy"] + 1.2 * (columns["label"] == "a")
    follows = found(columns | {"entropy": entropy, "file_size": (np.exp(entropy) * 20).astype(int)})
    beyond = found(columns | {"file_size": (np.exp(entropy) * 20).astype(int)})
    assert follows.verdict == "pass"
    assert beyond.verdict in ("warn", "fail")


def test_copies_do_not_teach_the_answer():
    rng = np.random.default_rng(5)
    columns = {k: np.repeat(v, 8) for k, v in photos(rng, 120, 2).items()}
    columns["brightness"] = np.repeat(rng.random(120), 8)
    evidence = make_evidence(columns)
    together = shortcut.measure(evidence, None, silent).to_pylist()
    without = {k: v for k, v in columns.items() if k != "phash"}
    without["content_hash"] = [f"{i:032x}" for i in range(960)]
    apart = shortcut.measure(make_evidence(without), None, silent).to_pylist()
    score = {
        name: next(r["score"] for r in rows if r["property"] == "brightness" and r["label"] == "")
        for name, rows in (("together", together), ("apart", apart))
    }
    assert score["together"] < 0.62
    assert score["apart"] > score["together"] + 0.05


def test_one_class_or_none_is_skipped():
    assert found_or_skipped({"label": ["a"] * 30, "brightness": [0.5] * 30}) == "skipped"
    assert found_or_skipped({"label": [None] * 30, "brightness": [0.5] * 30}) == "skipped"


def found_or_skipped(columns):
    return judged(CHECK, make_evidence(columns)).verdict


def test_the_scores_match_a_decision_tree():
    rng = np.random.default_rng(6)
    n = 1500
    columns = photos(rng, n, 3)
    columns["brightness"] = rng.normal(0.4, 0.1, n) + 0.1 * np.searchsorted(
        CLASSES, columns["label"]
    )
    rows = scored(columns).table("shortcut_scores").to_pylist()
    row = next(r for r in rows if r["property"] == "brightness" and not r["label"])
    tree = DecisionTreeClassifier(max_leaf_nodes=16, min_samples_leaf=10, class_weight="balanced")
    said = cross_val_predict(tree, columns["brightness"][:, None], columns["label"], cv=5)
    assert row["score"] == pytest.approx(balanced_accuracy_score(columns["label"], said), abs=0.04)
    assert row["low"] < row["score"] < row["high"]
    assert row["chance"] == pytest.approx(1 / 3)


def test_held_out_rates_equal_a_plain_loop():
    rng = np.random.default_rng(7)
    n, n_classes = 200, 3
    bins, labels, folds = (
        rng.integers(0, 6, n),
        rng.integers(0, n_classes, n),
        rng.integers(0, 5, n),
    )
    hits, alarms = held_out_rates(bins, labels, folds, n_classes)
    right, one, wrong = (np.zeros(n_classes, int) for _ in range(3))
    for i in range(n):
        train = folds != folds[i]
        here = train & (bins == bins[i])
        prior = (here.sum() + 1) / (train.sum() + bins.max() + 1)
        share = [((here & (labels == c)).sum() + prior) / ((train & (labels == c)).sum() + 1)
                 for c in range(n_classes)]  # fmt: skip
        rest = [((here & (labels != c)).sum() + prior) / ((train & (labels != c)).sum() + 1)
                for c in range(n_classes)]  # fmt: skip
        right[labels[i]] += np.argmax(share) == labels[i]
        for c in range(n_classes):
            one[c] += (share[c] > rest[c]) and labels[i] == c
            wrong[c] += (share[c] > rest[c]) and labels[i] != c
    assert (hits["all"].tolist(), hits["one"].tolist(), alarms.tolist()) == (
        right.tolist(), one.tolist(), wrong.tolist())  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(20, 200), st.integers(2, 6))
def test_folds_keep_copies_together_and_classes_even(seed, n, n_classes):
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, n, n)
    labels = (groups % n_classes).astype(np.int64)
    folds = grouped_folds(labels, groups, n_classes)
    for g in np.unique(groups):
        assert len(set(folds[groups == g])) == 1
    firsts = np.unique(groups, return_index=True)[1]
    for c in range(n_classes):
        sizes = np.bincount(folds[firsts][labels[firsts] == c], minlength=5)
        assert sizes.max() - sizes.min() <= 1


def test_the_interval_covers():
    rng = np.random.default_rng(8)
    n, p = np.array([30, 60, 200]), np.array([0.95, 0.6, 0.3])
    hits = 0
    for _ in range(2000):
        _, low, high = balanced_accuracy(rng.binomial(n, p), n)
        hits += low <= p.mean() <= high
    assert 0.93 <= hits / 2000 <= 0.985
