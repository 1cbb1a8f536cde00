"""Is what a network says of a picture out of sample: blind to the labels of its own fold?"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recipe_core import recipe
from recipe_core.training.crossed import crossed
from tests.training.conftest import SMALL


def test_a_fold_does_not_know_its_own_labels(digits: Path, tmp_path: Path) -> None:
    evidence = recipe.evidence(digits)
    codes, names = evidence.codes("label")
    rows = np.flatnonzero(codes >= 0)[::6]
    folds = np.arange(len(rows)) % 2
    labels = codes[rows].astype(np.int64)
    changed = np.where(folds == 0, (labels + 1) % len(names), labels)
    said = [
        crossed(evidence, rows, given, names, folds, SMALL.but(epochs=1, limit=0, eval_split=""),
                workspace=digits, folder=tmp_path / name)
        for name, given in (("as", labels), ("other", changed))
    ]  # fmt: skip
    np.testing.assert_allclose(said[0].sum(1), 1, atol=1e-6)
    np.testing.assert_array_equal(said[0][folds == 0], said[1][folds == 0])
    assert (said[0][folds == 1] != said[1][folds == 1]).any(1).mean() > 0.9
