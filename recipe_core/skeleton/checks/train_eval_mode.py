"""Is every layer in the right mode when it is used, and does evaluation leave no trace?

Dropout and batch norm are two layers in one. Left in training mode, evaluation drops units and
lets each prediction depend on its batch; left in evaluation mode, training uses statistics that
nobody has learned. The modes are noted as layers are really used, in train_step and in evaluate.
Evaluate may change nothing that stays: no weights, no running statistics, no global switch. A batch
norm that is frozen on purpose, or came with statistics of its own, may stay in evaluation mode.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recipe_core.kernel.check import Check, Probe
from recipe_core.kernel.nouns import Finding, Table
from recipe_core.kernel.params import setting
from recipe_core.kernel.readings import Reading, Readings
from recipe_core.skeleton.problems import Problem, mends, sentence, some, worst

Layer = Mapping[str, Any]
LONG = 1_000
"""Steps that a short training has."""


@dataclass(frozen=True)
class Params:
    smallest_batch: int = setting(
        3, low=1, high=64,
        why="samples a batch norm needs; with two, ImageNet error rises by ten points (Wu and He "
        "2018, figure 1): the statistics of a pair are noise",
    )  # fmt: skip
    old: float = setting(
        0.8, low=0.0, high=1.0,
        why="share of mean 0 and variance 1, where running statistics start, that still stands in "
        "them after 1,000 steps: nothing with torch's momentum of 0.1, 0.37 with 0.001, 0.99 with "
        "a 0.00001 that was meant as a decay of 0.99999",
    )  # fmt: skip
    random: float = setting(
        1e-3, low=0.0, high=1.0,
        why="difference of two passes in evaluation mode, in shares of the largest logit; rounding "
        "gives 1e-6 (1e-3 in half precision), dropout 0.1 and more",
    )  # fmt: skip


def judge(readings: Readings, params: Params) -> Finding:
    read = readings.need("train_eval_mode")
    layers: list[Layer] = read["layers"]
    problems = [
        *training(layers), *statistics(layers, params), *small_batches(read, layers, params),
        *evaluation(layers), *left_behind(read), *random(read, layers, params),
    ]  # fmt: skip
    wrong = sorted({n for p in problems for n in [p.text]})
    return Finding(
        worst(problems), sentence(problems, good(read, layers)), mends(problems),
        {"layers": len(layers), "changed": list(read["changed"]), "gradients": read["gradients"],
         "random": read["random"], "batch": read["batch"]},
        value=len(wrong), expected="0 things in the wrong mode or left behind",
        tables=(table(layers),) if layers else (),
    )  # fmt: skip


def training(layers: list[Layer]) -> list[Problem]:
    """Layers that sleep while train_step takes gradients."""
    asleep = [
        layer for layer in layers
        if layer["trained_in"] == ["evaluation"] and not layer["frozen"]
        and not (layer["norm"] and layer["pretrained"])
        and (layer["norm"] or layer["p"] > 0)
    ]  # fmt: skip
    if not asleep:
        return []
    return [Problem("fail", f"train_step runs {_named(asleep)} in evaluation mode: dropout drops "
                    "nothing, and batch norm uses statistics that it never learned",
                    "Call model.train() before the forward pass, after anything that calls "
                    "eval().")]  # fmt: skip


def statistics(layers: list[Layer], params: Params) -> list[Problem]:
    own = [
        layer for layer in layers
        if layer["norm"] and layer["tracks"] and not layer["pretrained"]
        and layer["trained_in"] == ["training"]
    ]  # fmt: skip
    still = [layer for layer in own if not layer["learns"] or _old(layer) > params.old]
    if not still:
        return []
    how = "do not move" if not all(layer["learns"] for layer in still) else (
        f"hardly move (momentum {still[0]['momentum']:g}: after {LONG:,} steps "
        f"{_old(still[0]):.0%} of what they started with still stands)"
    )  # fmt: skip
    return [Problem("fail", f"the running statistics of {_named(still)} {how} in training: "
                    "evaluation will use mean 0 and variance 1", "Give batch norm a momentum of "
                    "about 0.1: the share of the new, not of the old.")]  # fmt: skip


def _old(layer: Layer) -> float:
    """Share of a running statistic's start that is left in it after LONG steps."""
    momentum = layer["momentum"]
    return 0.0 if momentum is None else float((1 - momentum) ** LONG)


