"""Do the probes read what is there? Against closed forms, and tasks whose answer is known."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from recipe_core.kernel.check import judged
from recipe_core.kernel.nouns import Finding
from recipe_core.kernel.progress import silent
from recipe_core.kernel.readings import Reading, Readings
from recipe_core.skeleton.bench_process import about
from recipe_core.skeleton.checks import (
    batch_order,
    bigger_net,
    checkpoint_reload,
    dead_units,
    gradient_reset,
    learning_rate,
    loss_at_init,
    overfit_batch,
    parameters_update,
)
from recipe_core.skeleton.probes import checkpoint, order, parameters, start, twice
from recipe_core.skeleton.probing import probed
from recipe_core.store.readings import ReadingStore
from recipe_core.training.bench import Bench
from tests.skeleton.bench import PLAIN, bench_of, found_by


@pytest.fixture(scope="module")
def plain(two: Path, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return bench_of(two, tmp_path_factory.mktemp("plain"))


def test_a_plain_pipeline_passes(plain: Bench) -> None:
    checks = (loss_at_init, batch_order, parameters_update, overfit_batch, learning_rate,
              checkpoint_reload)  # fmt: skip
    probes = {p.name: p for c in checks for p in c.CHECK.probes}
    readings = Readings({n: probed(p, plain) for n, p in probes.items()}, about(plain))
    for check in checks:
        finding = judged(check.CHECK, readings)
        assert finding.verdict == "pass", finding.summary


OWN_LAYER = """
class Own(nn.Module):
    def __init__(self, d, n):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n, d) / d**0.5)

    def forward(self, x):
        return {returned}

def build_model(num_classes):
    return nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(512, 32),
                         Own(32, num_classes))
"""


@pytest.mark.parametrize(
    ("returned", "verdict"),
    [
        ("8 * nn.functional.normalize(x, dim=1) @ nn.functional.normalize(self.weight, dim=1).T",
         "pass"),
        ("x @ self.weight.T", "fail"),
    ],
)  # fmt: skip
def test_a_layer_of_ones_own_is_linear_only_where_it_adds_up(
    two: Path, tmp_path: Path, returned: str, verdict: str
) -> None:
    """A head of cosines behind an embedding is a design, a second matrix behind it is none."""
    bench = bench_of(two, tmp_path, PLAIN + OWN_LAYER.format(returned=returned))
    finding = found_by(dead_units.CHECK, bench)
    assert finding.verdict == verdict, finding.summary
    assert verdict == "pass" or "nothing non-linear" in finding.summary.lower()


HALF = """
class Half(nn.Sequential):
    def forward(self, x):
        with torch.autocast("cpu", torch.bfloat16):
            return super().forward(x).float()

def build_model(num_classes):
    return Half(nn.Conv2d(3, 8, 3, 2, 1), {between}nn.Conv2d(8, 8, 3, 1, 1), {between}nn.Flatten(),
                nn.Linear(512, num_classes))
"""


@pytest.mark.parametrize(("between", "verdict"), [("nn.ReLU(), ", "pass"), ("", "fail")])
def test_layers_in_a_row_are_found_in_half_precision(
    two: Path, tmp_path: Path, between: str, verdict: str
) -> None:
    """A layer asked by itself must be asked in the precision that the model runs it in."""
    bench = bench_of(two, tmp_path, PLAIN + HALF.format(between=between))
    finding = found_by(dead_units.CHECK, bench)
    assert finding.verdict == verdict, finding.summary
    assert verdict == "pass" or "linear" in finding.summary


HEAD = """
def build_optimizer(model):
    return torch.optim.Adam(model[3].parameters(), lr=2e-3)
"""
KEPT_ON = """
def train_step(model, batch, loss_fn, optimizer):
    loss = loss_fn(model(batch[0]), batch[1])
    loss.backward()
    optimizer.step()
    return loss.detach()
"""


@pytest.mark.parametrize(("faulty", "verdict"), [(KEPT_ON, "fail"), ("", "pass")])
def test_gradients_that_no_step_uses_may_pile_up(
    two: Path, tmp_path: Path, faulty: str, verdict: str
) -> None:
    """The head alone is trained, the body is not frozen: no zero_grad reaches its gradients."""
    bench = bench_of(two, tmp_path, PLAIN + HEAD + faulty)
    finding = found_by(gradient_reset.CHECK, bench)
    assert finding.verdict == verdict, finding.summary


SCALED = (
    PLAIN
    + """
