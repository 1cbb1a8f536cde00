"""Are the metrics of a whole set those that scikit-learn and torch find?"""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from torch import nn

from recipe_core.training.bench import Bench
from recipe_core.training.evaluate import Predictions, predictions
from recipe_core.training.task import load_task


@pytest.fixture(scope="module")
def seen() -> Predictions:
    """Four classes of which one never occurs."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(101, 4)).astype(np.float32)
    targets = rng.integers(0, 3, 101)
    logits[np.arange(101), targets] += 1
    return Predictions(logits, logits.argmax(axis=1), targets, 1.5)


def test_metrics_are_scikit_learns(seen: Predictions) -> None:
    found = seen.metrics()
    assert found["accuracy"] == pytest.approx(accuracy_score(seen.targets, seen.labels))
    with pytest.warns(UserWarning, match="not in y_true"):
        expected = balanced_accuracy_score(seen.targets, seen.labels)
    assert found["balanced_accuracy"] == pytest.approx(expected)


@pytest.mark.parametrize("weights", ["none", "balanced"])
def test_the_loss_of_a_set_does_not_depend_on_its_batches(small: Bench, weights: str) -> None:
    config = small.config.but(class_weights=weights)
    task = load_task(None, small.images, config)
    bench = Bench(task, config, small.images)
    model = bench.model()
    x, y = (torch.cat(part) for part in zip(*bench.eval_batches(), strict=True))
    expected = float(bench.loss_fn(bench.logits(model, x), y))
    for size in (7, 64):
        found = predictions(
            model, bench.eval_batches(size), bench.loss_fn, task.predict, bench.place.autocast
        )
        assert found.loss == pytest.approx(expected, rel=1e-5)
        each = F.cross_entropy(bench.logits(model, x), y, reduction="none")
        assert found.losses() == pytest.approx(each.numpy(), abs=1e-5)


def test_evaluation_leaves_the_modes_as_they_were(small: Bench) -> None:
    model = small.model()
    model.train()
    next(m for m in model.modules() if isinstance(m, nn.BatchNorm2d)).eval()
    before = [m.training for m in model.modules()]
    state = {k: v.clone() for k, v in model.state_dict().items()}
    small.evaluate(model)
    assert [m.training for m in model.modules()] == before
    assert all(torch.equal(v, state[k]) for k, v in model.state_dict().items())