def small_batches(read: Reading, layers: list[Layer], params: Params) -> list[Problem]:
    awake = [layer for layer in layers if layer["norm"] and "training" in layer["trained_in"]]
    size = read["batch"]
    if not awake or not size or size >= params.smallest_batch:
        return []
    return [Problem("fail", f"batches of {size} feed {_named(awake)} (at least "
                    f"{params.smallest_batch} samples expected): the statistics of so few are "
                    "noise, and not those that evaluation uses",
                    "Make the batches larger, or take group norm.")]  # fmt: skip


def evaluation(layers: list[Layer]) -> list[Problem]:
    awake = [layer for layer in layers if "training" in layer["evaluated_in"]
             and (layer["norm"] or layer["p"] > 0)]  # fmt: skip
    without = [layer for layer in layers if layer["norm"] and not layer["tracks"]]
    found = []
    if awake:
        found.append(Problem("fail", f"evaluate runs {_named(awake)} in training mode: predictions "
                             "drop units, or depend on their batch",
                             "Call model.eval() at the start of evaluate."))  # fmt: skip
    if without:
        found.append(Problem("fail", f"{_named(without)} keeps no running statistics: predictions "
                             "depend on their batch in evaluation too",
                             "Leave track_running_stats on, or take group norm."))  # fmt: skip
    return found


def left_behind(read: Reading) -> list[Problem]:
    found = []
    if read["changed"]:
        found.append(Problem("fail", f"evaluate changes the model: {some(read['changed'], 3)}",
                             "Evaluate in evaluation mode and without a step; put back what was "
                             "swapped in."))  # fmt: skip
    if not read["gradients"]:
        found.append(Problem("fail", "evaluate leaves gradients switched off: nothing is learned "
                             "after the first evaluation", "Write `with torch.no_grad():` instead "
                             "of torch.set_grad_enabled(False)."))  # fmt: skip
    return found


def random(read: Reading, layers: list[Layer], params: Params) -> list[Problem]:
    away = read["random"]
    if away <= params.random or any("training" in layer["evaluated_in"] for layer in layers):
        return []
    return [Problem("fail", f"two passes over the same pictures in evaluation mode differ by "
                    f"{away:.2g} of the largest logit (at most {params.random:g} expected): "
                    "something is random there",
                    "Give functional dropout training=self.training, or use Dropout.")]  # fmt: skip


def good(read: Reading, layers: list[Layer]) -> str:
    if not layers:
        return ("The model has no batch norm and no dropout, predictions in evaluation mode do not "
                "vary, and evaluate leaves the model unchanged.")  # fmt: skip
    kept = [layer for layer in layers if layer["trained_in"] == ["evaluation"]]
    said = f" ({len(kept)} frozen, in evaluation mode throughout)" if kept else ""
    return (f"All {len(layers)} batch norms and dropouts are in training mode in train_step and in "
            f"evaluation mode in evaluate{said}, which leaves the model unchanged.")  # fmt: skip


def table(layers: list[Layer]) -> Table:
    rows = tuple(
        (layer["name"], layer["kind"], " and ".join(layer["trained_in"]) or "not used",
         " and ".join(layer["evaluated_in"]) or "not used", "yes" if layer["frozen"] else "no")
        for layer in layers[:200]
    )  # fmt: skip
    return Table("Modes in use", ("layer", "kind", "in train_step", "in evaluate", "frozen"), rows)


def _named(layers: list[Layer]) -> str:
    return some([f"{layer['name']} ({layer['kind']})" for layer in layers], 2)


CHECK = Check(
    id="train_eval_mode",
    stage="skeleton",
    question="Is every layer in the right mode, and does evaluation leave no trace?",
    why="A forgotten model.eval() makes every reported number wrong; a forgotten model.train() "
    "switches off dropout and the learning of statistics. Neither raises an error.",
    params=Params,
    judge=judge,
    probes=(
        Probe("train_eval_mode", 2, "recipe_core.skeleton.probes.train_eval_mode:train_eval_mode"),
    ),
)