scaler, shared, steps, cache = None, nn.Linear(2, 2), [0], {}

def train_step(model, batch, loss_fn, optimizer):
    global scaler
    if scaler is None:
        scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    x, y = batch
    optimizer.zero_grad()
    with torch.autocast("cpu", dtype=torch.float16):
        logits = model(x)
    loss = loss_fn(logits.float(), y)
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    steps[0] += 1
    cache["seen"] = True
    with torch.no_grad():
        shared.weight += 1
    return loss.detach()
"""
)


def test_what_a_task_keeps_in_its_globals_does_not_reach_the_next_training(
    two: Path, tmp_path: Path
) -> None:
    """A rate that diverges halves a scaler at every step; the next check trained at 1e-30."""
    bench = bench_of(two, tmp_path, SCALED)
    own = vars(sys.modules["recipe_task_task"])
    weight = own["shared"].weight.detach().clone()
    readings = Readings({p.name: probed(p, bench) for c in (learning_rate, overfit_batch)
                         for p in c.CHECK.probes}, about(bench))  # fmt: skip
    assert own["scaler"] is not None and own["steps"] != [0] and own["cache"]
    finding = judged(overfit_batch.CHECK, readings)
    assert finding.verdict == "pass", finding.summary
    bench.model()
    assert own["scaler"] is None and own["steps"] == [0]
    assert torch.equal(own["shared"].weight, weight) and own["cache"] == {"seen": True}


def test_the_best_constant_output_costs_the_entropy_of_the_shares(plain: Bench) -> None:
    y = torch.tensor([0] * 90 + [1] * 10)
    loss, bias = start.best_constant(plain, y, "logits", 2)
    entropy = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1))
    assert loss == pytest.approx(entropy, abs=1e-4)
    assert bias[0] - bias[1] == pytest.approx(math.log(9), abs=0.05)


def test_made_up_logits_cost_what_the_normal_integral_says(plain: Bench) -> None:
    """For two classes the excess is E log(1 + exp(s sqrt(2) g)) - log 2, by quadrature."""
    y = torch.arange(4000) % 2
    got = dict(zip(start.WILDNESS, start.wild(plain, y, "logits", 2, 4000), strict=True))
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    for spread in (0.5, 1.0, 2.0):
        exact = (weights * np.log1p(np.exp(spread * math.sqrt(2) * nodes))).sum()
        assert got[spread] == pytest.approx(exact / weights.sum(), rel=0.05)


def test_the_leaves_of_a_loss_are_the_tensors_that_it_depends_on() -> None:
    used, cut = nn.Linear(3, 2), nn.Linear(3, 3)
    with torch.no_grad():
        x = cut(torch.ones(4, 3))
    found = {id(leaf) for leaf in parameters.leaves(used(x).sum())}
    assert found == {id(p) for p in used.parameters()}


HIDDEN = PLAIN.replace(
    "def build_model(num_classes, width=1.0):",
    """
