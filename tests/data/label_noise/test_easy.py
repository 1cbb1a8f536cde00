"""Many wrong labels on pictures that are easy to tell apart: are they found, or called ambiguous?

A loose noise model explains them as pictures that could be either, all over the data set.
"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from recipe_core.data.label_noise.estimate import Estimate, estimate
from recipe_core.kernel.progress import silent
from tests.data.label_noise.asked import classifiers, flipped


def estimated(vectors: np.ndarray, labels: np.ndarray) -> Estimate:
    """As in a run: folds are those of the labels as given."""
    answers, votes = classifiers(vectors, labels)
    return estimate(answers, votes, labels, seed=0, progress=silent)


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_handwritten_digits(share: float) -> None:
    vectors, true = load_digits(return_X_y=True)
    labels = flipped(true, share, 0)
    found = estimated((vectors / 16).astype(np.float32), labels)
    wrong = (labels != true).mean()
    assert abs(found.rate - wrong) < 0.03
    assert found.low <= wrong <= found.high


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_four_clouds_far_apart(share: float) -> None:
    true = np.arange(1000) % 4
    rng = np.random.default_rng(0)
    vectors = np.eye(4, 8)[true] * 6 + rng.normal(size=(1000, 8))
    labels = flipped(true, share, 0)
    found = estimated(vectors.astype(np.float32), labels)
    wrong = (labels != true).mean()
    assert abs(found.rate - wrong) <= 0.5 * wrong + 0.01
    assert found.low <= wrong <= found.high
