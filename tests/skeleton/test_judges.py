"""Does each judge say what its readings mean? Readings made by hand, with the answer known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from recipe_core.kernel.check import Check, judged
from recipe_core.kernel.nouns import Finding
from recipe_core.kernel.readings import Reading, Readings
from recipe_core.skeleton.battery import with_ids
from recipe_core.skeleton.checks import (
    batch_order,
    fixed_seed,
    init_bias,
    learning_rate,
    loss_at_init,
    prediction_dynamics,
    zero_input,
)
from recipe_core.skeleton.order import all_judged, ordered, probes_of


def told(check: Check, numbers: dict[str, Any], arrays: dict[str, Any] | None = None) -> Finding:
    reading = Reading(numbers, {k: np.asarray(v) for k, v in (arrays or {}).items()})
    return judged(check, Readings({check.probes[0].name: reading}))


# -- fixed_seed ---------------------------------------------------------------------------------


def trace(**changes: Any) -> dict[str, Any]:
    """Two equal traces of 3 steps; `changes` of step 2, and `start`."""
    start = changes.pop("start", [])
    device = changes.pop("device", "cpu")
    steps = [
        {"x": True, "y": True, "loss": True, "lr": True, "tensors": [], "losses": [2.0, 2.0]}
        for _ in range(3)
    ]
    steps[1] |= changes
    return {"start": start, "steps": steps, "tensors": 4, "seed": 0, "device": device}


@pytest.mark.parametrize(
    ("changes", "verdict", "says"),
    [({}, "pass", "agree in every batch"),
     ({"start": ["head.weight"]}, "fail", "head.weight"),
     ({"x": False, "loss": False}, "fail", "part at step 2: the pictures"),
     ({"y": False, "x": False}, "fail", "order of the samples is not seeded"),
     ({"loss": False, "tensors": ["conv.weight"]}, "fail", "conv.weight differs first"),
     ({"loss": False, "tensors": ["conv.weight"], "device": "cuda"}, "warn", "batch agrees"),
     ({"lr": False}, "fail", "learning rate differs")],
)  # fmt: skip
def test_the_first_difference_is_named(changes: dict[str, Any], verdict: str, says: str) -> None:
    finding = told(fixed_seed.CHECK, trace(**changes))
    assert finding.verdict == verdict and says in finding.summary, finding.summary


# -- batch_order --------------------------------------------------------------------------------


def epoch(first: Any, labels: Any, second: Any = None, **numbers: Any) -> Finding:
    """An epoch that gives the samples `first` of a set with these labels."""
    first, labels = np.asarray(first), np.asarray(labels)
    second = np.random.default_rng(9).permutation(first) if second is None else second
    given = {"how": "numbered", "n": len(labels), "batches": 9, "same_again": True,
             "batch_size": 32} | numbers  # fmt: skip
    arrays = {
        "first": first, "second": second, "again": first, "labels": labels[first],
        "all_labels": labels, "sizes": np.full(max(1, len(first) // 32), 32),
    }  # fmt: skip
    return told(batch_order.CHECK, given, arrays)


LABELS = np.repeat(np.arange(5), 60)
RNG = np.random.default_rng(0)


def test_a_shuffled_epoch_passes_and_a_sorted_one_does_not() -> None:
    shuffled = RNG.permutation(300)
    assert epoch(shuffled, LABELS).verdict == "pass"
    by_class = epoch(np.arange(300), LABELS)
    assert by_class.verdict == "fail" and "sorted by class" in by_class.summary
    in_order = epoch(np.arange(300), RNG.permutation(LABELS))
    assert in_order.verdict == "fail" and "order of the data set" in in_order.summary


def test_two_equal_epochs_and_missing_samples_are_named_and_drop_last_is_not() -> None:
    shuffled = RNG.permutation(300)
    assert "same order" in epoch(shuffled, LABELS, second=shuffled).summary
    assert epoch(shuffled[:280], LABELS).verdict == "pass"
    few = epoch(shuffled[:100], LABELS)
    assert few.verdict == "fail" and "only 100 of 300" in few.summary


def test_a_sampler_that_balances_rare_classes_is_no_fault() -> None:
    labels = np.repeat([0, 1], [280, 20])
    weights = np.where(labels == 0, 1 / 280, 1 / 20)
    drawn = RNG.choice(300, 300, p=weights / weights.sum())
    finding = epoch(drawn, labels)
    assert finding.verdict == "pass" and "rare classes are drawn more often" in finding.summary
    labels = np.repeat([0, 1], [250, 50])
    upside_down = epoch(RNG.choice(300, 300, p=labels_weight(labels)), labels)
    assert upside_down.verdict == "fail" and "more unevenly" in upside_down.summary
    plain = epoch(RNG.choice(300, 300), np.repeat([0, 1], 150))
    assert plain.verdict == "warn" and "with replacement" in plain.summary


def labels_weight(labels: np.ndarray) -> np.ndarray:
    """The mistake: a sample weighs as much as its class has samples."""
    counts = np.bincount(labels)[labels]
    return np.asarray(counts / counts.sum())


def test_drawn_evenly_with_replacement_is_never_called_uneven() -> None:
    labels = np.repeat([0, 1, 2], [240, 50, 10])
    said = [epoch(RNG.choice(300, 300), labels).summary for _ in range(300)]
    assert not [s for s in said if "more unevenly" in s]


def test_neighbours_by_chance_are_those_of_simulated_orders() -> None:
    labels = np.repeat([0, 1, 2], [50, 30, 5])
    simulated = []
    for _ in range(2000):
        given = RNG.permutation(labels)
        simulated.append((given[1:] == given[:-1]).mean())
    _, expected, se = batch_order.neighbours(labels, labels)
    assert expected == pytest.approx(np.mean(simulated), abs=4 * np.std(simulated) / 2000**0.5)
    assert se == pytest.approx(np.std(simulated), rel=0.25)


def test_five_standard_errors_are_no_chance() -> None:
    """False alarms in 300 shuffled epochs of imbalanced labels: none."""
    labels = np.repeat(np.arange(4), [400, 60, 30, 10])
    said = [epoch(RNG.permutation(500), labels).verdict for _ in range(300)]
    assert set(said) == {"pass"}


# -- loss_at_init and init_bias -----------------------------------------------------------------

SPREADS = [0.0, 0.5, 1.0, 2.0, 3.0, 6.0]


def first_losses(losses: list[float], **changes: Any) -> dict[str, Any]:
    wild = [math.log(10) + s * s / 2 for s in SPREADS]
    return {
        "n": 512, "kind": "logits", "num_classes": 10, "losses": losses, "uniform": math.log(10),
        "best": math.log(10), "best_bias": [0.0] * 10, "bias": [0.0] * 10,
        "bias_loss": math.log(10), "standard_error": 0.01, "wildness": SPREADS, "wild": wild,
        "spread": 0.5, "counts": [51] * 10, "loaded": 0.0, "cross_entropy": True,
    } | changes  # fmt: skip


@pytest.mark.parametrize(
    ("losses", "changes", "verdict"),
    [([2.30, 2.32, 2.31], {}, "pass"), ([2.6, 2.5, 2.7], {}, "pass"),
     ([4.4, 4.5, 4.6], {}, "warn"), ([9.0, 9.1, 9.2], {}, "fail"), ([math.nan] * 3, {}, "fail"),
     ([1.5, 1.52, 1.48], {}, "fail"), ([1.5, 1.52, 1.48], {"loaded": 0.99}, "pass"),
     ([1.0, 1.02, 1.01], {"best": 1.0, "bias": [3.0] + [0.0] * 9,
                          "best_bias": [3.0] + [0.0] * 9}, "pass"),
     # a sigmoid per class, each bias at how rare a class is: the same for all
     ([0.46, 0.46, 0.45], {"uniform": 0.693, "best": 0.45, "bias": [-1.6] * 10, "bias_loss": 0.455,
                           "wild": [0.693 + s * s / 8 for s in SPREADS]}, "pass"),
     ([0.30, 0.31, 0.30], {"uniform": 0.693, "best": 0.45, "bias": [-1.6] * 10, "bias_loss": 0.455,
                           "wild": [0.693 + s * s / 8 for s in SPREADS]}, "fail"),
     ([9.0, 9.1, 9.0], {"best": 1.0, "bias": [0.0] * 9 + [3.0],
                        "best_bias": [3.0] + [0.0] * 9}, "fail")],
)  # fmt: skip
def test_the_first_loss_is_judged_on_both_sides(
    losses: list[float], changes: dict[str, Any], verdict: str
) -> None:
    finding = told(loss_at_init.CHECK, first_losses(losses, **changes))
    assert finding.verdict == verdict, finding.summary


def test_a_spread_is_read_back_from_the_loss_that_it_costs() -> None:
    read = Reading(first_losses([0.0]))
    for spread in (0.5, 1.0, 2.0, 3.0):
        loss = math.log(10) + spread**2 / 2
        assert loss_at_init.apparent_spread(read, loss, math.log(10)) == pytest.approx(spread)
    assert loss_at_init.apparent_spread(read, 1.0, math.log(10)) == 0


def test_a_bias_in_the_wrong_order_fails_and_one_that_is_not_set_is_advice() -> None:
    wrong = told(init_bias.CHECK, first_losses([4.0], best=0.7, bias_loss=3.5))
    assert wrong.verdict == "fail" and "more than equal outputs" in wrong.summary
    unset = told(init_bias.CHECK, first_losses([2.3], best=0.7))
    assert unset.verdict == "pass" and "Optional" in unset.next_step
    balanced = told(init_bias.CHECK, first_losses([2.3]))
    assert balanced.verdict == "pass" and not balanced.next_step
    assert told(init_bias.CHECK, first_losses([2.3], bias_loss=None)).verdict == "skipped"


# -- learning_rate ------------------------------------------------------------------------------

FACTORS = [1.0, 0.1, 10.0, 0.01, 100.0, 1000.0]


def rated(last: list[float], rates: Any = None, **plan: Any) -> Finding:
    """last: losses after the test at FACTORS, from 2.3; rates: the schedule."""
    schedule = {"interval": "epoch", "steps_per_epoch": 20, "epochs": 10, "kind": "", "error": "",
                "initial": 0.1, "depends": False, "other_error": ""} | plan  # fmt: skip
    arrays = {} if rates is None else {"rates": np.asarray(rates),
                                       "other": np.asarray(plan.pop("other", rates))}  # fmt: skip
    schedule.pop("other", None)
    read = Reading({"lr": [0.1], "steps": 32, "factors": FACTORS, "first": 2.3, "last": last,
                    "peak": last, "batch": 32})  # fmt: skip
    return judged(learning_rate.CHECK, Readings({
        "rates": read, "schedule": Reading(schedule, arrays)
    }))  # fmt: skip


def test_a_rate_is_judged_by_its_neighbours() -> None:
    assert rated([1.2, 2.0, 0.9, 2.28, 5.0, math.inf]).verdict == "pass"
    high = rated([2.35, 0.9, 9.0, 1.3, math.nan, math.nan])
    assert high.verdict == "fail" and "too high" in high.summary
    low = rated([2.298, 2.3, 2.28, 2.3, 2.0, 0.5])
    assert low.verdict == "fail" and "would not get as far" in low.summary
    assert rated([2.298, 2.3, 2.28, 2.3, 2.0, 0.5], epochs=5000).verdict == "pass"
    assert rated([2.3, 2.3, 2.29, 2.3, 2.3, math.inf]).verdict == "skipped"


GOOD = [1.2, 2.0, 0.9, 2.28, 5.0, math.inf]


def cosine(n: int, period: float | None = None) -> Any:
    return (1 + np.cos(np.pi * np.arange(n) / (period or n))) / 2


def stairs(n: int, *drops: int) -> Any:
    return np.array([0.1 ** sum(k >= d for d in drops) for k in range(n)])


@pytest.mark.parametrize(
    ("rates", "plan", "verdict"),
    [(cosine(200), {"interval": "step"}, "pass"), (stairs(10, 5, 8), {}, "pass"),
     (np.linspace(0.01, 1, 10), {}, "pass"),
     (np.r_[np.linspace(0.04, 1, 60), cosine(140) + 1e-5], {"interval": "step"}, "pass"),
     (stairs(200, 3, 6, 9), {"interval": "step"}, "fail"),
     (cosine(200, 10), {"interval": "step"}, "fail"),
     (0.97 ** np.arange(200), {"interval": "step"}, "pass"),
     (0.9 ** np.arange(200), {"interval": "step"}, "fail"),
     (1 - 0.001 * np.arange(10), {"other": cosine(200)}, "warn"),
     (np.ones(10), {"other": np.ones(200)}, "pass"),
     (np.arange(1, 11) / 60, {"other": np.minimum(1, np.arange(1, 201) / 60)}, "fail"),
     (np.minimum(1, np.arange(1, 11) / 3), {"other": np.minimum(1, np.arange(1, 201) / 3)}, "pass"),
     (np.minimum(1, np.arange(1, 201) / 60), {"interval": "step", "other": np.arange(1, 11) / 60},
      "pass"),
     (np.ones(10), {"other": stairs(200, 30, 60, 90)}, "pass"),
     (np.ones(4), {"error": "ValueError: Tried to step 5 times"}, "fail")],
)  # fmt: skip
def test_a_schedule_is_judged_without_training(
    rates: Any, plan: dict[str, Any], verdict: str
) -> None:
    finding = rated(GOOD, rates, **plan)
    assert finding.verdict == verdict, finding.summary


# -- prediction_dynamics ------------------------------------------------------------------------


def watched(logits: Any, losses: Any, labels: Any = (0, 1, 2, 0, 1, 2)) -> Finding:
    logits = np.asarray(logits, float)
    numbers = {"steps": len(losses), "points": list(range(len(logits))), "labels": list(labels),
               "rows": list(range(len(labels)))}  # fmt: skip
    arrays = {"losses": np.asarray(losses, float), "logits": logits,
              "predictions": logits.argmax(2)}  # fmt: skip
    return told(prediction_dynamics.CHECK, numbers, arrays)


def test_predictions_that_learn_rest_collapse_or_jump_are_told_apart() -> None:
    right = np.eye(3)[[0, 1, 2, 0, 1, 2]]
    falling = np.linspace(1.1, 0.2, 60)
    growing = np.linspace(0, 4, 21)[:, None, None] * right
    assert watched(growing, falling).verdict == "pass"
    assert watched(0 * growing, 0 * falling + 1.1).verdict == "fail"
    one = np.linspace(0, 4, 21)[:, None, None] * np.eye(3)[[0] * 6]
    collapsed = watched(one, falling)
    assert collapsed.verdict == "fail" and "one class" in collapsed.summary
    assert watched(one, 0 * falling + 1.09).verdict == "skipped"
    sides = np.where(np.arange(21) % 2, 6, -6)[:, None, None] * right
    assert watched(sides, 0 * falling + 1.1).verdict == "warn"
    assert watched(growing * np.nan, falling).verdict == "fail"


# -- zero_input ---------------------------------------------------------------------------------


def blank(real: float, zero: float, train: float, n: int = 400, **changes: Any) -> Finding:
    """Accuracies: held out with and without pictures, and on training samples with them."""
    rng = np.random.default_rng(1)
    drawn = {
        "real_hits": rng.random((3, n)) < real, "zero_hits": rng.random((3, n)) < zero,
        "real_train_hits": rng.random((3, 256)) < train,
        "zero_train_hits": rng.random((3, 256)) < zero, "constant_hits": rng.random(n) < zero,
        "real_loss": np.full(3, 2.3), "zero_loss": np.array([2.3, 2.31, 2.29]),
        "real_spread": np.full(3, 0.5), "real_curve": np.ones((3, 5)),
        "zero_curve": np.ones((3, 5)),
    } | changes  # fmt: skip
    return told(zero_input.CHECK, {"steps": 100, "batch": 32, "n_eval": n, "n_train": 256,
                                   "majority": 0.1}, drawn)  # fmt: skip


def test_pictures_that_help_pass_and_those_that_do_not_are_told_from_too_few() -> None:
    assert blank(0.5, 0.1, 0.6).verdict == "pass"
    memorised = blank(0.1, 0.1, 0.95)
    assert memorised.verdict == "fail" and "does not carry over" in memorised.summary
    assert blank(0.1, 0.1, 0.95, n=4).verdict == "skipped"
    assert blank(0.1, 0.1, 0.1).verdict == "skipped"
    ignored = blank(0.1, 0.1, 0.1, real_spread=np.zeros(3))
    assert ignored.verdict == "fail" and "do not depend on the pictures" in ignored.summary


def test_chance_alone_rarely_counts_as_a_gain() -> None:
    """Two nets that guess: a gain is seen in at most the 5 % that the margin promises."""
    rng, params = np.random.default_rng(3), zero_input.Params()
    sure = [
        zero_input.gain(
            *((rng.random((3, 200)) < 0.3).astype(float) for _ in range(2)), params
        ).sure
        for _ in range(400)
    ]  # fmt: skip
    assert np.mean(sure) < 0.05


# -- order and explanations ---------------------------------------------------------------------


def test_checks_come_after_those_that_explain_them() -> None:
    order = [c.id for c in ordered(with_ids(()))]
    for check in with_ids(()):
        for earlier in check.explained_by:
            if earlier in order:
                assert order.index(earlier) < order.index(check.id)


def test_a_bad_finding_names_the_failed_checks_that_explain_it() -> None:
    first = Check("first", "skeleton", "Is it?", "", init_bias.Params,
                  lambda r, p: Finding("fail", "Bad."))  # fmt: skip
    good = Check("good", "skeleton", "Is it?", "", init_bias.Params,
                 lambda r, p: Finding("pass", "Good."), explained_by=("first",))  # fmt: skip
    second = Check("second", "skeleton", "Is it?", "", init_bias.Params,
                   lambda r, p: Finding("warn", "Bad."),
                   explained_by=("first", "good"))  # fmt: skip
    found = {f.check: f.because for f in all_judged([first, good, second], Readings(), {})}
    assert found == {"first": (), "good": (), "second": ("first",)}


def test_a_probe_that_two_checks_share_runs_once() -> None:
    names = [p.name for p in probes_of((loss_at_init.CHECK, init_bias.CHECK))]
    assert names == ["start"]
