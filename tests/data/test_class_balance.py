"""Does class_balance name the classes that are too small, and only those?"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from recipe_core.data.checks import class_balance
from recipe_core.data.checks.class_balance import CHECK, effective_classes
from recipe_core.kernel.check import judged
from recipe_core.kernel.intervals import wilson
from tests.making import make_evidence


def spread(counts: dict[str, dict[str, int]], **more):
    """Evidence with counts[split][label] samples."""
    rows = [
        (s, c) for s, per_class in counts.items() for c, n in per_class.items() for _ in range(n)
    ]
    return make_evidence({"split": [r[0] for r in rows], "label": [r[1] for r in rows]}, **more)


HEALTHY = {"train": {"a": 100, "b": 60, "c": 25}, "validation": {"a": 20, "b": 12, "c": 10},
           "test": {"a": 20, "b": 12, "c": 11}}  # fmt: skip


def test_a_healthy_set_passes():
    finding = judged(CHECK, spread(HEALTHY))
    assert finding.verdict == "pass"
    assert len(finding.subjects) == 0
    assert finding.numbers["counts"]["train"] == {"a": 100, "b": 60, "c": 25}
    assert finding.numbers["imbalance_ratio"] == 4.0


def test_a_class_missing_from_a_split_fails_and_names_its_samples():
    counts = HEALTHY | {"validation": {"a": 20, "b": 12}}
    finding = judged(CHECK, spread(counts))
    assert finding.verdict == "fail"
    assert finding.numbers["classes_missing"] == ["c"]
    assert "c has no sample in validation (36 elsewhere)" in finding.summary
    labels = spread(counts).texts("label")[finding.subjects.rows]
    assert set(labels) == {"c"} and len(labels) == 36


def test_a_class_in_the_list_without_samples_fails():
    finding = judged(CHECK, spread(HEALTHY, class_names=["a", "b", "c", "ghost"]))
    assert finding.verdict == "fail"
    assert finding.numbers["classes_empty"] == ["ghost"]


def test_a_split_without_labels_lacks_no_class():
    counts = {"train": HEALTHY["train"], "test": {None: 50}}
    finding = judged(CHECK, spread(counts))
    assert finding.verdict == "pass"
    assert finding.numbers["unlabelled"] == 50


def test_few_to_evaluate_and_few_to_learn_are_told_apart():
    evaluate = judged(CHECK, spread(HEALTHY | {"test": {"a": 20, "b": 12, "c": 9}}))
    learn = judged(CHECK, spread(HEALTHY | {"train": {"a": 100, "b": 60, "c": 19}}))
    assert (evaluate.verdict, learn.verdict) == ("warn", "warn")
    assert "9 of the 10 needed in test" in evaluate.summary
    assert "19 of the 20 needed to learn from" in learn.summary


def test_imbalance_is_judged_on_training_alone():
    counts = {"train": {"a": 210, "b": 20}, "validation": {"a": 10, "b": 190}}
    finding = judged(CHECK, spread(counts))
    assert finding.verdict == "warn"
    assert finding.numbers["classes_outnumbered"] == ["b"]
    assert judged(CHECK, spread(counts), {"max_ratio": 11.0}).verdict == "pass"


def test_splits_by_other_names_count_together():
    counts = {f"fold{i}": {"a": 15, "b": 8} for i in range(5)}
    assert judged(CHECK, spread(counts)).verdict == "pass"


def test_a_lone_test_split_needs_no_training_samples():
    assert judged(CHECK, spread({"test": {"a": 12, "b": 12}})).verdict == "pass"


def test_boxes_are_what_counts_where_there_are_any():
    boxes = [{"row": i, "label": "cat"} for i in range(40) for _ in range(3)]
    boxes += [{"row": i, "label": "dog"} for i in range(5)]
    finding = judged(CHECK, make_evidence({"split": [None] * 40}, boxes=boxes))
    assert finding.numbers["counts"] == {"all": {"cat": 120, "dog": 5}}
    assert set(finding.numbers["classes_too_few"]) == {"dog"}
    assert finding.subjects.rows.tolist() == [0, 1, 2, 3, 4]
    histogram = finding.charts[1]
    assert dict(zip(range(5), histogram.series["images"], strict=True)) == {
        0: 0,
        1: 0,
        2: 0,
        3: 35,
        4: 5,
    }


def test_without_labels_it_is_skipped():
    assert judged(CHECK, make_evidence({"label": [None, None]})).verdict == "skipped"


@pytest.mark.parametrize("shares", [[1, 1, 1, 1], [5, 3, 1], [7]])
def test_effective_classes_is_the_perplexity_of_the_shares(shares):
    p = np.array(shares) / sum(shares)
    assert effective_classes(np.array(shares)) == pytest.approx(math.prod(x**-x for x in p))


@pytest.mark.parametrize(("k", "n"), [(0, 1), (8, 10), (50, 100), (99, 99)])
def test_wilson_agrees_with_scipy(k, n):
    expected = binomtest(k, n).proportion_ci(method="wilson")
    assert wilson(k, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_many_classes_are_charted_by_their_ends():
    counts = {"train": {f"c{i:03d}": 20 + i for i in range(300)}}
    bars = judged(CHECK, spread(counts)).charts[0]
    assert len(bars.x) == class_balance.MOST_BARS
    assert bars.x[0] == "c299" and bars.x[-1] == "c000"
