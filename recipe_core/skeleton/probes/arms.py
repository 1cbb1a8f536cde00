"""What do the same few steps give with real pictures, with blank ones, and with a wider net?"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from recipe_core.kernel.errors import MissingInput
from recipe_core.kernel.progress import Progress
from recipe_core.kernel.readings import Reading
from recipe_core.skeleton.probes.common import (
    SMALL_BATCH,
    Clock,
    eval_logits,
    loss_in_training,
    predicted,
    sample_losses,
    some,
    stacked,
)
from recipe_core.skeleton.probes.start import best_constant
from recipe_core.training.floors import as_output, output_kind

SEEDS = 3
STEPS = 100
FEWEST, FEWEST_WIDER = 20, 30
SECONDS = 3.5
"""Of one training, of the processors' time that one core gives; nine of them are made."""
WIDER_SECONDS = 5.0
"""Of one training of the wider net, of which three are made."""
MOST_SECONDS, MOST_WIDER_SECONDS = 48.0, 96.0
"""After so long a training is given up: the fewest steps that tell anything may take long."""
HELD_OUT = 512
TRAINED_ON = 256
WIDTH = 2.0


def arms(bench: Any, progress: Progress) -> Reading:
    """SEEDS trainings with real pictures and as many with pictures that are all zero.

    numbers  steps, batch, n_eval, n_train (samples judged), majority (share of the largest class
             among the held-out samples), prior_loss (least loss of a constant output on them)
    arrays   per seed: real_loss, zero_loss (held out), real_train, zero_train (the loss on training
             samples), real_hits, zero_hits (SEEDS, n_eval) bool, real_train_hits,
             real_spread (of an output over the held-out samples), real_curve, zero_curve (SEEDS,
             steps); real_losses, zero_losses (SEEDS, n_eval) of each
             sample where the loss function takes one alone; constant_hits, constant_losses
             (n_eval,) of the best output that is the same for all
    """
    plan = _plan(bench)
    data = _Judged(bench, plan["wide"])
    found: dict[str, list[Any]] = {}
    for k in range(SEEDS):
        for arm in ("real", "zero"):
            clock = Clock(MOST_SECONDS, progress, f"{arm} pictures, seed {k + 1} of {SEEDS}")
            _collect(found, arm, data.judged(_trained(bench, k, plan, clock, arm == "zero", None),
                                             arm == "zero"))  # fmt: skip
    found |= _constant(bench, data)
    y = data.eval[1].cpu().numpy()
    shares = np.bincount(y, minlength=bench.task.num_classes) / len(y)
    return Reading(
        {"steps": plan["steps"], "batch": plan["batch"], "n_eval": len(y),
         "n_train": len(data.train[1]), "majority": float(shares.max())},
        {name: np.array(values) for name, values in found.items()},
    )  # fmt: skip


def _constant(bench: Any, data: _Judged) -> dict[str, list[Any]]:
    """Hits and losses on held-out samples of the best output that is the same for all of them."""
    y, learned = data.eval[1], data.train[1]
    kind = output_kind(bench.logits(bench.model(), data.eval[0][:8]))
    _, bias = best_constant(bench, learned, kind, bench.task.num_classes)
    z = as_output(torch.tensor(bias, device=y.device).expand(len(y), -1), kind)
    each = sample_losses(bench.loss_fn, z, y)
    hits = {"constant_hits": list(predicted(bench, z) == y.cpu().numpy())}
    return hits if each is None else hits | {"constant_losses": list(each)}