class Net(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.layers = [nn.Conv2d(3, 8, 3, 2, 1)]
        self.head = nn.Linear(512, num_classes)
    def forward(self, x):
        return self.head(torch.relu(self.layers[0](x)).flatten(1))

def build_model(num_classes):
    return Net(num_classes)

def unused(num_classes, width=1.0):""",
)
DETACHED = (
    PLAIN
    + """
class Cut(nn.Module):
    def forward(self, x):
        return x.detach()

whole = build_model
def build_model(num_classes):
    model = whole(num_classes)
    model.insert(2, Cut())
    return model
"""
)
FROZEN = PLAIN + 'frozen = ["0."]\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [(HIDDEN, "does not own (Conv2d)"), (DETACHED, "`0` (2 tensors) never move: no gradient"),
     (FROZEN, "move though they are meant to stay")],
)  # fmt: skip
def test_what_is_hidden_cut_off_or_not_frozen_is_named(
    text: str, says: str, two: Path, tmp_path: Path
) -> None:
    bench = bench_of(two, tmp_path, text)
    check = parameters_update.CHECK
    finding = judged(check, Readings({p.name: probed(p, bench) for p in check.probes}))
    assert finding.verdict == "fail" and says in finding.summary, finding.summary


def test_the_order_is_read_without_opening_a_picture(plain: Bench) -> None:
    read = order.order(plain, silent)
    assert read["how"] == "numbered" and sorted(read["first"]) == list(range(300))
    assert np.array_equal(read["labels"], plain.labels("train")[read["first"]])
    assert read["same_again"] and not np.array_equal(read["first"], read["second"])


def test_a_trace_depends_on_the_seed_and_on_nothing_else(plain: Bench) -> None:
    one, again = twice.trace(plain, 2), twice.trace(plain, 2)
    same = twice.compared(one, again)
    assert not same["start"] and all(s["loss"] and not s["tensors"] for s in same["steps"])
    other = Bench(plain.task, plain.config.but(seed=1), plain.images, plain.workspace)
    differs = twice.compared(one, twice.trace(other, 2))
    assert len(differs["start"]) == 4 and not differs["steps"][0]["x"]


def test_two_optimizers_differ_where_their_states_do() -> None:
    net = nn.Linear(2, 2)
    trained, fresh = (torch.optim.Adam(net.parameters(), lr=0.1) for _ in range(2))
    net(torch.ones(1, 2)).sum().backward()
    trained.step()
    assert checkpoint.optimizer_difference(trained, trained) == []
    assert "exp_avg of tensor 0" in checkpoint.optimizer_difference(trained, fresh)
    fresh.load_state_dict(trained.state_dict())
    fresh.param_groups[0]["lr"] = 0.2
    assert checkpoint.optimizer_difference(trained, fresh) == ["lr of group 0"]


def test_readings_come_back_as_they_were_read(tmp_path: Path) -> None:
    store = ReadingStore(tmp_path / "sanity" / "key")
    reading = Reading(
        {"nan": math.nan, "list": [1.5, math.inf, {"deep": -math.inf}], "text": "ä"},
        {"hits": np.array([True, False]), "z": np.ones((2, 3), np.float32)}, seconds=1.5,
    )  # fmt: skip
    store.write_about({"task": "t.py"})
    store.write("one", 2, reading)
    store.write("two", 1, Reading(error="it hung", whose="time"))
    back = store.read({"one": 2, "two": 1, "three": 1})
    assert back.about == {"task": "t.py"} and list(back) == ["one", "two"]
    got = back.by_name["one"]
    assert math.isnan(got["nan"]) and got["list"] == [1.5, math.inf, {"deep": -math.inf}]
    assert np.array_equal(got["hits"], reading["hits"]) and got["z"].dtype == np.float32
    assert back.by_name["two"].whose == "time"
    assert list(store.read({"one": 3})) == [], "another version's reading is not used"
    store.forget(["two"])
    assert list(store.read({"two": 1})) == []


# -- bigger_net ---------------------------------------------------------------------------------


def compared(bench: Bench) -> Finding:
    (wider,) = bigger_net.CHECK.probes
    return judged(bigger_net.CHECK, Readings({wider.name: probed(wider, bench)}, about(bench)))


def test_more_width_fits_better(plain: Bench) -> None:
    finding = compared(plain)
    assert finding.verdict == "pass", finding.summary
    assert finding.numbers["wide_loss"] < finding.numbers["loss"]


@pytest.mark.parametrize(
    ("right", "wrong", "says"),
    [("n = round(8 * width)", "n = 8", "the width is ignored"),
     ("nn.ReLU()", "nn.Hardtanh(0, 1e-9 * width) if width > 1 else nn.ReLU()",
      "does not learn at all")],
)  # fmt: skip
def test_width_that_brings_nothing(
    two: Path, tmp_path: Path, right: str, wrong: str, says: str
) -> None:
    finding = compared(bench_of(two, tmp_path, PLAIN.replace(right, wrong)))
    assert finding.verdict == "fail" and says in finding.summary, finding.summary


def test_too_few_steps_are_not_judged(two: Path, tmp_path: Path) -> None:
    bench = bench_of(two, tmp_path)
    vars(bench)["step_seconds"] = 2.0  # as on a slow machine
    finding = compared(bench)
    assert finding.verdict == "skipped" and "so early" in finding.summary, finding.summary
