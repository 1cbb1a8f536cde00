"""Are training's signals per sample what their papers define? Held against plain loops."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from recipe_core.overfit.dynamics import NEVER, dynamics, first_learned, forgetting_events


def by_hand(right: list[bool]) -> tuple[int, int]:
    events = sum(a and not b for a, b in pairwise(right))
    first = next((i for i in range(len(right)) if all(right[i:])), NEVER)
    return events, first


def test_forgetting_and_first_learned_agree_with_a_plain_loop() -> None:
    correct = np.random.default_rng(0).random((6, 500)) < 0.6
    expected = [by_hand(list(column)) for column in correct.T]
    assert forgetting_events(correct).tolist() == [e for e, _ in expected]
    assert first_learned(correct).tolist() == [f for _, f in expected]


def test_an_epoch_that_did_not_see_a_sample_does_not_count() -> None:
    correct = np.array([[1], [0], [1]], bool)
    seen = np.array([[1], [0], [1]], bool)
    assert forgetting_events(correct, seen).tolist() == [0]
    assert first_learned(correct, seen).tolist() == [0]


def test_means_run_over_the_epochs_that_saw_the_sample() -> None:
    loss = np.array([[2.0, np.nan], [1.0, 0.5]])
    p = np.array([[0.2, np.nan], [0.6, 0.9]])
    margin = np.array([[-1.0, np.nan], [2.0, 3.0]])
    d = dynamics(loss, margin, p, p > 0.5)
    assert d.loss.tolist() == [1.0, 0.5]
    assert d.margin.tolist() == [0.5, 3.0]
    assert d.confidence == pytest.approx([0.4, 0.9])
    assert d.variability == pytest.approx([0.2, 0.0], abs=1e-6)
    assert d.first_learned_epoch.tolist() == [1, 1]


def test_a_sample_never_seen_has_no_numbers() -> None:
    nothing = np.full((2, 1), np.nan)
    d = dynamics(nothing, nothing, nothing, np.zeros((2, 1), bool))
    assert np.isnan([d.loss[0], d.margin[0], d.confidence[0], d.variability[0]]).all()
    assert (d.forgetting[0], d.first_learned_epoch[0]) == (0, NEVER)


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="one shape"):
        dynamics(np.zeros((2, 3)), np.zeros((2, 3)), np.zeros((2, 3)), np.zeros((2, 2), bool))