def wider(bench: Any, progress: Progress) -> Reading:
    """SEEDS trainings of the net as it is and of one twice as wide: the loss on training samples.

    Within fewer than FEWEST_WIDER steps a sound net of twice the width may well be behind: then
    nothing is trained.

    numbers  steps (0: not trained), affordable (steps), batch, n_train, parameters and
             wide_parameters
    arrays   loss, wide_loss (SEEDS,), curve, wide_curve (SEEDS, steps)
    """
    if not bench.task.takes_width:
        raise MissingInput("build_model takes no width: add width: float = 1.0 to be able to ask "
                           "for a wider net")  # fmt: skip
    count = [sum(p.numel() for p in bench.model(width=w).parameters()) for w in (1.0, WIDTH)]
    plan = _plan(bench)
    # In proportion to its parameters: a convolution's work is its weights times its places.
    wide_step_s = plan["step_s"] * count[1] / count[0]
    affordable = min(int(WIDER_SECONDS / wide_step_s), plan["steps"])
    plan["steps"] = affordable if affordable >= FEWEST_WIDER else 0
    numbers = {"steps": plan["steps"], "affordable": affordable, "batch": plan["batch"],
               "parameters": count[0], "wide_parameters": count[1], "n_train": 0}  # fmt: skip
    if not plan["steps"]:
        return Reading(numbers)
    data = _Judged(bench, plan["wide"])
    found: dict[str, list[Any]] = {}
    for k in range(SEEDS):
        for name, width in (("", None), ("wide_", WIDTH)):
            said = "as wide as it is" if width is None else "twice as wide"
            clock = Clock(MOST_WIDER_SECONDS, progress, f"{said}, seed {k + 1} of {SEEDS}")
            model, curve = _trained(bench, k, plan, clock, False, width)
            loss = loss_in_training(bench, model, *data.train)
            found.setdefault(f"{name}loss", []).append(loss)
            found.setdefault(f"{name}curve", []).append(curve)
    numbers["n_train"] = len(data.train[1])
    return Reading(numbers, {name: np.array(values) for name, values in found.items()})


def _plan(bench: Any) -> dict[str, Any]:
    """How many steps with which batches a training of SECONDS seconds has."""
    step_s = bench.step_seconds
    size = bench.config.batch_size
    batch = None
    if step_s * STEPS > SECONDS and size > SMALL_BATCH:
        batch, step_s = SMALL_BATCH, step_s * SMALL_BATCH / size
    step_s = max(step_s, 1e-6)
    steps = int(np.clip(SECONDS / step_s, FEWEST, STEPS))
    return {"steps": steps, "step_s": step_s, "batch": batch or size, "size": batch,
            "wide": step_s < 0.05}  # fmt: skip


class _Judged:
    """The samples that every training is judged by."""

    def __init__(self, bench: Any, fast: bool) -> None:
        self.bench = bench
        held, learned = (HELD_OUT, TRAINED_ON) if fast else (HELD_OUT // 4, TRAINED_ON // 4)
        n_eval, n_train = len(bench.eval_set), len(bench.plain_train_set)
        self.eval = stacked(bench.eval_set, some(n_eval, held, 0), bench)
        self.train = stacked(bench.plain_train_set, some(n_train, learned, 0), bench)

    def judged(self, trained: tuple[Any, Any], blank: bool) -> dict[str, Any]:
        """Losses and hits of one training."""
        model, curve = trained
        found: dict[str, Any] = {"curve": curve}
        for name, (x, y) in (("", self.eval), ("train_", self.train)):
            z = eval_logits(self.bench, model, torch.zeros_like(x) if blank else x)
            found[f"{name}loss"] = _mean(self.bench, z, y)
            found[f"{name}hits"] = predicted(self.bench, z) == y.cpu().numpy()
            if not name:
                found["spread"] = float(z.double().std(0).mean()) if len(z) > 1 else 0.0
                each = sample_losses(self.bench.loss_fn, z, y)
                if each is not None:
                    found["losses"] = each
        return found


def _collect(found: dict[str, list[Any]], arm: str, values: dict[str, Any]) -> None:
    for name, value in values.items():
        found.setdefault(f"{arm}_{name}", []).append(value)


def _mean(bench: Any, z: Any, y: Any) -> float:
    with torch.no_grad():
        return float(bench.loss_fn(z, y))


def _trained(
    bench: Any, k: int, plan: dict[str, Any], clock: Clock, blank: bool, width: float | None
) -> tuple[Any, Any]:
    """A model after the planned steps at a constant rate, and its losses."""
    seed = bench.seed + k
    model = bench.model(seed, width)
    optimizer = bench.optimizer(model)
    losses = []
    model.train()
    batches = bench.epochs(seed, plan["size"])
    for step in range(plan["steps"]):
        batch = next(batches)
        if blank:
            batch = (torch.zeros_like(batch[0]), *batch[1:])
        losses.append(bench.step(model, batch, optimizer))
        if step % 5 == 0:
            clock.tick(step, plan["steps"])
    return model, torch.stack(losses).double().cpu().numpy()
